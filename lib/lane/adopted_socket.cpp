#include "lane/adopted_socket.hpp"

#include "curl/api.hpp"
#include "ringlet/error.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace ringlet::detail {
namespace {

void set_blocking(int fd, bool on) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags >= 0) ::fcntl(fd, F_SETFL, on ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

}  // namespace

int detach_descriptor(int inside) {
    const int own = ::fcntl(inside, F_DUPFD_CLOEXEC, 0);
    // Whatever libcurl does with the number while closing, the peer sees nothing of it.
    const int dummy = own < 0 ? -1 : ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool replaced = dummy >= 0 && ::dup3(dummy, inside, O_CLOEXEC) >= 0;
    const int number = errno;
    if (dummy >= 0) ::close(dummy);
    if (replaced) return own;
    if (own >= 0) ::close(own);
    throw Error(Errc::connect,
                "no descriptor for the connection: " + std::generic_category().message(number));
}

bool adoption_needs_swap() noexcept {
    constexpr unsigned already_connected_works = 0x080000;
    return curl_version_number() < already_connected_works;
}

AdoptedSocket::AdoptedSocket(int fd, From from) noexcept
    : fd_(fd),
      swap_(from == From::anywhere && adoption_needs_swap()),
      blocking_((::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0) {}

AdoptedSocket::~AdoptedSocket() {
    discard();
}

void AdoptedSocket::discard() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

int AdoptedSocket::hand_out() noexcept {
    if (fd_ < 0 || handed_ >= 0) return -1;
    if (swap_) {
        handed_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return handed_;
    }
    set_blocking(fd_, false);
    return handed_ = std::exchange(fd_, -1);
}

void AdoptedSocket::swap_in() noexcept {
    if (!swap_ || fd_ < 0 || handed_ < 0) return;
    if (::dup3(fd_, handed_, O_CLOEXEC) < 0) return;  // what is sent then goes nowhere, and fails
    set_blocking(handed_, false);
    ::close(std::exchange(fd_, -1));
}

int AdoptedSocket::take_back() {
    int own = std::exchange(fd_, -1);
    if (own < 0) {
        own = detach_descriptor(handed_);
        handed_ = -1;
    }
    set_blocking(own, blocking_);
    return own;
}

void AdoptedSocket::closed(int fd) noexcept {
    if (is_handed(fd)) handed_ = -1;
}

bool AdoptedSocket::leads_to(const sockaddr& address, socklen_t size) const noexcept {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    if (fd_ < 0 || ::getpeername(fd_, reinterpret_cast<sockaddr*>(&peer), &length) != 0) return false;
    if (peer.ss_family != address.sa_family) return false;
    if (address.sa_family == AF_INET) {
        const auto& a = reinterpret_cast<const sockaddr_in&>(address);
        const auto& b = reinterpret_cast<const sockaddr_in&>(peer);
        return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
    }
    if (address.sa_family == AF_INET6) {
        const auto& a = reinterpret_cast<const sockaddr_in6&>(address);
        const auto& b = reinterpret_cast<const sockaddr_in6&>(peer);
        return a.sin6_port == b.sin6_port && std::memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0;
    }
    return length == size && std::memcmp(&address, &peer, size) == 0;
}

}  // namespace ringlet::detail
