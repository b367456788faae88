#include "support/tally.hpp"

#include "support/posix.hpp"

namespace ringlet::test {

bool Tally::wait_until(const std::function<bool(const Snapshot&)>& holds, Clock::duration timeout) const {
    auto deadline = deadline_after(timeout);
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [&] { return holds(now_); });
}

}  // namespace ringlet::test
