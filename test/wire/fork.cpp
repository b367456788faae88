// fork(): the child leaves its parent's connections alone, and both go on.
#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/child.hpp"
#include "support/fixture.hpp"
#include "support/h2_origin.hpp"
#include "support/origin.hpp"
#include "support/threads.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

Session session_on(const ConnectionCache& cache) {
    Session session(cache);
    session.ca_blob(TestCa::instance().pem()).timeout(10s);
    return session;
}

void check_no_garbage(const Origin& origin) {
    const auto now = origin.snapshot();
    CHECK(now.errors == std::vector<std::string>{});
    CHECK(now.handshake_failures == 0);
    CHECK(now.incomplete.empty());
    for (const auto& request : now.requests) CHECK(request.method == "GET");
}

}  // namespace

TEST_CASE("parent and child go on after fork in the middle of kept TLS traffic", "[wire][fork]") {
    skip_where_a_child_has_no_threads();
    Origin origin(echo_target(), tls_options());
    auto cache = ConnectionCache::builder().build();
    auto session = session_on(cache);
    for (int i = 0; i < 3; ++i) CHECK(session.get(origin.url("/before")).text() == "body of /before");
    REQUIRE(origin.accepts() == 1);
    const int code = in_child([&] {
        if (session.get(origin.url("/child")).text() != "body of /child") return 1;
        auto again = session.get(origin.url("/child"));
        if (!again.reused() || again.text() != "body of /child") return 2;
        auto other = session_on(cache);
        if (other.get(origin.url("/child")).text() != "body of /child") return 3;
        if (cache.stats().open != 1) return 4;
        cache.shutdown(1s);
        return cache.stats().open == 0 ? 0 : 5;
    });
    CHECK(code == 0);
    auto response = session.get(origin.url("/after"));
    CHECK(response.reused());
    CHECK(response.text() == "body of /after");
    CHECK(origin.accepts() == 2);
    CHECK(origin.request_count() == 7);
    check_no_garbage(origin);
}

TEST_CASE("a child that ends at once says nothing on its parent's connections", "[wire][fork]") {
    Origin origin(echo_target(), tls_options());
    auto cache = std::make_unique<ConnectionCache>(ConnectionCache::builder().build());
    auto session = std::make_unique<Session>(session_on(*cache));
    CHECK(session->get(origin.url()).text() == "body of /");
    CHECK(in_child([&] {
              session.reset();
              cache.reset();
              return 0;
          }) == 0);
    auto response = session->get(origin.url());
    CHECK(response.reused());
    CHECK(response.text() == "body of /");
    CHECK(origin.accepts() == 1);
    CHECK(origin.snapshot().close_notifies == 0);
    CHECK(origin.fins() == 0);
    check_no_garbage(origin);
}

