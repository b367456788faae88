// Idle connections: when they expire, and that nobody is hurt by it.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/threads.hpp"
#include "support/timing.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

using Builder = ConnectionCache::Builder;

// How often the threads of this process have gone to sleep and woken up.
std::uint64_t wake_ups() {
    std::uint64_t sum = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream status(task.path() / "status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("voluntary_ctxt_switches:")) sum += std::stoull(line.substr(24));
        }
    }
    return sum;
}

#if defined(__SANITIZE_THREAD__)
constexpr int of_the_sanitizer = 5;  // its own thread looks around every 100 ms
#else
constexpr int of_the_sanitizer = 0;
#endif

// Four idle connections that nothing watches, in the order of their numbers; the youngest is lent first. The
// server would have some of them kept for a second only.
struct MixedIdle {
    explicit MixedIdle(std::vector<std::size_t> to_expire) : expired(std::move(to_expire)) {
        fill(client.cache, origin.url(), 4);
        REQUIRE(origin.accepts() == 4);
        REQUIRE(client.cache.stats().idle == 4);
    }
    std::vector<std::size_t> ended() const {
        std::vector<std::size_t> connections;
        for (const auto& end : origin.ended()) connections.push_back(end.connection);
        std::sort(connections.begin(), connections.end());
        return connections;
    }

    const std::vector<std::size_t> expired;
    Origin origin{[this](Connection& connection) {
        const bool hint = std::find(expired.begin(), expired.end(), connection.index()) != expired.end();
        respond_with(reply("hello", 200, hint ? "Keep-Alive: timeout=1\r\n" : ""))(connection);
    }};
    Client client{[](Builder& b) { b.idle_timeout(60s).watch_idle(false); }};
};

}  // namespace

TEST_CASE("C062 an idle connection is closed when its time is over, with no traffic", "[conformance][C062]") {
    Origin origin(respond_with(reply("hello")));
    Client client([](Builder& b) { b.idle_timeout(100ms); });
    std::size_t runs = 0;
    const bool in_time = ever_within(200ms, [&] {
        auto response = client.session.get(origin.url());
        const auto before = Clock::now();
        response.consume();
        REQUIRE(origin.wait_for_fins(++runs));
        const auto kept = origin.ended().back().at - before;
        CHECK(kept >= 100ms);
        CHECK(eventually([&] { return client.cache.stats().open == 0; }));
        CHECK(client.cache.stats().idle == 0);
        CHECK(client.cache.stats().closed_by[CloseReason::expired] == runs);
        return kept;
    });
    CHECK(in_time);

    // Nothing is idle any more: nothing wakes up. (A server that watches its sockets sleeps, too.)
    std::this_thread::sleep_for(50ms);  // why: whoever still has something to finish does
    const auto quiet = wake_ups();
    std::this_thread::sleep_for(400ms);                 // why: a periodic wake-up needs time to show
    CHECK(wake_ups() - quiet <= 4 + of_the_sanitizer);  // this thread's own among them
    client.check_end(origin.url());
}

TEST_CASE("C064 a connection in use never expires", "[conformance][C064]") {
    Origin origin([](Connection& connection) {
        while (connection.read_request()) {
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
            if (!connection.write_slowly(std::string(1000, 'x'), 100, 100ms)) return;
        }
    });
    Client client([](Builder& b) { b.idle_timeout(100ms).max_lifetime(200ms); });
    auto response = client.session.get(origin.url());
    CHECK(response.text() == std::string(1000, 'x'));
    REQUIRE(response.disposition());
    CHECK_FALSE(response.disposition()->reused);
    CHECK(response.disposition()->reason == CloseReason::lifetime);
    CHECK(origin.wait_for_fins(1));
    CHECK(client.cache.stats().idle == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C065 a connection is not used beyond its lifetime", "[conformance][C065]") {
    Origin origin(respond_with(reply("hello")));
    Client client([](Builder& b) { b.idle_timeout(60s).max_lifetime(1s); });
    const auto start = Clock::now();
    client.session.get(origin.url()).consume();
    std::this_thread::sleep_until(start + 400ms);  // why: the row's schedule
    client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 1);
    std::this_thread::sleep_until(start + 1200ms);  // why: the row's schedule
    client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 2);
    CHECK(origin.wait_for_fins(1));
    CHECK(client.cache.stats().closed_by[CloseReason::lifetime] == 1);
    client.check_end(origin.url());
}

TEST_CASE("C066 idle connections are closed one by one, each in its time", "[conformance][C066]") {
    Origin early(respond_with(reply("early")));
    Origin late(respond_with(reply("late")));
    Client client([](Builder& b) { b.idle_timeout(400ms); });
    const auto start = Clock::now();
    client.session.get(early.url()).consume();
    std::this_thread::sleep_until(start + 200ms);  // why: the second one becomes idle later
    client.session.get(late.url()).consume();
    const auto second_idle = Clock::now();
    REQUIRE(early.wait_for_fins(1));
    CHECK(Clock::now() - start >= 400ms);
    CHECK(late.fins() == 0);
    REQUIRE(late.wait_for_fins(1));
    CHECK(Clock::now() - second_idle >= 390ms);
    CHECK(Clock::now() - second_idle < 1s);
    client.check_end(late.url());
}

