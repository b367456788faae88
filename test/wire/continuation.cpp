// Requests between two leases while the cache is being shut down.
#include <catch2/catch_test_macros.hpp>
#include <ringlet/ringlet.hpp>

#include <thread>

#include "support/fixture.hpp"
#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::Connection;
using test::Gate;
using test::Origin;
using test::reply;

/// Answers the first request when the gate opens, and each later one at once.
test::Script first_waits_for(Gate& gate, std::string first) {
    return [&gate, first = std::move(first)](Connection& connection) {
        while (const auto request = connection.read_request()) {
            if (request->target == "/first") {
                if (!connection.wait_for(gate)) return;
                connection.write(first);
            } else {
                connection.write(reply("done"));
            }
        }
    };
}

/// Waits until the cache refuses new requests.
void wait_until_closed(const ConnectionCache& cache, const std::string& url) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    std::error_code ec;
    while (ec != Errc::cache_closed && std::chrono::steady_clock::now() < deadline) {
        Session session(cache);
        session.get(url, ec).abort();
        std::this_thread::yield();
    }
    REQUIRE(ec == Errc::cache_closed);
}

TEST_CASE("a redirect is followed within the grace of a shutdown", "[wire][shutdown]") {
    Gate gate;
    Origin origin(
        first_waits_for(gate, "HTTP/1.1 302 Found\r\nLocation: /second\r\nContent-Length: 0\r\n\r\n"));
    ConnectionCache cache;
    std::string text;
    std::thread requester([&] {
        Session session(cache);
        text = session.get(origin.url("/first")).text();
    });
    REQUIRE(origin.wait_for_requests(1));
    std::thread closer([&] { cache.shutdown(10s); });
    wait_until_closed(cache, origin.url("/other"));
    gate.open();
    requester.join();
    closer.join();
    CHECK(text == "done");
    CHECK(cache.stats().open == 0);
}

TEST_CASE("a retry that waits ends with cache_closed when the grace is over", "[wire][shutdown]") {
    Origin origin(test::respond_with(reply("later", 503, "Retry-After: 10\r\n")));
    ConnectionCache cache;
    std::error_code ec;
    std::chrono::steady_clock::time_point ended;
    std::thread requester([&] {
        Session session(cache);
        session.retry({.attempts = 3, .max_backoff = 10s});
        session.get(origin.url("/x"), ec).abort();
        ended = std::chrono::steady_clock::now();
    });
    // The first answer is read and its connection back: the retry waits.
    REQUIRE(test::eventually([&] { return cache.stats().idle == 1; }));
    const auto began = std::chrono::steady_clock::now();
    cache.shutdown(0s);
    requester.join();
    CHECK(ec == Errc::cache_closed);
    CHECK(ended - began < 5s);
    CHECK(origin.request_count() == 1);
}

}  // namespace
