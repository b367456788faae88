// Shutdown: who may finish, who is refused, and that nothing stays open.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"
#include "support/threads.hpp"
#include "support/timing.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

using Builder = ConnectionCache::Builder;

std::future<Outcome> outcome_later(const ConnectionCache& cache, std::string url) {
    return std::async(std::launch::async, [cache, url = std::move(url)] {
        Session session(cache);
        session.ca_blob(TestCa::instance().pem());
        return outcome_of([&] { session.send(Request::get(url).timeout(20s)).text(); });
    });
}

std::future<void> shutdown_later(ConnectionCache cache, Duration grace) {
    return std::async(std::launch::async, [cache, grace]() mutable { cache.shutdown(grace); });
}

// Asks for a port where nobody listens, so that nothing comes of it while the cache is open.
bool refuses(const ConnectionCache& cache) {
    Session session(cache);
    return outcome_of([&] { session.get("http://127.0.0.1:1/"); }).code == Errc::cache_closed;
}

}  // namespace

TEST_CASE("C173 shutdown lets finish what has begun and refuses what comes", "[conformance][C173]") {
    Gate answer;
    Origin origin([&](Connection& connection) {
        while (connection.read_request()) {
            if (!connection.wait_for(answer, 20s)) return;
            connection.write(reply("done"));
        }
    });
    Client client([](Builder& b) { b.max_connections_per_host(1); });
    auto in_flight = outcome_later(client.cache, origin.url("/in-flight"));
    REQUIRE(origin.wait_for_requests(1));
    auto queued = outcome_later(client.cache, origin.url("/queued"));
    REQUIRE(eventually([&] { return client.cache.stats().waiting == 1; }));
    auto closing = shutdown_later(client.cache, 20s);
    REQUIRE(eventually([&] { return refuses(client.cache); }));
    CHECK(closing.wait_for(0s) == std::future_status::timeout);
    auto closing_too = shutdown_later(client.cache, 20s);
    answer.open();
    CHECK_FALSE(in_flight.get().threw);
    CHECK_FALSE(queued.get().threw);
    closing.get();
    closing_too.get();
    CHECK(client.cache.stats().open == 0);
    CHECK(origin.wait_for_fins(1));
    client.cache.shutdown(20s);  // once more: nothing to do
    CHECK(origin.request_count() == 2);
    CHECK(refuses(client.cache));
}

TEST_CASE("C173 what does not finish within the grace is cancelled", "[conformance][C173]") {
    Origin origin([](Connection& connection) {
        connection.read_request();
        connection.wait_for_stop();
    });
    Client client([](Builder& b) { b.max_connections_per_host(1); });
    auto in_flight = outcome_later(client.cache, origin.url());
    REQUIRE(origin.wait_for_requests(1));
    auto queued = outcome_later(client.cache, origin.url());
    REQUIRE(eventually([&] { return client.cache.stats().waiting == 1; }));
    const auto before = Clock::now();
    client.cache.shutdown(100ms);
    CHECK(Clock::now() - before >= 100ms);
    CHECK(Clock::now() - before < 2s);
    CHECK(in_flight.get().code == Errc::cancelled);
    CHECK(queued.get().code == Errc::cache_closed);
    CHECK(client.cache.stats().open == 0);
    CHECK(client.cache.stats().waiting == 0);
    CHECK(origin.wait_for_ends(1));
}

TEST_CASE("C173 shutdown from several threads and once more at destruction", "[conformance][C173]") {
    Origin origin(respond_with(reply("hello")));
    {
        Client client;
        client.session.get(origin.url()).consume();
        CHECK(on_threads(4, [&](std::size_t) { client.cache.shutdown(1s); }) == std::vector<std::string>{});
        CHECK(client.cache.stats().open == 0);
        CHECK(origin.wait_for_fins(1));
    }
    CHECK(origin.accepts() == 1);
}

