// Handles of the drop-in that wander between threads, over the libcurl that is there and as it asks for. What
// these tests assert is little: they are for ThreadSanitizer, which looks for what two threads share without
// a lock.
#include <catch2/catch_test_macros.hpp>

#include <curl/curl.h>

#include <cstddef>
#include <cstdio>

#include "compat/handle_traffic.h"
#include "ringlet/connection_cache.hpp"
#include "support/h2_origin.hpp"
#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

constexpr int rounds = 100;

void send_traffic(const Origin& origin) {
    CHECK(run_handle_traffic(origin.url().c_str(), rounds) == 0);
    CHECK(ConnectionCache::process_wide().stats().leased == 0);
    CHECK(origin.accepts() < 100);
}

TEST_CASE("handles wander between threads: plain", "[traffic]") {
    send_traffic(Origin(respond_with(reply("x"))));
}

TEST_CASE("handles wander between threads: TLS", "[traffic]") {
    send_traffic(Origin(respond_with(reply("x")), {.tls = true}));
}

TEST_CASE("handles wander between threads: HTTP/2", "[traffic]") {
    send_traffic(Origin(h2_respond_with("x"), h2_options()));
}

// For `./dev sanitize --curl`.
TEST_CASE("which libcurl this is", "[.libcurl]") {
    std::puts(curl_version());
}

}  // namespace
