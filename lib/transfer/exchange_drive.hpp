// Exchange::drive(): the one loop in which a request waits.
#pragma once

#include "transfer/exchange.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ringlet::detail {

/// How long to wait before libcurl is stepped without an event: seldom, when nothing comes of it.
class Nudges {
  public:
    std::chrono::milliseconds next() noexcept {
        return std::exchange(wait_, std::min(wait_ * 2, std::chrono::milliseconds(1000)));
    }

  private:
    std::chrono::milliseconds wait_{10};
};

/// Steps and waits until `until()`, the end of the transfer, or `latest`. Throws for what interrupts: stop,
/// shutdown, time.
template <class Until>
void Exchange::drive(Until until, Clock::time_point latest) {
    const auto spin = cache_->settings().busy_poll.value();
    const bool limited = latest != Clock::time_point::max();
    Nudges nudges;
    while (!transfer_.done()) {
        transfer_.step();
        if (until() || transfer_.done()) return;
        check_interruptions();
        if (transfer_.done()) return;
        if (limited && Clock::now() >= latest) return;
        if (spin.count() > 0 && transfer_.spin(spin)) continue;
        auto longest = patience_.longest_wait(transfer_);
        if (limited) {
            const auto now = Clock::now();
            if (now >= latest) return;
            longest = std::min(longest, std::chrono::ceil<std::chrono::milliseconds>(latest - now));
        }
        if (transfer_.needs_nudging()) longest = std::min(longest, nudges.next());
        if (transfer_.wait(longest)) nudges = {};
        check_interruptions();
    }
}

}  // namespace ringlet::detail