TEST_CASE("C175 a response outlives its session and its cache", "[conformance][C175]") {
    const std::string body(96 * 1024, 'x');
    Origin origin(respond_with(reply(body)));
    std::optional<Response> response;
    {
        auto cache = ConnectionCache::builder().build();
        Session session(cache);
        session.get(origin.url()).consume();
        response = session.get(origin.url());
    }
    CHECK(origin.fins() == 0);
    CHECK(response->text() == body);
    CHECK(origin.wait_for_fins(1));  // closed: nobody could use it again
    CHECK(origin.accepts() == 1);
    CHECK(response->body_state() == BodyState::complete);
}

TEST_CASE("C176 a connection that comes back after shutdown is closed", "[conformance][C176]") {
    Origin origin(respond_with(reply(std::string(10'000, 'x'))));
    std::size_t n = 0;
    const bool in_time = ever_within(100ms, [&] {
        Client client;
        auto response = client.session.get(origin.url());
        auto closing = shutdown_later(client.cache, 20s);
        REQUIRE(eventually([&] { return refuses(client.cache); }));
        CHECK(origin.fins() == n);
        CHECK(closing.wait_for(0s) == std::future_status::timeout);
        const auto before = Clock::now();
        const auto disposition = response.consume();
        // By now, not by the time that shutdown() returns.
        const auto stats = client.cache.stats();
        CHECK(stats.open == 0);
        CHECK(stats.leased == 0);
        CHECK(stats.idle == 0);
        CHECK(stats.closed_by[CloseReason::shutdown] == 1);
        CHECK_FALSE(disposition.reused);
        CHECK(disposition.reason == CloseReason::shutdown);
        REQUIRE(origin.wait_for_fins(++n));
        const auto took = origin.ended().back().at - before;
        REQUIRE(closing.wait_for(5s) == std::future_status::ready);
        closing.get();
        const auto after = client.cache.stats();
        CHECK(after.open == 0);
        CHECK(after.idle == 0);
        CHECK(after.closed == 1);
        return took;
    });
    CHECK(in_time);
}

TEST_CASE("C176 a connection whose response is dropped after shutdown is closed", "[conformance][C176]") {
    Origin origin([](Connection& connection) {
        connection.read_request();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nbeginning");
        connection.wait_for_stop();
    });
    Client client;
    {
        auto response = client.session.get(origin.url());
        client.cache.shutdown(0s);
        CHECK(outcome_of([&] { response.text(); }).code == Errc::cancelled);
        CHECK(client.cache.stats().open == 0);
    }
    CHECK(origin.wait_for_ends(1));
    CHECK(client.cache.stats().open == 0);
}

TEST_CASE("C177 close_idle also concerns the leased connections, when they come back",
          "[conformance][C177]") {
    Origin origin(respond_with(reply("hello")));
    Client client;
    auto leased = client.session.get(origin.url());
    Session second(client.cache);
    second.get(origin.url()).consume();
    CHECK(client.cache.close_idle() == 1);
    CHECK(origin.wait_for_fins(1));
    const auto disposition = leased.consume();
    CHECK_FALSE(disposition.reused);
    CHECK(disposition.reason == CloseReason::evicted);
    CHECK(origin.wait_for_fins(2));
    CHECK(client.cache.stats().open == 0);

    client.session.get(origin.url()).consume();
    client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 3);
    CHECK(client.cache.stats().idle == 1);
    client.check_end(origin.url());
}

TEST_CASE("C179 idle TLS connections are said goodbye to, and never waited for", "[conformance][C179]") {
    // The server never reads the goodbye: nothing answers it.
    Origin origin(
        [](Connection& connection) {
            connection.read_request();
            connection.write(reply("hello"));
            connection.wait_for_stop();
        },
        tls_options());
    Client client;
    std::vector<Response> responses;
    std::vector<Session> sessions;
    for (int i = 0; i < 5; ++i) {
        sessions.emplace_back(client.cache).ca_blob(TestCa::instance().pem());
        responses.push_back(sessions.back().get(origin.url()));
    }
    for (auto& response : responses) response.consume();
    REQUIRE(client.cache.stats().idle == 5);
    const auto before = Clock::now();
    client.cache.shutdown(10s);
    CHECK(Clock::now() - before < 2s);
    CHECK(client.cache.stats().open == 0);
    CHECK(origin.wait_for_ends(5));
}

TEST_CASE("C179 a server reads close_notify when an idle connection is closed", "[conformance][C179]") {
    Origin origin(respond_with(reply("hello")), tls_options());
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    client.session.get(origin.url()).consume();
    client.cache.shutdown(1s);
    CHECK(origin.wait_until([](const Snapshot& now) { return now.close_notifies == 1; }));
    CHECK(origin.wait_for_fins(1));
}

TEST_CASE("C179 shutdown from inside a callback is refused instead of hanging", "[conformance][C179]") {
    Origin origin(respond_with(reply(std::string(300'000, 'x'))));
    Client client;
    Outcome outcome;
    bool called = false;
    client.session.progress([&](const Progress&) {
        if (!std::exchange(called, true)) outcome = outcome_of([&] { client.cache.shutdown(1s); });
    });
    client.session.get(origin.url()).text();
    CHECK(called);
    CHECK(outcome.threw);
    CHECK(outcome.code == Errc::invalid_argument);
    client.session.progress({});
    client.check_end(origin.url());
}

TEST_CASE("C180 a cache shut down during a handshake pools nothing", "[conformance][C180]") {
    Gate handshake;
    auto options = tls_options();
    options.handshake_first = false;
    Origin origin(
        [&](Connection& connection) {
            if (!connection.wait_for(handshake, 20s)) return;
            if (connection.start_tls()) respond_with(reply("hello"))(connection);
        },
        options);
    Client client;
    auto request = outcome_later(client.cache, origin.url());
    REQUIRE(origin.wait_for_accepts(1));
    SECTION("in time for its grace: the request is answered, the connection closed") {
        auto closing = shutdown_later(client.cache, 20s);
        REQUIRE(eventually([&] { return refuses(client.cache); }));
        handshake.open();
        CHECK_FALSE(request.get().threw);
        closing.get();
        CHECK(origin.wait_for_fins(1));
    }
    SECTION("without grace: the request is cancelled, the connection closed") {
        client.cache.shutdown(0s);
        handshake.open();
        const auto outcome = request.get();
        CHECK(outcome.code == Errc::cancelled);
        CHECK(origin.wait_for_open(0));
    }
    CHECK(client.cache.stats().open == 0);
    CHECK(client.cache.stats().idle == 0);
    CHECK(origin.accepts() == 1);
}

TEST_CASE("C180 a cache shut down during a TCP connect pools nothing", "[conformance][C180]") {
    OriginOptions held_back;
    held_back.accepting = false;
    held_back.backlog = 0;
    Origin origin(respond_with(reply("hello")), held_back);
    Fd filler = connect_tcp(origin.port());  // the backlog is full: the next connect() hangs
    const auto before = open_descriptors();
    {
        Client client;
        auto request = outcome_later(client.cache, origin.url());
        REQUIRE(eventually([&] { return client.cache.stats().connecting == 1; }));
        SECTION("in time for its grace: the request is answered, the connection closed") {
            auto closing = shutdown_later(client.cache, 20s);
            REQUIRE(eventually([&] { return refuses(client.cache); }));
            CHECK(client.cache.stats().connecting == 1);
            CHECK(closing.wait_for(0s) == std::future_status::timeout);
            origin.start_accepting();
            CHECK_FALSE(request.get().threw);
            closing.get();
            CHECK(origin.request_count() == 1);
            CHECK(client.cache.stats().opened == 1);
            CHECK(client.cache.stats().closed_by[CloseReason::shutdown] == 1);
        }
        SECTION("without grace: the request is cancelled, and never sent") {
            client.cache.shutdown(0s);
            CHECK(client.cache.stats().open == 0);
            const auto outcome = request.get();
            CHECK(outcome.code == Errc::cancelled);
            CHECK(outcome.phase == Phase::connect);
            origin.start_accepting();
            REQUIRE(origin.wait_for_accepts(1));
            CHECK(origin.request_count() == 0);
            CHECK(client.cache.stats().opened == 0);
        }
        CHECK(client.cache.stats().open == 0);
        CHECK(client.cache.stats().idle == 0);
        CHECK(client.cache.stats().leased == 0);
    }
    filler.reset();
    CHECK(origin.wait_for_open(0));
    CHECK(eventually([&] { return open_descriptors() < before; }));  // the filler's is gone, too
}
