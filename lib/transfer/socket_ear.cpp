#include "transfer/socket_ear.hpp"

#include "lane/tls_alert.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace ringlet::detail {
namespace {

// A FIN counts as one byte; anything longer may be an answer, or a request.
constexpr std::uint64_t goodbye_size = tls_alert_size + 1;

}  // namespace

SocketEar::Counts SocketEar::counts_of(int fd) noexcept {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};  // a unix socket
    if (size < offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent) return {};
    return {true, info.tcpi_data_segs_in, info.tcpi_bytes_received,
            info.tcpi_bytes_sent + info.tcpi_notsent_bytes};
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
    // Segments tell a byte from a FIN, also where a RST came behind it.
    const bool data_came = after.segments != before_.segments;
    answered_ = data_came && after.received - before_.received > (tls_ ? goodbye_size : 0);
    // libcurl says goodbye on a connection that it retires before it has sent a request there.
    nothing_sent_ = after.sent - before_.sent <= (tls_ ? goodbye_size : 0);
}

}  // namespace ringlet::detail