TEST_CASE("a half read response is the parent's alone", "[wire][fork]") {
    skip_where_a_child_has_no_threads();
    const std::string body(500'000, 'x');
    Origin origin(respond_with(reply(body)), tls_options());
    auto cache = ConnectionCache::builder().build();
    auto session = session_on(cache);
    std::optional<Response> response = session.get(origin.url());
    auto got = read_bytes(*response, 1000);
    SECTION("the child drops it") {
        CHECK(in_child([&] {
                  response.reset();
                  auto other = session_on(cache);
                  return other.get(origin.url()).text() == body ? 0 : 1;
              }) == 0);
    }
    SECTION("the child tries to read it") {
        CHECK(in_child([&] {
                  if (read_to_end(*response).outcome.code != Errc::connection_lost) return 2;
                  response.reset();
                  auto other = session_on(cache);
                  return other.get(origin.url()).text() == body ? 0 : 1;
              }) == 0);
    }
    SECTION("the child aborts it") {
        CHECK(in_child([&] {
                  response->abort();
                  return 0;
              }) == 0);
    }
    const auto rest = read_to_end(*response);
    CHECK_FALSE(rest.outcome.threw);
    CHECK((got + rest.bytes == body));
    CHECK((session.get(origin.url()).text() == body));
    CHECK(cache.stats().reused == 1);
    check_no_garbage(origin);
}

TEST_CASE("a request between two attempts holds up the shutdown of its own process only", "[wire][fork]") {
    skip_where_a_child_has_no_threads();
    Origin origin(scripts_in_turn({[](Connection& connection) {
                                       connection.read_request();
                                       connection.write("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\n0");
                                       while (connection.sleep(20ms) && connection.write("x")) {
                                       }
                                   },
                                   respond_with(reply("ok"))}));
    auto cache = ConnectionCache::builder().build();
    Session session(cache);
    pid_t child = -1;
    const RetryPolicy twice{.attempts = 2, .backoff = 1ms, .max_backoff = 1ms};
    const auto request = Request::get(origin.url()).retry(twice).progress([&](const Progress& progress) {
        if (progress.downloaded < 2 || child >= 0) return;  // later: the first answer's rest is thrown away
        child = fork_at_rest();
        if (child == 0) throw std::domain_error("the child leaves it");
    });
    std::string text;
    try {
        text = session.send(request).text();
    } catch (const std::domain_error&) {
        ::alarm(20);
        const auto start = Clock::now();
        cache.shutdown(10s);
        ::_exit(Clock::now() - start < 5s ? 0 : 1);
    }
    CHECK(exit_code_of(child) == 0);
    CHECK(text == "ok");
    CHECK(origin.request_count() == 2);
}

TEST_CASE("an HTTP/2 connection stays the parent's", "[wire][fork]") {
    skip_where_a_child_has_no_threads();
    Origin origin(h2_respond_with("hello"), h2_options());
    auto cache = ConnectionCache::builder().build();
    auto session = session_on(cache);
    CHECK(session.get(origin.url()).text() == "hello");
    CHECK(in_child([&] { return session.get(origin.url()).text() == "hello" ? 0 : 1; }) == 0);
    auto response = session.get(origin.url());
    CHECK(response.reused());
    CHECK(response.text() == "hello");
    CHECK(origin.accepts() == 2);
}

TEST_CASE("fork while other threads have requests in flight", "[wire][fork]") {
    skip_where_fork_clashes_with_threads();
    // Not over TLS: a lock of OpenSSL's that a thread holds during a fork stays locked in the child.
    Origin origin(echo_target());
    auto cache = ConnectionCache::builder().max_connections_per_host(3).build();
    std::atomic<bool> over = false;
    std::vector<int> codes;
    const auto errors = on_threads(5, [&](std::size_t thread) {
        auto session = session_on(cache);
        if (thread != 0) {
            while (!over) expect(session.get(origin.url("/a")).text() == "body of /a", "the body of /a");
            return;
        }
        for (int i = 0; i < 10; ++i) {
            codes.push_back(in_child([&] {
                auto own = session_on(cache);
                for (int k = 0; k < 3; ++k) {
                    if (own.get(origin.url("/child")).text() != "body of /child") return 1;
                }
                return 0;
            }));
        }
        over = true;
    });
    CHECK(errors == std::vector<std::string>{});
    CHECK(codes == std::vector<int>(10, 0));
    check_no_garbage(origin);
    CHECK(eventually([&] { return cache.stats().leased == 0; }));
}

TEST_CASE("a child that closed everything keeps what it opened in the place of connections opened ahead",
          "[wire][fork]") {
    Origin origin(echo_target());
    auto cache = ConnectionCache::builder().build();
    cache.prewarm(origin.url(), 3);
    REQUIRE(cache.stats().idle == 3);
    CHECK(in_child([&] {
              constexpr int highest = 400;
              for (int fd = 3; fd <= highest; ++fd) ::close(fd);
              std::vector<int> own;
              for (int fd = 0; fd < highest;) own.push_back(fd = ::open("/dev/null", O_RDONLY));
              (void)cache.stats();
              for (const int fd : own) {
                  if (::fcntl(fd, F_GETFD) < 0) return 1;
              }
              return 0;
          }) == 0);
    Session session(cache);
    CHECK(session.get(origin.url("/parent")).text() == "body of /parent");
    CHECK(origin.accepts() == 3);
}
