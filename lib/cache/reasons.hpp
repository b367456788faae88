// Small shared words of the cache's parts.
#pragma once

#include "lane/lane.hpp"
#include "ringlet/error.hpp"
#include "ringlet/events.hpp"

#include <string>
#include <utility>

namespace ringlet::detail {

/// Why a lane that was found so must be closed; none: it need not be.
constexpr CloseReason reason_of(Lane::Liveness liveness) noexcept {
    switch (liveness) {
        case Lane::Liveness::usable:
            return CloseReason::none;
        case Lane::Liveness::peer_closed:
            return CloseReason::peer_closed;
        case Lane::Liveness::unsolicited_data:
            return CloseReason::unsolicited_data;
        case Lane::Liveness::forked:
            return CloseReason::forked;
    }
    return CloseReason::peer_closed;
}

[[noreturn]] inline void fail_acquire(Errc code, const std::string& message) {
    ErrorDetails details;
    details.phase = Phase::acquire;
    details.retryable = code == Errc::acquire_timeout;
    throw Error(code, message, std::move(details));
}

}  // namespace ringlet::detail
