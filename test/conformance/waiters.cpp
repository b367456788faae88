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
#include "support/timing.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

using Builder = ConnectionCache::Builder;

void one_per_host(Builder& b) {
    b.max_connections_per_host(1);
}

// A GET on a thread and a session of its own. "ok", or the name of the error.
std::future<std::string> get_later(const ConnectionCache& cache, std::string url, std::stop_token stop = {},
                                   Duration timeout = 20s) {
    return std::async(std::launch::async, [cache, url = std::move(url), stop, timeout] {
        try {
            Session session(cache);
            session.send(Request::get(url).timeout(timeout).stop(stop)).text();
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
    std::uint64_t waits = 0;
    const bool in_time = ever_within(250ms, [&] {
        const auto before = Clock::now();
        const auto outcome = outcome_of([&] { second.get(origin.url("/second")); });
        const auto took = Clock::now() - before;
        ++waits;
        CHECK(outcome.threw);
        CHECK(outcome.code == Errc::acquire_timeout);
        CHECK(outcome.phase == Phase::acquire);
        CHECK(outcome.retryable);
        CHECK(took >= 50ms);
        return took;
    });
    CHECK(in_time);
    CHECK(origin.request_count() == 1);
    CHECK(origin.accepts() == 1);
    CHECK(client.cache.stats().waiting == 0);
    CHECK(client.cache.stats().acquire_timeouts == waits);
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

TEST_CASE("C052 a waiter that is stopped as it is served hands its turn on", "[conformance][C052]") {
    Origin origin(echo_target());
    Client client(one_per_host);
    MeetingPoint stopping(0us, 20us);  // after the connection comes back; negative: before
    for (int round = 0; round < 100 || (!stopping.met() && round < 2000); ++round) {
        std::stop_source stop;
        auto holder = client.session.get(origin.url("/holder"));
        auto first = get_later(client.cache, origin.url("/1"), stop.get_token());
        REQUIRE(wait_for_waiting(client, 1));
        auto second = get_later(client.cache, origin.url("/2"));
        REQUIRE(wait_for_waiting(client, 2));
        auto third = get_later(client.cache, origin.url("/3"));
        REQUIRE(wait_for_waiting(client, 3));
        const auto errors = on_threads(2, [&](std::size_t i) {
            const auto moment =
                Clock::now() +
                std::max<Clock::duration>(i == 0 ? stopping.at() : -stopping.at(), Clock::duration{});
            while (Clock::now() < moment) {
            }
            if (i == 0) {
                stop.request_stop();
            } else {
                holder.consume();
            }
        });
        REQUIRE(errors.empty());
        const auto result = first.get();
        if (result == "cancelled") {
            stopping.came_first();
        } else {
            CHECK(result == "ok");
            stopping.came_second();
        }
        CHECK(second.get() == "ok");
        CHECK(third.get() == "ok");
        CHECK(client.cache.stats().waiting == 0);
    }
    CHECK(stopping.met());
    client.check_end(origin.url());
    CHECK(client.cache.stats().idle == 1);
}

TEST_CASE("C052 a waiter whose time is over as it is served hands its turn on", "[conformance][C052]") {
    Origin origin(echo_target());
    Client client(one_per_host);
    MeetingPoint coming_back(50ms, 100us);  // after the first waiter has begun to wait
    for (int round = 0; round < 20 || (!coming_back.met() && round < 400); ++round) {
        auto holder = client.session.get(origin.url("/holder"));
        auto first = get_later(client.cache, origin.url("/1"), {}, 50ms);
        const auto in_line = [&](std::size_t n) {
            return eventually([&] {
                return client.cache.stats().waiting == n || first.wait_for(0s) == std::future_status::ready;
            });
        };
        REQUIRE(in_line(1));
        const auto moment = Clock::now() + coming_back.at();
        auto second = get_later(client.cache, origin.url("/2"));
        REQUIRE(in_line(2));
        auto third = get_later(client.cache, origin.url("/3"));
        REQUIRE(in_line(3));
        std::this_thread::sleep_until(moment);  // why: the very end of the first one's patience
        holder.consume();
        const auto result = first.get();
        if (result == "timeout") {
            coming_back.came_second();
        } else {
            CHECK(result == "ok");
            coming_back.came_first();
        }
        CHECK(second.get() == "ok");
        CHECK(third.get() == "ok");
        CHECK(client.cache.stats().waiting == 0);
    }
    CHECK(coming_back.met());
    client.check_end(origin.url());
    CHECK(client.cache.stats().idle == 1);
}

TEST_CASE("C052 a connection that nobody waits for any more goes idle", "[conformance][C052]") {
    Origin origin(echo_target());
    Client client([](Builder& b) { b.max_connections_per_host(1).acquire_timeout(20ms); });
    MeetingPoint coming_back(20ms, 100us);  // after the waiter has begun to wait
    for (int round = 0; round < 50 || (!coming_back.met() && round < 1000); ++round) {
        auto holder = client.session.get(origin.url("/holder"));
        const auto before = Clock::now();
        auto waiter = get_later(client.cache, origin.url("/waiter"));
        std::this_thread::sleep_until(before + coming_back.at());  // why: the end of its patience
        holder.consume();
        const auto result = waiter.get();
        if (result == "acquire_timeout") {
            coming_back.came_second();
        } else {
            CHECK(result == "ok");
            coming_back.came_first();
        }
        CHECK(client.at_rest());
        CHECK(client.cache.stats().idle == 1);
    }
    CHECK(coming_back.met());
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C058 a connection still being opened when another one is free is not lost",
          "[conformance][C058]") {
    OriginOptions options;
    options.backlog = 0;
    Origin origin(echo_target(), options);
    Client client;
    client.session.get(origin.url()).consume();
    client.cache.close_idle();
    REQUIRE(origin.wait_for_open(0));
    const auto before = open_descriptors();

    std::stop_source stop;
    auto holder = client.session.get(origin.url("/first"));
    origin.stop_accepting();
    Fd filler = connect_tcp(origin.port());  // the backlog is full: the next connect() hangs
    auto dialling = get_later(client.cache, origin.url("/second"), stop.get_token());
    REQUIRE(eventually([&] { return client.cache.stats().connecting == 1; }));
    holder.consume();  // free now; the second request goes on with what it has begun
    CHECK(client.cache.stats().idle == 1);
    CHECK(client.cache.stats().connecting == 1);
    CHECK(origin.request_count() == 2);

    SECTION("the request is served") {
        origin.start_accepting();
        CHECK(dialling.get() == "ok");
        CHECK(client.at_rest());
        CHECK(client.cache.stats().idle == 2);
        CHECK(origin.accepts() == 4);  // the filler among them
        CHECK(origin.requests().at(2).connection == 3);
    }
    SECTION("the request is cancelled and the connection would have come up later") {
        stop.request_stop();
        CHECK(dialling.get() == "cancelled");
        CHECK(client.cache.stats().open == 1);
        origin.start_accepting();
        REQUIRE(origin.wait_for_accepts(3));
        CHECK(client.at_rest());
        CHECK(client.cache.stats().idle == 1);
        CHECK(client.session.get(origin.url("/first")).text() ==
              "body of /first");  // on the one that is left
        CHECK(origin.requests().at(2).connection == 1);
    }
    filler.reset();
    client.cache.close_idle();
    CHECK(origin.wait_for_open(0));
    CHECK(client.cache.stats().open == 0);
    CHECK(eventually([&] { return open_descriptors() <= before; }));
    client.check_end(origin.url());
}

TEST_CASE("C058 a connection still in its TLS handshake when another one is free is not lost",
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
        CHECK(client.cache.stats().idle == 2);
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
