// Cancellation: a stop token ends a request wherever it waits, and nothing but that request.
#include <catch2/catch_test_macros.hpp>

#include <future>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

using Builder = ConnectionCache::Builder;

// The contract says 100 ms; the rest is for a busy machine.
constexpr auto promptly = 500ms;

struct Ended {
    Outcome outcome;
    Clock::time_point at;
};

// Runs the call on another thread; when it ended and how.
template <class Call>
std::future<Ended> later(Call call) {
    return std::async(std::launch::async, [call = std::move(call)]() mutable {
        Ended ended;
        ended.outcome = outcome_of(call);
        ended.at = Clock::now();
        return ended;
    });
}

// Stops, and checks that the call is over soon, with Errc::cancelled.
void stop_and_check(std::stop_source& stop, std::future<Ended>& call) {
    const auto before = Clock::now();
    stop.request_stop();
    const auto ended = call.get();
    CHECK(ended.outcome.threw);
    CHECK(ended.outcome.code == Errc::cancelled);
    CHECK(ended.at - before < promptly);
}

}  // namespace

TEST_CASE("C144 a request that is cancelled already contacts nobody", "[conformance][C144]") {
    Origin origin(respond_with(reply("hello")));
    Client client;
    std::stop_source stop;
    stop.request_stop();
    const auto outcome =
        outcome_of([&] { client.session.send(Request::get(origin.url()).stop(stop.get_token())); });
    CHECK(outcome.threw);
    CHECK(outcome.code == Errc::cancelled);
    CHECK(origin.accepts() == 0);
    CHECK(client.cache.stats().open == 0);
    client.check_end(origin.url());
}

TEST_CASE("C146 a request cancelled before its answer closes its connection", "[conformance][C146]") {
    Origin origin(scripts_in_turn({[](Connection& connection) {
                                       connection.read_request();
                                       connection.wait_for_stop();
                                   },
                                   respond_with(reply("hello"))}));
    Client client;
    std::stop_source stop;
    auto request = later([&] { client.session.send(Request::get(origin.url()).stop(stop.get_token())); });
    REQUIRE(origin.wait_for_requests(1));
    stop_and_check(stop, request);
    CHECK(origin.wait_for_ends(1));
    CHECK(origin.request_count() == 1);
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.cache.stats().closed_by[CloseReason::cancelled] == 1);
    CHECK(client.cache.stats().replays == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C146 a request cancelled on a kept connection is not replayed", "[conformance][C146]") {
    Origin origin(scripts_in_turn({[](Connection& connection) {
                                       connection.read_request();
                                       connection.write(reply("hello"));
                                       connection.read_request();
                                       connection.wait_for_stop();
                                   },
                                   respond_with(reply("hello"))}));
    Client client;
    client.session.get(origin.url()).consume();
    std::stop_source stop;
    auto request = later([&] { client.session.send(Request::get(origin.url()).stop(stop.get_token())); });
    REQUIRE(origin.wait_for_requests(2));
    stop_and_check(stop, request);
    CHECK(origin.wait_for_ends(1));
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C147 a blocked read wakes when it is cancelled", "[conformance][C147]") {
    Origin origin(scripts_in_turn({[](Connection& connection) {
                                       connection.read_request();
                                       connection.write(
                                           "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nHello");
                                       connection.wait_for_stop();
                                   },
                                   respond_with(reply("hello"))}));
    Client client;
    std::stop_source stop;
    auto response = client.session.send(Request::get(origin.url()).stop(stop.get_token()));
    CHECK(read_bytes(response, 5) == "Hello");
    std::size_t got = 0;
    auto reading = later([&] {
        std::vector<std::byte> buffer(100);
        got = response.read(buffer);
    });
    std::this_thread::sleep_for(30ms);  // why: the reader is to be asleep; nothing announces that
    stop_and_check(stop, reading);
    CHECK(got == 0);
    CHECK(response.body_state() == BodyState::failed);
    CHECK(outcome_of([&] { response.text(); }).code == Errc::cancelled);
    CHECK(origin.wait_for_ends(1));
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C147 a blocked consume wakes when it is cancelled", "[conformance][C147]") {
    Origin origin(scripts_in_turn({[](Connection& connection) {
                                       connection.read_request();
                                       connection.write(
                                           "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nHello");
                                       connection.wait_for_stop();
                                   },
                                   respond_with(reply("hello"))}));
    Client client;
    std::stop_source stop;
    auto response = client.session.send(Request::get(origin.url()).stop(stop.get_token()));
    auto consuming = later([&] { response.consume(); });
    std::this_thread::sleep_for(30ms);  // why: the drain is to be asleep; nothing announces that
    stop_and_check(stop, consuming);
    CHECK(origin.wait_for_ends(1));
    client.check_end(origin.url());
}

