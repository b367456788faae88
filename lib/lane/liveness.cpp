// Whether a lane's idle connection can be lent.
#include "lane/lane.hpp"
#include "lane/tls_alert.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace ringlet::detail {
Lane::Liveness Lane::check() noexcept {
    if (forked()) return Liveness::forked;
    if (sockets_.all().empty()) return Liveness::peer_closed;
    for (const auto& [fd, id] : sockets_.all()) {
        const auto found = check(fd);
        if (found != Liveness::usable) return found;
    }
    return Liveness::usable;
}

/// Something is there to be read: an answer to nothing, or with TLS perhaps the alert by which a server says
/// goodbye before it closes.
Lane::Liveness Lane::judge(std::size_t bytes) const noexcept {
    const bool goodbye = bytes <= tls_alert_size && key_.origin().starts_with("https:");
    return goodbye ? Liveness::peer_closed : Liveness::unsolicited_data;
}

Lane::Liveness Lane::check(int fd) const noexcept {
    const bool only_one = sockets_.all().size() == 1;  // else it may be one of another protocol
    if (only_one && (protocol_ == Protocol::http_2 || protocol_ == Protocol::http_3)) {
        pollfd entry{fd, POLLRDHUP, 0};
        return ::poll(&entry, 1, 0) > 0 ? Liveness::peer_closed : Liveness::usable;
    }
    char bytes[tls_alert_size + 1];
    const auto got = ::recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0) return judge(static_cast<std::size_t>(got));
    const bool quiet = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return quiet ? Liveness::usable : Liveness::peer_closed;
}

}  // namespace ringlet::detail
