// Limits: how many connections may be open, leased and idle, and who is closed to make room.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <thread>
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

// An origin that is reached by every 127.x address: as many origins as wanted, in one server's count.
OriginOptions on_all_addresses() {
    OriginOptions options;
    options.address = "0.0.0.0";
    return options;
}

void get(Session& session, const std::string& url) {
    session.send(Request::get(url).timeout(10s)).consume();
}

// Requests that are all unanswered bodies at the same time, then all read.
void hold_together(ConnectionCache& cache, const std::vector<std::string>& urls) {
    std::vector<Session> sessions;
    std::vector<Response> responses;
    for (const auto& url : urls) responses.push_back(sessions.emplace_back(cache).get(url));
    for (auto& response : responses) response.consume();
}

// How often this thread has gone to sleep: not how often another one took its place.
long times_asleep() {
    rusage usage{};
    REQUIRE(::getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_nvcsw;
}

std::vector<std::string> idle_origins(const ConnectionCache& cache) {
    std::vector<std::string> names;
    for (const auto& connection : cache.connections()) {
        if (connection.state == ConnectionState::idle) names.push_back(connection.origin);
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

TEST_CASE("C044 one connection serves ten threads in turn", "[conformance][C044]") {
    Origin origin(echo_target());
    Client client([](Builder& b) { b.max_connections_per_host(1); });
    const auto errors = on_threads(10, [&](std::size_t i) {
        Session session(client.cache);
        const auto path = "/" + std::to_string(i);
        auto response = session.send(Request::get(origin.url(path)).timeout(10s));
        expect(response.status() == 200, "status 200");
        expect(response.text() == "body of " + path, "the body of " + path);
    });
    CHECK(errors == std::vector<std::string>{});
    CHECK(origin.accepts() == 1);
    CHECK(origin.request_count() == 10);

    origin.close_all();
    get(client.session, origin.url());
    CHECK(origin.accepts() == 2);
    client.check_end(origin.url());
}

TEST_CASE("C048 an acquire timeout of zero means now, never forever", "[conformance][C048]") {
    Origin origin(echo_target());
    Client client([](Builder& b) { b.max_connections_per_host(1).acquire_timeout(0s); });
    get(client.session, origin.url());
    CHECK_NOTHROW(get(client.session, origin.url()));

    auto holder = client.session.get(origin.url());
    Session second(client.cache);
    // At once: without having slept, in one of several attempts (a mutex may be taken), and so never for
    // long.
    std::uint64_t attempts = 0;
    bool without_sleep = false;
    const bool in_time = ever_within(10ms, [&] {
        const auto asleep = times_asleep();
        const auto before = Clock::now();
        const auto outcome = outcome_of([&] { second.get(origin.url()); });
        const auto took = Clock::now() - before;
        ++attempts;
        without_sleep = without_sleep || times_asleep() == asleep;
        CHECK(outcome.threw);
        CHECK(outcome.code == Errc::acquire_timeout);
        CHECK(outcome.phase == Phase::acquire);
        return without_sleep ? took : Clock::duration::max();
    });
    CHECK(in_time);
    CHECK(without_sleep);
    CHECK(origin.request_count() == 3);
    CHECK(client.cache.stats().acquire_timeouts == attempts);
    CHECK(client.cache.stats().waiting == 0);
    holder.consume();
    client.check_end(origin.url());
    CHECK(origin.accepts() == 1);
}

TEST_CASE("C054 at the total limit the oldest idle connection makes room", "[conformance][C054]") {
    Origin origin(echo_target(), on_all_addresses());
    Client client([](Builder& b) { b.max_connections(2); });
    const auto a = origin.url_for("127.0.0.1", "/a");
    const auto b = origin.url_for("127.0.0.2", "/b");

    hold_together(client.cache, {a, a});
    REQUIRE(origin.accepts() == 2);
    get(client.session, b);
    CHECK(origin.wait_for_fins(1));
    CHECK(origin.accepts() == 3);
    get(client.session, a);  // the second connection to a is still there
    CHECK(origin.accepts() == 3);
    // Both of a's connections would be needed now: b's idle one goes.
    hold_together(client.cache, {a, a});
    CHECK(origin.accepts() == 4);
    // ... and back, until a's bucket is empty.
    hold_together(client.cache, {b, b});
    CHECK(origin.accepts() == 6);
    CHECK(idle_origins(client.cache).size() == 2);
    CHECK(origin.peak_open() <= 2);
    CHECK(client.cache.stats().closed_by[CloseReason::over_limit] == 4);
    client.check_end(a);
    CHECK(origin.peak_open() <= 2);
}

TEST_CASE("C054 which connection makes room: the least recently used one", "[conformance][C054]") {
    Origin origin(echo_target(), on_all_addresses());
    Client client([](Builder& b) { b.max_connections(2); });
    const auto a = origin.url_for("127.0.0.1", "/a");
    const auto b = origin.url_for("127.0.0.2", "/b");
    const std::size_t first_back = GENERATE(0, 1);
    CAPTURE(first_back);
    {
        Session sessions[] = {Session(client.cache), Session(client.cache)};
        std::vector<Response> responses;
        for (auto& session : sessions) responses.push_back(session.get(a));
        REQUIRE(origin.accepts() == 2);
        responses[first_back].consume();
        responses[1 - first_back].consume();
    }
    get(client.session, b);
    REQUIRE(origin.wait_for_ends(1));
    CHECK(origin.ended().at(0).connection == first_back);
    CHECK(origin.ended().at(0).how == PeerEnd::fin);
    // The other one of a is used now, and b's is the oldest.
    get(client.session, a);
    CHECK(origin.requests().at(3).connection == 1 - first_back);
    get(client.session, origin.url_for("127.0.0.3"));
    REQUIRE(origin.wait_for_ends(2));
    CHECK(origin.ended().at(1).connection == 2);
    CHECK(origin.peak_open() == 2);
    CHECK(client.cache.stats().closed_by[CloseReason::over_limit] == 2);
    client.check_end(a);
    CHECK(origin.accepts() == 4);
}

TEST_CASE("C054 a waiter of another origin is not starved behind idle connections", "[conformance][C054]") {
    Origin origin(echo_target(), on_all_addresses());
    Client client([](Builder& b) { b.max_connections(2); });
    const auto a = origin.url_for("127.0.0.1", "/a");
    const auto b = origin.url_for("127.0.0.2", "/b");
    Session first(client.cache);
    Session second(client.cache);
    auto one = first.get(a);
    auto two = second.get(a);
    auto waiting = std::async(std::launch::async, [&] {
        Session session(client.cache);
        return session.send(Request::get(b).timeout(10s)).text();
    });
    REQUIRE(eventually([&] { return client.cache.stats().waiting == 1; }));
    one.consume();
    CHECK(waiting.get() == "body of /b");
    REQUIRE(origin.wait_for_fins(1));
    CHECK(origin.ended().at(0).connection == 0);  // the one that came back
    two.consume();
    CHECK(origin.accepts() == 3);
    CHECK(origin.peak_open() <= 2);
    client.check_end(b);
}

TEST_CASE("C055 idle connections beyond the limit of their host are closed", "[conformance][C055]") {
    Origin origin(echo_target());
    Client client([](Builder& b) { b.max_idle_per_host(2); });
    hold_together(client.cache, {origin.url("/1"), origin.url("/2"), origin.url("/3")});
    CHECK(origin.accepts() == 3);
    CHECK(origin.wait_for_fins(1));
    CHECK(client.cache.stats().idle == 2);
    hold_together(client.cache, {origin.url("/4"), origin.url("/5")});
    CHECK(origin.accepts() == 3);
    CHECK(origin.fins() == 1);
    CHECK(client.cache.stats().closed_by[CloseReason::over_limit] == 1);
    client.check_end(origin.url());
}

TEST_CASE("C056 the least recently used connection goes when the cache is full", "[conformance][C056]") {
    Origin origin(echo_target(), on_all_addresses());
    Client client([](Builder& b) { b.max_idle(4); });
    const auto name = [&](int host) {
        return "http://127.0.0." + std::to_string(host) + ":" + std::to_string(origin.port());
    };
    for (int host = 1; host <= 4; ++host) get(client.session, name(host) + "/");
    CHECK(client.cache.stats().idle == 4);
    CHECK(origin.fins() == 0);
    get(client.session, name(5) + "/");
    CHECK(origin.wait_for_fins(1));
    CHECK(idle_origins(client.cache) == std::vector<std::string>{name(2), name(3), name(4), name(5)});
    get(client.session, name(2) + "/");  // used again: 3 is the oldest now
    get(client.session, name(6) + "/");
    CHECK(origin.wait_for_fins(2));
    CHECK(idle_origins(client.cache) == std::vector<std::string>{name(2), name(4), name(5), name(6)});
    CHECK(origin.accepts() == 6);
    client.check_end(name(2) + "/");
}

TEST_CASE("C060 a redirect under a limit of one connection does not wait for itself", "[conformance][C060]") {
    Origin origin(handler([](const Recorded& request) {
        if (request.target == "/from") return reply("moved", 302, "Location: /to\r\n");
        return reply("arrived");
    }));
    Client client([](Builder& b) { b.max_connections_per_host(1).max_connections(1).acquire_timeout(2s); });
    auto response = client.session.get(origin.url("/from"));
    CHECK(response.text() == "arrived");
    CHECK(response.url() == origin.url("/to"));
    CHECK(origin.accepts() == 1);
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C060 a retry under a limit of one connection does not wait for itself", "[conformance][C060]") {
    Origin origin(respond_in_turn({reply("busy", 503), reply("busy", 503), reply("at last")}));
    Client client([](Builder& b) { b.max_connections_per_host(1).max_connections(1).acquire_timeout(2s); });
    client.session.retry({.attempts = 3, .backoff = 1ms});
    CHECK(client.session.get(origin.url()).text() == "at last");
    CHECK(origin.accepts() == 1);
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C060 three hundred mixed requests give each slot back exactly once", "[conformance][C060]") {
    Origin origin([](Connection& connection) {
        while (auto request = connection.read_request()) {
            if (request->target == "/cut") {
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
                return connection.close();
            }
            if (request->target == "/reset") return connection.reset();
            if (request->target == "/moved") {
                connection.write(reply("", 302, "Location: /ok\r\n"));
            } else if (request->target == "/close") {
                connection.write(reply("bye", 200, "Connection: close\r\n"));
                return connection.close();
            } else {
                connection.write(reply("fine"));
            }
        }
    });
    Client client([](Builder& b) { b.max_connections_per_host(1); });
    const std::vector<std::string> paths = {"/ok", "/cut", "/moved", "/reset", "/close", "/drop"};
    std::atomic<int> failed = 0;
    const auto errors = on_threads(6, [&](std::size_t thread) {
        Session session(client.cache);
        for (std::size_t i = 0; i < 50; ++i) {
            const auto& path = paths[(i + thread) % paths.size()];
            try {
                auto response = session.send(Request::get(origin.url(path)).timeout(20s));
                if (path != "/drop") response.text();
            } catch (const Error& e) {
                ++failed;
                expect(path == "/cut" || path == "/reset", path + " succeeds, but: " + e.what());
            }
        }
    });
    CHECK(errors == std::vector<std::string>{});
    CHECK(failed > 0);
    CHECK(origin.peak_open() <= 1);
    CHECK(client.at_rest());
    CHECK(client.cache.stats().open <= 1);
    client.check_end(origin.url("/ok"));
}
