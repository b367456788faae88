// Crowd: why a request got no connection, in figures and in words.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringlet::detail {

struct Crowd {
    // of the origin
    std::uint64_t open = 0;
    std::uint64_t limit = 0;
    std::uint64_t connecting = 0, leased = 0, idle = 0, closing = 0;
    std::size_t waiting = 0;  // with the one that failed
    // of the cache
    std::uint64_t total_open = 0;
    std::uint64_t total_limit = 0;
};

/// "waited 50 ms for a connection to http://a:80, which has 2 of 2 open (2 leased, ...)": what a user needs
/// to see which limit is too low, or who holds what it wanted.
std::string describe(const Crowd& crowd, std::string_view origin, std::chrono::nanoseconds waited);

}  // namespace ringlet::detail