TEST_CASE("C066 close_idle closes those that have been idle for so long", "[conformance][C066]") {
    Origin older(respond_with(reply("older")));
    Origin newer(respond_with(reply("newer")));
    Client client;
    client.session.get(older.url()).consume();
    std::this_thread::sleep_for(300ms);  // why: it is to be older than the other
    client.session.get(newer.url()).consume();
    CHECK(client.cache.close_idle(250ms) == 1);
    CHECK(older.wait_for_fins(1));
    CHECK(newer.fins() == 0);
    CHECK(client.cache.stats().idle == 1);
    client.check_end(newer.url());
    CHECK(newer.accepts() == 1);
}

TEST_CASE("C072 a connection serves as many requests as it may", "[conformance][C072]") {
    const auto connections = [](const Origin& origin) {
        std::vector<std::size_t> ids;
        for (const auto& request : origin.requests()) ids.push_back(request.connection);
        return ids;
    };
    SECTION("in sequence") {
        Origin origin(respond_with(reply("hello")));
        Client client([](Builder& b) { b.max_requests_per_connection(2); });
        for (int i = 0; i < 4; ++i) client.session.get(origin.url()).consume();
        CHECK(connections(origin) == std::vector<std::size_t>{0, 0, 1, 1});
        CHECK(origin.wait_for_fins(2));
        CHECK(client.cache.stats().closed_by[CloseReason::requests] == 2);
        client.check_end(origin.url());
    }
    SECTION("from four threads, one connection at a time") {
        Origin origin(respond_with(reply("hello")));
        Client client([](Builder& b) { b.max_requests_per_connection(2).max_connections(1); });
        const auto errors = on_threads(4, [&](std::size_t) {
            Session session(client.cache);
            expect(session.send(Request::get(origin.url()).timeout(10s)).text() == "hello", "hello");
        });
        CHECK(errors == std::vector<std::string>{});
        CHECK(connections(origin) == std::vector<std::size_t>{0, 0, 1, 1});
        CHECK(origin.peak_open() == 1);
        client.check_end(origin.url());
    }
}

TEST_CASE("C073 requests at the very moment of expiry never fail", "[conformance][C073]") {
    const bool watched = GENERATE(true, false);
    Origin origin(respond_with(reply("hello")));
    Client client([&](Builder& b) { b.idle_timeout(3ms).watch_idle(watched); });
    client.session.replay(Replay::never);  // nothing may hide a connection closed under a request
    int failed = 0;
    for (int i = 0; i < 500; ++i) {
        const auto outcome = outcome_of([&] { client.session.get(origin.url()).consume(); });
        if (outcome.threw) {
            ++failed;
            UNSCOPED_INFO(outcome.message);
        }
        std::this_thread::sleep_for(2500us + i * 1us);  // why: 2.5 to 3 ms, around the timeout
    }
    CHECK(failed == 0);
    CHECK(client.cache.stats().replays == 0);
    CHECK(client.cache.stats().closed_by[CloseReason::expired] > 0);
    client.check_end(origin.url());
}

TEST_CASE("C074 expired connections are noticed at checkout where nothing watches", "[conformance][C074]") {
    Origin origin(respond_with(reply("hello")));
    Client client([](Builder& b) { b.idle_timeout(50ms).watch_idle(false); });
    fill(client.cache, origin.url(), 3);
    CHECK(origin.accepts() == 3);
    std::this_thread::sleep_for(100ms);  // why: they are to expire
    CHECK(origin.fins() == 0);
    client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 4);
    CHECK(origin.wait_for_fins(3));
    CHECK(client.cache.stats().idle == 1);
    CHECK(client.cache.stats().closed_by[CloseReason::expired] == 3);
    CHECK(client.cache.stats().replays == 0);
    client.check_end(origin.url());
}

TEST_CASE("C074 expired connections are discarded at checkout, whatever time each one had",
          "[conformance][C074]") {
    std::vector<std::unique_ptr<MixedIdle>> all;
    for (const auto& expired :
         std::vector<std::vector<std::size_t>>{{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}, {0, 1, 2, 3}})
        all.push_back(std::make_unique<MixedIdle>(expired));
    std::this_thread::sleep_for(1050ms);  // why: those with a hint are to expire
    for (auto& one : all) {
        const auto& expired = one->expired;
        CAPTURE(expired);
        Client& client = one->client;
        CHECK(one->origin.fins() == 0);
        client.session.get(one->origin.url()).consume();
        REQUIRE(one->origin.wait_for_fins(expired.size()));
        CHECK(one->ended() == expired);
        const bool none_left = expired.size() == 4;
        CHECK(one->origin.accepts() == (none_left ? 5 : 4));
        CHECK(client.cache.stats().idle == (none_left ? 1 : 4 - expired.size()));
        CHECK(client.cache.stats().closed_by[CloseReason::expired] == expired.size());
        CHECK(client.cache.stats().replays == 0);
        client.check_end(one->origin.url());
    }
}
