#include "transfer/socket_ear.hpp"

#include "lane/tls_alert.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

namespace ringlet::detail {
namespace {

// A FIN counts as one byte; anything longer may be an answer, or a request.
constexpr std::uint64_t goodbye_size = tls_alert_size + 1;

// States of <netinet/tcp.h>, which cannot be included beside <linux/tcp.h>.
enum : std::uint8_t { time_wait = 6, closed = 7, close_wait = 8, last_ack = 9, closing_down = 11 };

/// The peer has said that it will send no more. Of a connection that a RST has closed since, the pending
/// error tells: libcurl has read ECONNRESET by now, but the end of the stream leaves EPIPE where it is.
bool has_fin(int fd, std::uint8_t state) noexcept {
    if (state != closed)
        return state == close_wait || state == last_ack || state == closing_down || state == time_wait;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == EPIPE;
}

}  // namespace

SocketEar::Counts SocketEar::counts_of(int fd) noexcept {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};  // a unix socket
    if (size < offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent) return {};
    return {true, info.tcpi_state, info.tcpi_data_segs_in, info.tcpi_bytes_received,
            info.tcpi_bytes_sent + info.tcpi_notsent_bytes};
}

void SocketEar::stop() noexcept {
    fd_ = -1;
    received_only_ = false;
    before_ = {};
    answered_ = nothing_sent_ = false;
}

void SocketEar::start(int fd, bool tls) noexcept {
    stop();
    fd_ = fd;
    tls_ = tls;
    if (fd >= 0) before_ = counts_of(fd);
}

void SocketEar::start_from(int fd, std::uint64_t received) noexcept {
    stop();
    fd_ = fd;
    tls_ = false;
    received_only_ = true;
    before_.known = true;
    before_.received = received;
}

std::optional<std::uint64_t> SocketEar::received_before() const noexcept {
    return fd_ >= 0 && before_.known ? std::optional(before_.received) : std::nullopt;
}

void SocketEar::closing(int fd) noexcept {
    if (fd != fd_ || !before_.known) return;
    fd_ = -1;
    const auto after = counts_of(fd);
    if (!after.known) return;
    const auto received = after.received - before_.received;
    if (received_only_) {
        answered_ = received > 1 || (received == 1 && !has_fin(fd, after.state));
        return;
    }
    // Segments tell a byte from a FIN, also where a RST came behind it.
    const bool data_came = after.segments != before_.segments;
    answered_ = data_came && received > (tls_ ? goodbye_size : 0);
    // libcurl says goodbye on a connection that it retires before it has sent a request there.
    nothing_sent_ = after.sent - before_.sent <= (tls_ ? goodbye_size : 0);
}

}  // namespace ringlet::detail
