// Timeouts: whose time they count, and that signals do not change it.
#include <catch2/catch_test_macros.hpp>

#include <pthread.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

using Builder = ConnectionCache::Builder;

// Signals the calling thread every few milliseconds, with a handler that does not restart system calls.
class SignalStorm {
  public:
    SignalStorm() : target_(pthread_self()) {
        struct sigaction action {};
        action.sa_handler = [](int) { count_.fetch_add(1, std::memory_order_relaxed); };
        ::sigaction(SIGUSR1, &action, &old_);
        thread_ = start_thread([this] {
            for (unsigned i = 0; !over_.load(std::memory_order_relaxed); ++i) {
                pthread_kill(target_, SIGUSR1);
                std::this_thread::sleep_for(std::chrono::milliseconds(1 + i % 7));  // why: the storm's rhythm
            }
        });
    }
    ~SignalStorm() {
        over_ = true;
        thread_.join();
        ::sigaction(SIGUSR1, &old_, nullptr);
    }
    SignalStorm(const SignalStorm&) = delete;
    SignalStorm& operator=(const SignalStorm&) = delete;

    int count() const { return count_; }

  private:
    inline static std::atomic<int> count_ = 0;
    pthread_t target_;
    struct sigaction old_ {};
    std::atomic<bool> over_ = false;
    std::thread thread_;
};

}  // namespace

TEST_CASE("C150 the first byte timeout concerns the head alone", "[conformance][C150]") {
    Origin origin([](Connection& connection) {
        while (auto request = connection.read_request()) {
            if (request->target == "/slow") {
                connection.wait_for_fin(20s);
                return;
            }
            if (request->target == "/slow-body") {
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
                connection.write_slowly("hello", 1, 150ms);
            } else {
                connection.write(reply("fast"));
            }
        }
    });
    Client client;
    client.session.first_byte_timeout(300ms);
    CHECK(client.session.get(origin.url("/fast")).text() == "fast");
    const auto before = Clock::now();
    const auto outcome = outcome_of([&] { client.session.get(origin.url("/slow")); });
    CHECK(Clock::now() - before >= 300ms);
    CHECK(Clock::now() - before < 1500ms);
    CHECK(outcome.threw);
    CHECK(outcome.code == Errc::timeout);
    CHECK(outcome.phase == Phase::head);
    CHECK(client.session.get(origin.url("/fast")).text() == "fast");
    CHECK(client.session.get(origin.url("/slow-body")).text() == "hello");
    CHECK(origin.accepts() == 2);
    client.check_end(origin.url("/fast"));
}

TEST_CASE("C151 the first byte timeout starts when the request has been sent", "[conformance][C151]") {
    Origin origin(respond_with(reply("thanks")));
    Client client;
    client.session.first_byte_timeout(400ms);
    std::size_t pieces = 0;
    auto body = Body::pull([&](std::span<std::byte> buffer) -> std::size_t {
        if (pieces == 10) return 0;
        ++pieces;
        std::this_thread::sleep_for(100ms);  // why: the upload is to take longer than the timeout
        buffer[0] = std::byte{'x'};
        return 1;
    });
    auto response = client.session.post(origin.url(), std::move(body));
    CHECK(response.text() == "thanks");
    REQUIRE(origin.request_count() == 1);
    CHECK(origin.requests()[0].body == "xxxxxxxxxx");
    client.check_end(origin.url());
}

TEST_CASE("C152 the caller's own pauses are not the server's", "[conformance][C152]") {
    const std::string body(4'000'000, 'x');
    Origin origin(respond_with(reply(body)));
    Client client;
    client.session.timeout(1s).low_speed(1000, 500ms).first_byte_timeout(500ms);
    auto response = client.session.get(origin.url());
    std::string got;
    for (int i = 0; i < 3; ++i) {
        std::this_thread::sleep_for(700ms);  // why: the caller is slow
        got += read_bytes(response, 100'000);
    }
    const auto rest = read_to_end(response);
    CHECK_FALSE(rest.outcome.threw);
    CHECK(got + rest.bytes == body);
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C152 a silent server still times out after the caller's pause", "[conformance][C152]") {
    Origin origin(scripts_in_turn({[](Connection& connection) {
                                       connection.read_request();
                                       connection.write(
                                           "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
                                       connection.wait_for_stop();
                                   },
                                   respond_with(reply("hello"))}));
    Client client;
    SECTION("by speed") {
        client.session.low_speed(1000, 400ms);
    }
    SECTION("by the whole request's time") {
        client.session.timeout(600ms);
    }
    auto response = client.session.get(origin.url());
    CHECK(read_bytes(response, 5) == "hello");
    std::this_thread::sleep_for(700ms);  // why: the caller is slow
    const auto before = Clock::now();
    const auto rest = read_to_end(response);
    CHECK(rest.outcome.threw);
    CHECK(rest.outcome.code == Errc::timeout);
    CHECK(rest.outcome.phase == Phase::body);
    CHECK(rest.outcome.bytes_received == 5);
    CHECK(Clock::now() - before < 2s);
    CHECK(origin.wait_for_ends(1));
    client.check_end(origin.url());
}

TEST_CASE("C154 signals end no wait for a connection", "[conformance][C154]") {
    Origin origin(respond_with(reply("hello")));
    Client client([](Builder& b) { b.max_connections_per_host(1).acquire_timeout(400ms); });
    auto holder = client.session.get(origin.url());
    const SignalStorm storm;
    Session second(client.cache);
    const auto before = Clock::now();
    const auto outcome = outcome_of([&] { second.get(origin.url()); });
    const auto took = Clock::now() - before;
    CHECK(outcome.code == Errc::acquire_timeout);
    CHECK(took >= 360ms);
    CHECK(took < 1200ms);
    CHECK(storm.count() > 10);
    holder.consume();
    client.check_end(origin.url());
}

TEST_CASE("C154 signals end no read and no drain", "[conformance][C154]") {
    Origin origin([](Connection& connection) {
        while (connection.read_request()) {
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n");
            connection.write_slowly(std::string(300, 'x'), 30, 30ms);
        }
    });
    Client client;
    const SignalStorm storm;
    CHECK(client.session.get(origin.url()).text() == std::string(300, 'x'));
    auto response = client.session.get(origin.url());
    CHECK(read_to_end(response).bytes == std::string(300, 'x'));
    auto drained = client.session.get(origin.url());
    CHECK(drained.consume().reused);
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C154 signals neither shorten nor stretch a timeout", "[conformance][C154]") {
    Origin origin([](Connection& connection) {
        if (connection.index() > 0) return respond_with(reply("hello"))(connection);
        connection.read_request();
        connection.wait_for_stop();
    });
    Client client;
    auto took = Clock::duration::zero();
    {
        const SignalStorm storm;
        const auto before = Clock::now();
        const auto outcome =
            outcome_of([&] { client.session.send(Request::get(origin.url()).timeout(400ms)); });
        took = Clock::now() - before;
        CHECK(outcome.code == Errc::timeout);
    }
    CHECK(took >= 360ms);
    CHECK(took < 1200ms);
    client.check_end(origin.url());
}
