// Waiters: who gets a connection next, and what becomes of those who give up.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <future>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"
#include "support/threads.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

using Builder = ConnectionCache::Builder;

void one_per_host(Builder& b) {
    b.max_connections_per_host(1);
}

Script echo_target() {
    return handler([](const Recorded& request) { return reply("body of " + request.target); });
}

// A GET on a thread and a session of its own. "ok", or the name of the error.
std::future<std::string> get_later(const ConnectionCache& cache, std::string url, std::stop_token stop = {}) {
    return std::async(std::launch::async, [cache, url = std::move(url), stop] {
        try {
            Session session(cache);
            session.send(Request::get(url).timeout(20s).stop(stop)).text();
            return std::string("ok");
        } catch (const Error& e) {
            return std::string(to_string(static_cast<Errc>(e.code().value())));
        }
    });
}

bool wait_for_waiting(const Client& client, std::size_t n) {
    return eventually([&] { return client.cache.stats().waiting == n; });
}

}  // namespace

TEST_CASE("C046 a request cancelled while it waits gives its place back", "[conformance][C046]") {
    Origin origin(echo_target());
    Client client(one_per_host);
    auto holder = client.session.get(origin.url("/holder"));
    std::stop_source stop;
    auto queued = get_later(client.cache, origin.url("/queued"), stop.get_token());
    REQUIRE(wait_for_waiting(client, 1));
    stop.request_stop();
    CHECK(queued.get() == "cancelled");
    CHECK(client.cache.stats().waiting == 0);
    holder.consume();
    client.check_end(origin.url());
    CHECK(origin.accepts() == 1);
    for (const auto& request : origin.requests()) CHECK(request.target != "/queued");
}

TEST_CASE("C046 a request cancelled while it connects gives its place back", "[conformance][C046]") {
    OriginOptions held_back;
    held_back.accepting = false;
    held_back.backlog = 0;
    Origin origin(echo_target(), held_back);
    const Fd filler = connect_tcp(origin.port());  // the backlog is full: the next connect() hangs
    Client client(one_per_host);
    std::stop_source stop;
    auto connecting = get_later(client.cache, origin.url(), stop.get_token());
    REQUIRE(eventually([&] { return client.cache.stats().connecting == 1; }));
    auto behind = get_later(client.cache, origin.url("/behind"));
    REQUIRE(wait_for_waiting(client, 1));
    stop.request_stop();
    CHECK(connecting.get() == "cancelled");
    CHECK(client.cache.stats().leased == 0);
    origin.start_accepting();
    CHECK(behind.get() == "ok");  // it has been handed the slot, and hung in connect() itself until now
    client.check_end(origin.url());
    CHECK(client.cache.stats().idle == 1);
}

TEST_CASE("C047 a wait for a connection ends with the acquire timeout", "[conformance][C047]") {
    Origin origin(echo_target());
    Client client([](Builder& b) { b.max_connections_per_host(1).acquire_timeout(50ms); });
    auto holder = client.session.get(origin.url());
    Session second(client.cache);
    const auto before = Clock::now();
    const auto outcome = outcome_of([&] { second.get(origin.url("/second")); });
    const auto took = Clock::now() - before;
    CHECK(outcome.threw);
    CHECK(outcome.code == Errc::acquire_timeout);
    CHECK(outcome.phase == Phase::acquire);
    CHECK(outcome.retryable);
    CHECK(took >= 50ms);
    CHECK(took < 500ms);
    CHECK(origin.request_count() == 1);
    CHECK(origin.accepts() == 1);
    CHECK(client.cache.stats().waiting == 0);
    CHECK(client.cache.stats().acquire_timeouts == 1);
    holder.consume();
    client.check_end(origin.url());
}

