#include "ringlet/events.hpp"

namespace ringlet::inline v1 {

Observer::~Observer() = default;

std::string_view to_string(CloseReason reason) noexcept {
    switch (reason) {
        case CloseReason::none:
            return "none";
        case CloseReason::unread_body:
            return "unread_body";
        case CloseReason::connection_close:
            return "connection_close";
        case CloseReason::http_1_0:
            return "http_1_0";
        case CloseReason::drain_limit:
            return "drain_limit";
        case CloseReason::drain_timeout:
            return "drain_timeout";
        case CloseReason::transfer_error:
            return "transfer_error";
        case CloseReason::cancelled:
            return "cancelled";
        case CloseReason::expired:
            return "expired";
        case CloseReason::lifetime:
            return "lifetime";
        case CloseReason::requests:
            return "requests";
        case CloseReason::over_limit:
            return "over_limit";
        case CloseReason::peer_closed:
            return "peer_closed";
        case CloseReason::unsolicited_data:
            return "unsolicited_data";
        case CloseReason::upgraded:
            return "upgraded";
        case CloseReason::forked:
            return "forked";
        case CloseReason::evicted:
            return "evicted";
        case CloseReason::shutdown:
            return "shutdown";
    }
    return "unknown";
}

std::string_view to_string(ConnectionState state) noexcept {
    switch (state) {
        case ConnectionState::connecting:
            return "connecting";
        case ConnectionState::leased:
            return "leased";
        case ConnectionState::idle:
            return "idle";
        case ConnectionState::closing:
            return "closing";
    }
    return "unknown";
}

std::string_view to_string(Protocol protocol) noexcept {
    switch (protocol) {
        case Protocol::unknown:
            return "unknown";
        case Protocol::http_1_0:
            return "HTTP/1.0";
        case Protocol::http_1_1:
            return "HTTP/1.1";
        case Protocol::http_2:
            return "HTTP/2";
        case Protocol::http_3:
            return "HTTP/3";
    }
    return "unknown";
}

std::string_view to_string(Event::Kind kind) noexcept {
    switch (kind) {
        case Event::Kind::opened:
            return "opened";
        case Event::Kind::leased:
            return "leased";
        case Event::Kind::reused:
            return "reused";
        case Event::Kind::released:
            return "released";
        case Event::Kind::closed:
            return "closed";
        case Event::Kind::waited:
            return "waited";
        case Event::Kind::replayed:
            return "replayed";
        case Event::Kind::dropped:
            return "dropped";
    }
    return "unknown";
}

}  // namespace ringlet::inline v1
