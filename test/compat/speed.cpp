// A program that makes a handle for each request, compiled with and without ringlet/curl.h: how long it
// takes.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "compat/authorities.hpp"
#include "compat/c_program.h"
#include "ringlet/connection_cache.hpp"
#include "support/origin.hpp"

extern "C" int request_with_new_handles_of_libcurl(const char* url, const char* ca_file, int requests,
                                                   long* connects, size_t* bytes);

namespace {

using namespace ringlet;
using namespace ringlet::test;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool instrumented = true;
#else
constexpr bool instrumented = false;
#endif

/// Seconds for each of so many requests.
double time_of(decltype(&request_with_new_handles) program, const Origin& origin, const char* ca_file,
               int requests) {
    long connects = 0;
    std::size_t bytes = 0;
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(program(origin.url().c_str(), ca_file, requests, &connects, &bytes) == 0);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / requests;
}

TEST_CASE("a new handle for each request over plain HTTP takes at most 0.95 of libcurl's time",
          "[compat][speed]") {
    if (instrumented) SKIP("instrumented");
    const Origin origin(respond_with(reply("0123456789")));
    // In turns, and the best of each: whatever else the machine does, it does to both.
    double with = 1e9, without = 1e9;
    for (int turn = 0; turn < 10; ++turn) {
        without = std::min(without, time_of(request_with_new_handles_of_libcurl, origin, nullptr, 100));
        with = std::min(with, time_of(request_with_new_handles, origin, nullptr, 100));
    }
    CAPTURE(with, without);
    CHECK(with <= 0.95 * without);
}

TEST_CASE("200 requests over HTTPS with a handle each are at least 20 times as fast", "[compat][speed]") {
    if (instrumented) SKIP("instrumented");
    ConnectionCache::process_wide().close_idle();
    const TempDir directory;
    const auto ca = all_authorities(directory);
    const Origin origin(respond_with(reply("0123456789")), {.tls = true});
    const auto without = time_of(request_with_new_handles_of_libcurl, origin, ca.c_str(), 200);
    CHECK(origin.snapshot().handshakes == 200);
    const auto with = time_of(request_with_new_handles, origin, ca.c_str(), 200);
    CHECK(origin.snapshot().handshakes == 201);
    CAPTURE(with, without);
    CHECK(20 * with <= without);
}

}  // namespace