TEST_CASE("C050 waiters wake when a connection is closed", "[conformance][C050]") {
    Origin origin(handler([](const Recorded&) { return reply(std::string(100'000, 'x')); }));
    Client client(one_per_host);
    auto waiting = std::future<std::string>();
    {
        auto holder = client.session.get(origin.url("/holder"));
        CHECK(read_bytes(holder, 10).size() == 10);
        waiting = get_later(client.cache, origin.url("/waiter"));
        REQUIRE(wait_for_waiting(client, 1));
    }
    REQUIRE(waiting.wait_for(5s) == std::future_status::ready);
    CHECK(waiting.get() == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(origin.peak_open() == 1);
    CHECK(client.drop_warnings() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C051 waiters are served in the order they came", "[conformance][C051]") {
    for (int round = 0; round < 20; ++round) {
        Origin origin(echo_target());
        Client client(one_per_host);
        std::vector<std::future<std::string>> waiters;
        auto holder = client.session.get(origin.url("/holder"));
        for (std::size_t i = 1; i <= 3; ++i) {
            waiters.push_back(get_later(client.cache, origin.url("/w" + std::to_string(i))));
            REQUIRE(wait_for_waiting(client, i));
        }
        holder.consume();
        client.session.get(origin.url("/newcomer")).consume();
        for (auto& waiter : waiters) CHECK(waiter.get() == "ok");
        std::vector<std::string> order;
        for (const auto& request : origin.requests()) order.push_back(request.target);
        CHECK(order == std::vector<std::string>{"/holder", "/w1", "/w2", "/w3", "/newcomer"});
        CHECK(origin.accepts() == 1);
    }
}

TEST_CASE("C052 a waiter that gives up as it is served hands its turn on", "[conformance][C052]") {
    Origin origin(echo_target());
    Client client(one_per_host);
    for (int round = 0; round < 100; ++round) {
        std::stop_source stop;
        auto holder = client.session.get(origin.url("/holder"));
        auto first = get_later(client.cache, origin.url("/1"), stop.get_token());
        REQUIRE(wait_for_waiting(client, 1));
        auto second = get_later(client.cache, origin.url("/2"));
        REQUIRE(wait_for_waiting(client, 2));
        auto third = get_later(client.cache, origin.url("/3"));
        REQUIRE(wait_for_waiting(client, 3));
        const auto errors = on_threads(2, [&](std::size_t i) {
            if (i == 0) {
                stop.request_stop();
            } else {
                holder.consume();
            }
        });
        REQUIRE(errors.empty());
        const auto result = first.get();
        CHECK((result == "ok" || result == "cancelled"));
        CHECK(second.get() == "ok");
        CHECK(third.get() == "ok");
        CHECK(client.cache.stats().waiting == 0);
    }
    client.check_end(origin.url());
    CHECK(client.cache.stats().idle == 1);
}

TEST_CASE("C052 a connection that nobody waits for any more goes idle", "[conformance][C052]") {
    Origin origin(echo_target());
    Client client([](Builder& b) { b.max_connections_per_host(1).acquire_timeout(20ms); });
    for (int round = 0; round < 50; ++round) {
        auto holder = client.session.get(origin.url("/holder"));
        auto waiter = get_later(client.cache, origin.url("/waiter"));
        std::this_thread::sleep_for(20ms);  // why: the very end of the waiter's patience
        holder.consume();
        const auto result = waiter.get();
        CHECK((result == "ok" || result == "acquire_timeout"));
        CHECK(client.at_rest());
        CHECK(client.cache.stats().idle == 1);
    }
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C058 a connection still being set up when another one is free is not lost",
          "[conformance][C058]") {
    Gate handshakes;
    OriginOptions tls;
    tls.tls = true;
    tls.handshake_first = false;
    Origin origin(
        [&](Connection& connection) {
            if (connection.index() > 1 && !connection.wait_for(handshakes, 20s)) return;
            if (connection.start_tls()) echo_target()(connection);
        },
        tls);
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    client.session.get(origin.url()).consume();
    client.cache.close_idle();
    REQUIRE(origin.wait_for_open(0));
    const auto before = open_descriptors();

    const auto second = [&](std::stop_token stop) {
        return std::async(std::launch::async, [&, stop] {
            Session session(client.cache);
            session.ca_blob(TestCa::instance().pem()).timeout(20s).stop(stop);
            return outcome_of([&] { session.get(origin.url("/second")).consume(); });
        });
    };
    std::stop_source stop;
    auto holder = client.session.get(origin.url("/first"));
    auto dialling = second(stop.get_token());
    REQUIRE(origin.wait_for_accepts(3));
    holder.consume();  // free now; the second request goes on with what it has begun

    SECTION("the request is served") {
        handshakes.open();
        CHECK_FALSE(dialling.get().threw);
        CHECK(client.at_rest());
        CHECK(client.cache.stats().idle >= 1);
    }
    SECTION("the request is cancelled and the connection would have come up later") {
        stop.request_stop();
        const auto outcome = dialling.get();
        CHECK(outcome.threw);
        CHECK(outcome.code == Errc::cancelled);
        handshakes.open();
        CHECK(client.at_rest());
        CHECK(client.cache.stats().idle == 1);
    }
    client.cache.close_idle();
    CHECK(origin.wait_for_open(0));
    CHECK(client.cache.stats().open == 0);
    CHECK(eventually([&] { return open_descriptors() <= before; }));
}

TEST_CASE("C059 an expired connection gives its slot to the request that finds it", "[conformance][C059]") {
    const bool watched = GENERATE(true, false);
    Origin origin(echo_target());
    Client client([&](Builder& b) {
        b.max_connections_per_host(1).max_connections(1).idle_timeout(1ms).acquire_timeout(2s).watch_idle(
            watched);
    });
    client.session.get(origin.url()).consume();
    std::this_thread::sleep_for(20ms);  // why: it is to expire
    CHECK(client.session.get(origin.url()).text() == "body of /");
    CHECK(origin.accepts() == 2);
    CHECK(origin.wait_for_fins(1));
    CHECK(client.cache.stats().acquire_timeouts == 0);
    client.check_end(origin.url());
}
