// A body piece by piece, in constant memory: as chunks, as a std::istream, and with read().
//
//     streaming https://example.com/lines
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <ios>
#include <span>
#include <string>

using namespace std::chrono_literals;

namespace {

/// Pieces as they arrive. The body stays locked to this reader until it is destroyed.
std::size_t count_bytes(ringlet::Response response) {
    std::size_t bytes = 0;
    for (std::span<const std::byte> piece : response.chunks()) bytes += piece.size();
    return bytes;
}

/// Anything that reads a std::istream can read a body.
std::size_t count_lines(ringlet::Response response) {
    auto stream = response.stream();
    stream.exceptions(std::ios::badbit);  // else a broken transfer looks like an early end
    std::size_t lines = 0;
    for (std::string line; std::getline(stream, line);) ++lines;
    return lines;
}

/// Only the beginning is wanted: read it, then decide what becomes of the connection.
std::string beginning(ringlet::Response response) {
    std::array<std::byte, 16> buffer;
    const auto n = response.read(buffer);
    // Little is left: read it away and keep the connection. Much is left: close it, which costs the next
    // request a new one.
    response.consume({.bytes = 64 * 1024, .time = 100ms});
    return {reinterpret_cast<const char*>(buffer.data()), n};
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2) return 2;
    ringlet::Session session;
    session.connect_timeout(5s).low_speed(1, 20s);

    fmt::print("{} bytes\n", count_bytes(session.get(argv[1])));
    fmt::print("{} lines\n", count_lines(session.get(argv[1])));
    fmt::print("begins with \"{}\"\n", beginning(session.get(argv[1])));
} catch (const ringlet::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
}
