#include "transfer/socket_ear.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace ringlet::detail {
namespace {

// A close_notify alert: 24 bytes in TLS 1.3, 31 with TLS 1.2's AES-GCM; anything longer may be an answer.
constexpr std::uint64_t tls_alert_size = 31;

// Of the kernel's states; <netinet/tcp.h> names them, but has no tcpi_bytes_received.
constexpr int tcp_closed = 7, tcp_close_wait = 8, tcp_last_ack = 9;

}  // namespace

SocketEar::Counts SocketEar::counts_of(int fd) noexcept {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};  // a unix socket
    if (size < offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent) return {};
    // Closed: a RST came, perhaps behind a FIN.
    const bool ended =
        info.tcpi_state == tcp_close_wait || info.tcpi_state == tcp_last_ack || info.tcpi_state == tcp_closed;
    return {true, ended, info.tcpi_bytes_received, info.tcpi_bytes_sent};
}

void SocketEar::start(int fd, bool tls) noexcept {
    fd_ = fd;
    tls_ = tls;
    answered_ = nothing_sent_ = false;
    before_ = fd >= 0 ? counts_of(fd) : Counts{};
}

void SocketEar::closing(int fd) noexcept {
    if (fd != fd_ || !before_.known) return;
    const auto after = counts_of(fd);
    fd_ = -1;
    if (!after.known) return;
    answered_ = after.received - before_.received > (tls_ ? tls_alert_size : 0);
    // A FIN may count as one byte received.
    if (!tls_ && after.ended && after.received - before_.received <= 1) answered_ = false;
    nothing_sent_ = after.sent == before_.sent;
}

}  // namespace ringlet::detail
