// Concurrency: many threads on one cache, with servers and callers that misbehave.
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <random>
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

const std::vector<std::string> no_errors;

OriginOptions unrecorded() {
    OriginOptions options;
    options.record_requests = false;
    return options;
}

}  // namespace

TEST_CASE("C155 ten threads share at most five connections", "[conformance][C155]") {
    Origin origin(handler([](const Recorded& request) {
        std::minstd_rand random(static_cast<unsigned>(std::hash<std::string>{}(request.target)));
        std::string body(2000, '\0');
        for (auto& c : body) c = static_cast<char>(random());
        return reply(body);
    }));
    Client client([](Builder& b) { b.max_connections_per_host(5); });
    const auto errors = on_threads(10, [&](std::size_t thread) {
        Session session(client.cache);
        for (int i = 0; i < 10; ++i) {
            const auto path = "/" + std::to_string(thread) + "/" + std::to_string(i);
            const auto body = session.send(Request::get(origin.url(path)).timeout(20s)).text();
            std::minstd_rand random(static_cast<unsigned>(std::hash<std::string>{}(path)));
            expect(body.size() == 2000, "2000 bytes");
            for (const char c : body) expect(c == static_cast<char>(random()), "the body of " + path);
        }
    });
    CHECK(errors == no_errors);
    CHECK(origin.accepts() <= 5);
    CHECK(client.at_rest());
    const auto stats = client.cache.stats();
    CHECK(stats.idle > 0);
    CHECK(stats.idle <= 5);
    CHECK(stats.reused + stats.opened == 100);
    client.check_end(origin.url());
}

TEST_CASE("C157 a server that hangs up after each answer hangs nobody", "[conformance][C157]") {
    Origin origin(respond_and_close(reply("once")), unrecorded());
    Client client;
    client.session.get(origin.url()).consume();
    client.cache.close_idle();
    REQUIRE(origin.wait_for_open(0));
    const auto before = open_descriptors();
    std::atomic<int> good = 0;
    std::atomic<int> returned = 0;
    const auto errors = on_threads(20, [&](std::size_t) {
        Session session(client.cache);
        for (int i = 0; i < 25; ++i) {
            const auto outcome = outcome_of([&] {
                expect(session.send(Request::get(origin.url()).timeout(30s)).text() == "once", "the body");
            });
            expect(outcome.code != Errc::timeout, "an answer in time");
            ++returned;
            if (!outcome.threw) ++good;
        }
    });
    CHECK(errors == no_errors);
    CHECK(returned == 500);
    CHECK(good == 500);  // a GET survives one hang-up by a replay, on a connection that is fresh
    CHECK(client.at_rest());
    client.cache.close_idle();
    CHECK(origin.wait_for_open(0));
    CHECK(eventually([&] { return open_descriptors() <= before; }));
    client.check_end(origin.url());
}

TEST_CASE("C158 evicting idle connections never hurts a request", "[conformance][C158]") {
    Origin origin(respond_with(reply("hello")), unrecorded());
    Client client;
    client.session.replay(Replay::never);
    std::jthread evictor([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            client.cache.close_idle(Duration{});
            std::this_thread::sleep_for(5ms);  // why: the evictor's rhythm
        }
    });
    const auto errors = on_threads(5, [&](std::size_t) {
        Session session(client.cache);
        session.replay(Replay::never);
        for (int i = 0; i < 200; ++i) {
            expect(session.send(Request::get(origin.url()).timeout(20s)).text() == "hello", "hello");
            std::this_thread::sleep_for(1ms);  // why: connections have to be idle now and then
        }
    });
    evictor.request_stop();
    evictor.join();
    CHECK(errors == no_errors);
    CHECK(origin.request_count() == 1000);
    CHECK(client.cache.stats().closed_by[CloseReason::evicted] > 0);
    client.check_end(origin.url());
}

