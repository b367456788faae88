#include "socket/plain_stream.hpp"

#include "ringlet/error.hpp"
#include "socket/wait.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

namespace ringlet::detail {
namespace {

std::string reason_of(int number) {
    return std::generic_category().message(number);
}

[[noreturn]] void lost(std::string_view doing, int number) {
    throw Error(Errc::connection_lost, std::string("socket: ").append(doing) + ": " + reason_of(number));
}

bool again_later(int number) noexcept {
    return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

using NameOf = int (*)(int, sockaddr*, socklen_t*);

std::string address_text(int fd, NameOf name_of) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (fd < 0 || name_of(fd, generic, &size) != 0 || address.ss_family == AF_UNIX) return {};
    char host[64] = "", port[8] = "";
    if (::getnameinfo(generic, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) !=
        0)
        return {};
    const std::string text =
        address.ss_family == AF_INET6 ? '[' + std::string(host) + ']' : std::string(host);
    return text + ':' + port;
}

[[noreturn]] void refuse(int fd, const std::string& why) {
    throw Error(Errc::invalid_argument, "Socket::adopt(" + std::to_string(fd) + "): " + why);
}

int option_of(int fd, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) {
        refuse(fd, errno == ENOTSOCK ? "not a socket" : reason_of(errno));
    }
    return value;
}

}  // namespace

void require_connected_stream(int fd) {
    if (option_of(fd, SO_TYPE) != SOCK_STREAM) refuse(fd, "not a stream socket");
    if (option_of(fd, SO_ACCEPTCONN) != 0) refuse(fd, "a listening socket");
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) refuse(fd, "not connected");
    const bool known = peer.ss_family == AF_INET || peer.ss_family == AF_INET6 || peer.ss_family == AF_UNIX;
    if (!known) refuse(fd, "neither TCP nor a Unix socket");
}

PlainStream::PlainStream(Descriptor descriptor, std::string early) noexcept
    : fd_(descriptor.fd), account_(std::move(descriptor.account)), early_(std::move(early)) {}

PlainStream::~PlainStream() {
    if (fd_ >= 0) ::close(fd_);
}

std::size_t PlainStream::read(std::span<std::byte> to, const StreamLimits& limits) {
    if (!early_.empty()) {
        const auto n = std::min(to.size(), early_.size());
        std::memcpy(to.data(), early_.data(), n);
        early_.erase(0, n);
        return n;
    }
    if (fd_ < 0) return 0;
    check_limits(limits, lane());
    while (true) {
        const auto got = ::recv(fd_, to.data(), to.size(), MSG_DONTWAIT);
        if (got >= 0) return static_cast<std::size_t>(got);
        if (!again_later(errno)) lost("read", errno);
        wait_ready(fd_, POLLIN, limits, lane());
    }
}

void PlainStream::write(std::span<const std::byte> bytes, const StreamLimits& limits) {
    if (fd_ < 0) throw Error(Errc::connection_lost, "socket: write: the peer has ended the connection");
    check_limits(limits, lane());
    while (!bytes.empty()) {
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(sent));
        } else if (again_later(errno)) {
            wait_ready(fd_, POLLOUT, limits, lane());
        } else {
            lost("write", errno);
        }
    }
}

Stream::Waiting PlainStream::waiting() noexcept {
    if (!early_.empty()) return Waiting::bytes;
    char byte = 0;
    const auto got = fd_ < 0 ? 0 : ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0) return Waiting::bytes;
    return got < 0 && again_later(errno) ? Waiting::nothing : Waiting::end;
}

Descriptor PlainStream::release() {
    return {std::exchange(fd_, -1), std::move(account_)};
}

std::string PlainStream::local_address() const {
    return address_text(fd_, ::getsockname);
}
std::string PlainStream::remote_address() const {
    return address_text(fd_, ::getpeername);
}

}  // namespace ringlet::detail