TEST_CASE("C147 a blocked upload wakes when it is cancelled", "[conformance][C147]") {
    Gate stopped;  // until then the server does not read: it would not see a FIN behind unread bytes
    OriginOptions narrow;
    narrow.receive_buffer = 4096;
    Origin origin(scripts_in_turn({[&](Connection& connection) {
                                       connection.read_head();
                                       if (connection.wait_for(stopped, 20s)) connection.read_all();
                                   },
                                   respond_with(reply("hello"))}),
                  narrow);
    Client client;
    std::stop_source stop;
    auto sending = later([&] {
        client.session.send(Request::post(origin.url(), Body(std::string(32 << 20, 'x')))
                                .stop(stop.get_token())
                                .header("Expect", ""));
    });
    REQUIRE(origin.wait_for_requests(1));
    std::this_thread::sleep_for(30ms);  // why: the socket's buffers are to be full; nothing announces that
    stop_and_check(stop, sending);
    stopped.open();
    CHECK(origin.wait_for_ends(1));
    CHECK(client.cache.stats().idle == 0);
    client.check_end(origin.url());
}

TEST_CASE("C147 a blocked wait for a connection wakes when it is cancelled", "[conformance][C147]") {
    Origin origin(respond_with(reply("hello")));
    Client client([](Builder& b) { b.max_connections_per_host(1); });
    auto holder = client.session.get(origin.url());
    std::stop_source stop;
    auto waiting = later([&] {
        Session session(client.cache);
        session.send(Request::get(origin.url()).stop(stop.get_token()));
    });
    REQUIRE(eventually([&] { return client.cache.stats().waiting == 1; }));
    stop_and_check(stop, waiting);
    CHECK(client.cache.stats().waiting == 0);
    CHECK(origin.request_count() == 1);
    holder.consume();
    client.check_end(origin.url());
}

TEST_CASE("C147 a blocked connect or handshake wakes when it is cancelled", "[conformance][C147]") {
    std::stop_source stop;
    SECTION("connect") {
        OriginOptions held_back;
        held_back.accepting = false;
        held_back.backlog = 0;
        Origin origin(respond_with(reply("hello")), held_back);
        const Fd filler = connect_tcp(origin.port());
        Client client;
        auto request = later([&] { client.session.send(Request::get(origin.url()).stop(stop.get_token())); });
        REQUIRE(eventually([&] { return client.cache.stats().connecting == 1; }));
        std::this_thread::sleep_for(30ms);  // why: it is to be asleep in connect; nothing announces that
        stop_and_check(stop, request);
        origin.start_accepting();
        client.check_end(origin.url());
    }
    SECTION("TLS handshake") {
        OriginOptions tls;
        tls.tls = true;
        tls.handshake_first = false;
        Origin origin(stay_silent(), tls);
        Client client;
        auto request = later([&] { client.session.send(Request::get(origin.url()).stop(stop.get_token())); });
        REQUIRE(origin.wait_for_accepts(1));
        stop_and_check(stop, request);
        CHECK(origin.wait_for_ends(1));
        CHECK(client.cache.stats().open == 0);
    }
}

TEST_CASE("C148 a late stop does not hurt the connection's next user", "[conformance][C148]") {
    Gate answer;
    Origin origin([&](Connection& connection) {
        while (auto request = connection.read_request()) {
            if (request->target == "/second" && !connection.wait_for(answer, 20s)) return;
            connection.write(reply("body of " + request->target));
        }
    });
    Client client;
    std::stop_source stop;
    auto first = client.session.send(Request::get(origin.url("/first")).stop(stop.get_token()));
    CHECK(first.text() == "body of /first");
    auto second = std::async(std::launch::async, [&] {
        Session session(client.cache);
        return session.send(Request::get(origin.url("/second")).timeout(20s)).text();
    });
    REQUIRE(origin.wait_for_requests(2));
    stop.request_stop();
    answer.open();
    CHECK(second.get() == "body of /second");
    CHECK(first.body_state() == BodyState::complete);
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C148 stops at the very end of a body hurt nobody", "[conformance][C148]") {
    Origin origin(handler([](const Recorded& request) { return reply("body of " + request.target); }));
    Client client([](Builder& b) { b.max_connections_per_host(1); });
    for (int round = 0; round < 200; ++round) {
        std::stop_source stop;
        std::jthread stopper([&] { stop.request_stop(); });
        outcome_of([&] {
            Session session(client.cache);
            session.send(Request::get(origin.url("/first")).stop(stop.get_token())).text();
        });
        const auto outcome = outcome_of([&] {
            CHECK(client.session.send(Request::get(origin.url("/second")).timeout(20s)).text() ==
                  "body of /second");
        });
        CHECK_FALSE(outcome.threw);
    }
    client.check_end(origin.url());
}
