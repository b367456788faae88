// Transfer::spin(): looking for an answer without sleeping.
#include <poll.h>

#include <algorithm>

#include "transfer/transfer.hpp"

namespace ringlet::detail {

bool Transfer::spin(std::chrono::nanoseconds d) {
    const int fd = lease_->socket();
    // Only for an answer: what comes before it is slower, and has timers of libcurl's to be kept.
    if (fd < 0 || paused_ || !sent()) return false;
    if (spin_rest_ != 0) return --spin_rest_, false;
    constexpr std::chrono::milliseconds slice(
        1);  // stop tokens, deadlines and libcurl have their turn in between
    const auto begin = Clock::now();
    if (spinning_since_ == Clock::time_point{}) spinning_since_ = begin;
    const auto end = spinning_since_ + std::min<std::chrono::nanoseconds>(d, std::chrono::hours(1));
    const auto until = std::min(end, begin + slice);
    pollfd entry{fd, POLLIN, 0};
    do {
        if (::poll(&entry, 1, 0) != 0) {
            spinning_since_ = {};
            spin_misses_ = 0;
            return true;
        }
    } while (Clock::now() < until);
    if (until < end) return true;
    spinning_since_ = {};
    constexpr unsigned longest_rest = 6;  // 64 waits
    spin_misses_ = std::min(spin_misses_ + 1, longest_rest);
    spin_rest_ = spin_misses_ > 1 ? 1U << spin_misses_ : 0;
    return false;
}

}  // namespace ringlet::detail