TEST_CASE("C159 answers never get mixed up", "[conformance][C159]") {
    Origin origin(
        [](Connection& connection) {
            std::minstd_rand random(static_cast<unsigned>(connection.index()) + 1);
            while (auto request = connection.read_request()) {
                connection.sleep(std::chrono::microseconds(random() % 3000));
                const auto body = request->target + std::string(random() % 20'000, 'x') + request->target;
                if (!connection.write(random() % 2 == 0 ? reply(body) : chunked_reply({body}))) return;
            }
        },
        unrecorded());
    Client client([](Builder& b) { b.max_connections_per_host(12); });
    std::atomic<int> completed = 0;
    const auto errors = on_threads(32, [&](std::size_t thread) {
        Session session(client.cache);
        std::minstd_rand random(static_cast<unsigned>(thread) + 1);
        for (int i = 0; i < 16; ++i) {
            const auto id = "/" + std::to_string(thread) + "-" + std::to_string(i);
            auto response = session.send(Request::get(origin.url(id)).timeout(30s));
            if (random() % 5 == 0) {
                std::vector<std::byte> some(5);
                response.read(some);
                continue;  // dropped with the rest unread
            }
            const auto body = response.text();
            expect(body.starts_with(id) && body.ends_with(id), "the body of " + id);
            ++completed;
        }
    });
    CHECK(errors == no_errors);
    CHECK(completed > 300);
    CHECK(origin.peak_open() <= 12);
    client.check_end(origin.url());
}

TEST_CASE("C161 five thousand dropped answers leave nothing behind", "[conformance][C161]") {
    const std::string body(512 * 1024, 'x');
    Origin origin(respond_with(reply(body)), unrecorded());
    Client client;
    client.log.logger()->set_level(spdlog::level::warn);  // the capture has no room for all debug lines
    const auto drop = [&](std::size_t n) {
        return on_threads(4, [&](std::size_t) {
            for (std::size_t i = 0; i < n / 4 / 12; ++i) {
                std::vector<Session> sessions;
                std::vector<Response> responses;
                for (int k = 0; k < 12; ++k) {
                    responses.push_back(
                        sessions.emplace_back(client.cache).send(Request::get(origin.url()).timeout(60s)));
                }
            }
        });
    };
    CHECK(drop(480) == no_errors);
    REQUIRE(origin.wait_for_open(0, 20s));
    const auto descriptors = open_descriptors();
    const auto memory = resident_bytes();
    CHECK(drop(4512) == no_errors);
    REQUIRE(origin.wait_for_open(0, 20s));
    CHECK(client.cache.stats().open == 0);
    CHECK(client.cache.stats().dropped_unread == 4992);
    // The server closes its own ends in its own time, and this process holds both.
    CHECK(eventually([&] { return open_descriptors() <= descriptors; }));
    CHECK(resident_bytes() < memory + (64u << 20u));
    // At most ten a second in full, whatever the number of drops; the last held back are told with the
    // cache's end.
    CHECK(client.drop_warnings() < 1000);
    client.cache.shutdown(1s);
    auto told = client.drop_warnings();
    for (const auto& line : client.log.warnings()) {
        if (line.find(" more responses dropped from ") != std::string::npos) told += std::stoul(line);
    }
    CHECK(told == 4992);
}

TEST_CASE("C162 connections that are being closed count until they are closed", "[conformance][C162]") {
    Origin origin(respond_with(reply("hello")), unrecorded());
    Client client([](Builder& b) { b.max_idle(0).max_connections(5); });
    const auto before = open_descriptors();
    const auto errors = on_threads(10, [&](std::size_t) {
        Session session(client.cache);
        for (int i = 0; i < 50; ++i) {
            expect(session.send(Request::get(origin.url()).timeout(30s)).text() == "hello", "hello");
        }
    });
    CHECK(errors == no_errors);
    CHECK(origin.accepts() == 500);
    CHECK(origin.peak_open() <= 5);
    CHECK(origin.wait_for_open(0));
    CHECK(client.cache.stats().open == 0);
    CHECK(eventually([&] { return open_descriptors() <= before; }));
    client.check_end(origin.url());
}

TEST_CASE("C162 two thousand requests of fifty threads all succeed on five connections",
          "[conformance][C162]") {
    Origin origin(respond_with(reply("hello")), unrecorded());
    Client client([](Builder& b) { b.max_connections(5); });
    const auto errors = on_threads(50, [&](std::size_t) {
        Session session(client.cache);
        for (int i = 0; i < 40; ++i) {
            expect(session.send(Request::get(origin.url()).timeout(60s)).text() == "hello", "hello");
        }
    });
    CHECK(errors == no_errors);
    CHECK(origin.request_count() == 2000);
    CHECK(origin.accepts() <= 5);
    CHECK(origin.peak_open() <= 5);
    client.check_end(origin.url());
}

TEST_CASE("C162 fifty threads stay within five connections where the server ends many of them",
          "[conformance][C162]") {
    Origin origin(
        [](Connection& connection) {
            std::size_t n = 0;
            while (connection.read_request()) {
                ++n;
                connection.write(reply("hello"));
                if (n % 7 == 0) return connection.close();
                if (n % 11 == 0) return connection.reset();
            }
        },
        unrecorded());
    Client client([](Builder& b) { b.max_connections(5); });
    std::atomic<int> good = 0;
    const auto errors = on_threads(50, [&](std::size_t thread) {
        Session session(client.cache);
        for (int i = 0; i < 40; ++i) {
            const auto outcome = outcome_of([&] {
                auto response = session.send(Request::get(origin.url()).timeout(60s));
                if ((thread + static_cast<std::size_t>(i)) % 9 != 0) response.text();
            });
            if (!outcome.threw) ++good;
        }
    });
    CHECK(errors == no_errors);
    CHECK(good > 1900);
    CHECK(origin.peak_open() <= 5);
    CHECK(client.at_rest());
    CHECK(client.cache.stats().idle <= 5);
    client.check_end(origin.url());
}
