#pragma once

// Text through ringlet's sockets, and pairs of connected descriptors. Header only: it needs ringlet.

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "ringlet/socket.hpp"
#include "support/posix.hpp"

namespace ringlet::test {

inline void write_text(Socket& socket, std::string_view text) {
    socket.write(std::as_bytes(std::span(text.data(), text.size())));
}

// Whatever one read gives; empty at the end.
inline std::string read_some_text(Socket& socket, std::size_t size = 4096) {
    std::string out(size, '\0');
    out.resize(socket.read(std::as_writable_bytes(std::span(out))));
    return out;
}

// n bytes, or fewer if the peer ends first.
inline std::string read_text(Socket& socket, std::size_t n) {
    std::string out;
    while (out.size() < n) {
        const auto more = read_some_text(socket, n - out.size());
        if (more.empty()) break;
        out += more;
    }
    return out;
}

struct StreamPair {
    Fd ours;    // to be adopted
    Fd theirs;  // the peer's
};

inline StreamPair unix_pair() {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) throw_errno("socketpair");
    return {Fd(fds[0]), Fd(fds[1])};
}

// What one blocking read on a descriptor gives.
inline std::string read_fd(int fd, std::size_t size = 4096) {
    std::string out(size, '\0');
    const auto got = ::read(fd, out.data(), out.size());
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return out;
}

}  // namespace ringlet::test
