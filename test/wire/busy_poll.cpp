// busy_poll(): latency bought with processor time, where the answers are worth it.
#include <catch2/catch_test_macros.hpp>
#include <ringlet/ringlet.hpp>

#include <ctime>

#include <chrono>
#include <stop_token>
#include <thread>

#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::Connection;
using test::Origin;

std::chrono::nanoseconds processor_time() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

/// Answers each request after a while.
test::Script answer_after(std::chrono::milliseconds delay) {
    return [delay](Connection& connection) {
        while (connection.read_request()) {
            if (!connection.sleep(delay) || !connection.write(test::reply("late"))) return;
        }
    };
}

/// The processor time this thread needs for so many requests.
std::chrono::nanoseconds spent(Duration busy_poll, std::chrono::milliseconds delay, int requests) {
    Origin origin(answer_after(delay));
    Session session(ConnectionCache::builder().busy_poll(busy_poll).build());
    session.get(origin.url()).text();
    const auto before = processor_time();
    for (int i = 0; i < requests; ++i) CHECK(session.get(origin.url()).text() == "late");
    CHECK(origin.accepts() == 1);
    return processor_time() - before;
}

TEST_CASE("a request spins for its answer for as long as busy_poll allows", "[wire][busy_poll]") {
    const auto spinning = spent(10s, 200ms, 1);
    const auto sleeping = spent(0ms, 200ms, 1);
    CHECK(spinning > 10ms);  // of 200, on a machine that may have other things to do
    CHECK(sleeping < 10ms);
}

TEST_CASE("spinning ends where it was in vain lately", "[wire][busy_poll]") {
    // Without that: 12 times 20 ms.
    CHECK(spent(20ms, 50ms, 12) < 140ms);
}

TEST_CASE("a deadline ends a spin", "[wire][busy_poll]") {
    Origin origin(test::stay_silent());
    Session session(ConnectionCache::builder().busy_poll(1h).build());
    session.timeout(100ms);
    const auto begin = std::chrono::steady_clock::now();
    std::error_code ec;
    session.get(origin.url(), ec);
    CHECK(ec == Errc::timeout);
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
}

TEST_CASE("a stop token ends a spin", "[wire][busy_poll]") {
    Origin origin([](Connection& connection) {
        connection.read_request();
        connection.wait_for_stop();
    });
    Session session(ConnectionCache::builder().busy_poll(1h).build());
    std::stop_source source;
    std::jthread stopper([&] {
        origin.wait_for_requests(1);
        source.request_stop();
    });
    std::error_code ec;
    session.send(Request::get(origin.url()).stop(source.get_token()), ec);
    CHECK(ec == Errc::cancelled);
}

TEST_CASE("a body in pieces arrives whole while its reader spins", "[wire][busy_poll]") {
    const std::string body(300'000, 'b');
    Origin origin([&](Connection& connection) {
        while (connection.read_request()) {
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
            if (!connection.write_slowly(body, 60'000, 2ms)) return;
        }
    });
    Session session(ConnectionCache::builder().busy_poll(50ms).build());
    for (int i = 0; i < 5; ++i) CHECK(session.get(origin.url()).text() == body);
    CHECK(origin.accepts() == 1);
}

}  // namespace
