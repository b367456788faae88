// Connections that go from thread to thread. What these tests assert is little: they are for ThreadSanitizer
// and helgrind, which look for what two threads share without a lock.
#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/h2_origin.hpp"
#include "support/origin.hpp"
#include "support/threads.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

constexpr std::size_t threads = 4;
constexpr int requests_each = 12;

/// More threads than connections: whoever waits gets one that another thread gives back. Every fifth response
/// is dropped half read, so that connections are opened meanwhile, too.
void pass_around(const Origin& origin, HttpVersion version) {
    auto cache = ConnectionCache::builder().max_connections_per_host(2).max_idle(2).build();
    const auto errors = on_threads(threads, [&](std::size_t thread) {
        Session session(cache);
        session.ca_blob(TestCa::instance().pem()).http_version(version).timeout(60s);
        for (int i = 0; i < requests_each; ++i) {
            auto response = session.get(origin.url("/" + std::to_string(thread)));
            if (i % 5 == 4) {
                std::array<std::byte, 3> some;
                response.read(some);
                continue;
            }
            expect(response.text() == "some bytes", "the body");
        }
    });
    CHECK(errors == std::vector<std::string>{});
    CHECK(origin.peak_open() <= 2);
    CHECK(eventually([&] { return cache.stats().leased == 0; }));
    CHECK(cache.stats().reused > 0);
}

}  // namespace

TEST_CASE("connections go from thread to thread: plain", "[wire][lanes-move]") {
    Origin origin(respond_with(reply("some bytes")));
    pass_around(origin, HttpVersion::http_1_1);
}

TEST_CASE("connections go from thread to thread: TLS", "[wire][lanes-move]") {
    Origin origin(respond_with(reply("some bytes")), tls_options());
    pass_around(origin, HttpVersion::http_1_1);
}

TEST_CASE("connections go from thread to thread: HTTP/2", "[wire][lanes-move]") {
    Origin origin(h2_respond_with("some bytes"), h2_options());
    pass_around(origin, HttpVersion::http_2);
}

TEST_CASE("connections go from thread to thread: raw transfers", "[wire][lanes-move]") {
    Origin origin(respond_with(reply("some bytes")), tls_options());
    auto cache = ConnectionCache::builder().max_connections_per_host(2).build();
    const auto errors = on_threads(threads, [&](std::size_t thread) {
        Session session(cache);
        session.ca_blob(TestCa::instance().pem());
        std::string body;
        session.setopt(CURLOPT_URL, origin.url("/" + std::to_string(thread)));
        session.setopt(CURLOPT_WRITEFUNCTION, [&body](char* data, std::size_t size, std::size_t n) {
            body.append(data, size * n);
            return size * n;
        });
        for (int i = 0; i < requests_each; ++i) {
            body.clear();
            session.perform();
            expect(body == "some bytes", "the body");
        }
    });
    CHECK(errors == std::vector<std::string>{});
    CHECK(eventually([&] { return cache.stats().leased == 0; }));
}

TEST_CASE("the watching thread closes connections while others use the cache", "[wire][lanes-move]") {
    Origin origin(respond_with(reply("some bytes")), tls_options());
    auto cache = ConnectionCache::builder().idle_timeout(5ms).max_connections_per_host(3).build();
    const auto errors = on_threads(threads, [&](std::size_t) {
        Session session(cache);
        session.ca_blob(TestCa::instance().pem());
        for (int i = 0; i < requests_each; ++i) {
            expect(session.get(origin.url()).text() == "some bytes", "the body");
            const auto before = cache.stats();
            expect(before.open <= 3, "at most three connections");
            std::this_thread::sleep_for(4ms * (i % 3));  // why: some expire, some do not
        }
    });
    CHECK(errors == std::vector<std::string>{});
    CHECK(eventually([&] { return cache.stats().open == 0; }));
    CHECK(cache.stats().closed_by[CloseReason::expired] > 0);
}
