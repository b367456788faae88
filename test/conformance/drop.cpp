// Conformance: early drop & drain.
#include <catch2/generators/catch_generators.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// Until the client goes away.
void stream_forever(Connection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (c.write(chunk("young\n")) && c.sleep(1ms)) {  // why: a stream, not a flood
    }
}

void large_body(Connection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 131072\r\n\r\n" + std::string(131072 / 6, 'x'));
    c.wait_for_fin();
}

}  // namespace

TEST_CASE("C030 dropping a half-read response closes its connection at once and says so",
          "[conformance][C030]") {
    const bool endless = GENERATE(true, false);
    CAPTURE(endless);
    Origin origin(scripts_in_turn({endless ? stream_forever : large_body, respond_with(ok)}));
    Client client;
    {
        auto response = client.session.get(origin.url("/path?secret=1"));
        CHECK(read_bytes(response, 18).size() == 18);
        const auto start = Clock::now();
        { const Response dropped = std::move(response); }
        CHECK(Clock::now() - start < 500ms);
    }
    CHECK(origin.wait_for_ends(1));
    CHECK(client.drop_warnings() == 1);
    const auto warnings = client.log.warnings();
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].starts_with(std::string(dropped_line).append("\n")));
    CHECK(warnings[0].find("GET " + origin.url("/path") + ", 18 ") != std::string::npos);
    CHECK(warnings[0].find("secret") == std::string::npos);
    const auto stats = client.cache.stats();
    CHECK(stats.idle == 0);
    CHECK(stats.dropped_unread == 1);
    CHECK(stats.closed_by[CloseReason::unread_body] == 1);
    CHECK(client.events->count(Event::Kind::dropped) == 1);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C032 a request abandoned before its answer is cancelled without a warning",
          "[conformance][C032]") {
    Origin origin(scripts_in_turn({[](Connection& c) {
                                       c.read_request();
                                       c.wait_for_fin();
                                   },
                                   respond_with(ok)}));
    Client client;
    std::stop_source stop;
    Outcome outcome;
    auto thread = start_thread([&] {
        outcome = outcome_of([&] { client.session.send(Request::get(origin.url()).stop(stop.get_token())); });
    });
    REQUIRE(origin.wait_for_requests(1));
    stop.request_stop();
    thread.join();
    CHECK(outcome.code == Errc::cancelled);
    CHECK(outcome.phase == Phase::head);
    CHECK(origin.wait_for_ends(1));
    CHECK(client.log.warnings().empty());
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.cache.stats().closed_by[CloseReason::cancelled] == 1);
    client.check_end(origin.url());
    CHECK(origin.request_count() == 2);
}

TEST_CASE("C033 a body that lies whole in our buffer but was not read is dropped all the same",
          "[conformance][C033]") {
    const bool chunked = GENERATE(false, true);
    CAPTURE(chunked);
    Origin origin(respond_with(chunked ? chunked_reply({"hello world"}) : reply("hello world")));
    Client client;
    {
        auto response = client.session.get(origin.url());
        CHECK(read_bytes(response, 5) == "hello");
        std::this_thread::sleep_for(20ms);  // why: whatever is on its way arrives
    }
    CHECK(client.drop_warnings() == 1);
    CHECK(client.log.count("GET " + origin.url() + ", 5 of 11 bytes read, 6 left", spdlog::level::warn) ==
          (chunked ? 0 : 1));
    CHECK(origin.wait_for_ends(1));
    CHECK(client.cache.stats().idle == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C034 consume() frees a connection that others wait for", "[conformance][C034]") {
    const bool chunked = GENERATE(false, true);
    const std::string body(20'000, 'b');
    Origin origin(respond_with(chunked ? chunked_reply({body}) : reply(body)));
    Client client([](auto& b) { b.max_connections(1).acquire_timeout(250ms); });
    auto response = client.session.get(origin.url());

    Session other{client.cache};
    const auto refused = outcome_of([&] { other.get(origin.url()); });
    CHECK(refused.code == Errc::acquire_timeout);
    CHECK(refused.phase == Phase::acquire);

    const auto disposition = response.consume();
    CHECK(disposition.reused);
    CHECK(disposition.reason == CloseReason::none);
    CHECK(disposition.discarded_bytes == 20'000);
    CHECK(client.cache.stats().idle == 1);
    CHECK(response.body_state() == BodyState::complete);
    std::byte byte{};
    CHECK(response.read({&byte, 1}) == 0);
    CHECK(response.read({&byte, 1}) == 0);
    CHECK(other.get(origin.url()).text() == body);
    CHECK(origin.accepts() == 1);
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C036 the budget of consume() is for the whole drain, not for each read", "[conformance][C036]") {
    Origin origin(scripts_in_turn({[](Connection& c) {
                                       c.read_request();
                                       c.write("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n");
                                       c.write_slowly(std::string(10'000, 't'), 100, 10ms);
                                       c.wait_for_fin();
                                   },
                                   respond_with(ok)}));
    Client client;
    auto response = client.session.get(origin.url());
    const auto start = Clock::now();
    const auto disposition = response.consume(DrainLimits{.time = 100ms});
    const auto took = Clock::now() - start;
    CHECK(took >= 100ms);
    CHECK(took < 500ms);
    CHECK_FALSE(disposition.reused);
    CHECK(disposition.reason == CloseReason::drain_timeout);
    CHECK(disposition.discarded_bytes < 10'000);
    CHECK(response.body_state() == BodyState::abandoned);
    CHECK(origin.wait_for_ends(1));
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C037 consume() of a truncated body reports it", "[conformance][C037]") {
    Origin origin(scripts_in_turn(
        {respond_and_close("HTTP/1.1 404 Not Found\r\nContent-Length: 1000\r\n\r\n"), respond_with(ok)}));
    Client client;
    {
        auto response = client.session.get(origin.url());
        CHECK(response.status() == 404);
        const auto outcome = outcome_of([&] { response.consume(); });
        CHECK(outcome.code == Errc::truncated);
        CHECK(response.body_state() == BodyState::failed);
        CHECK(outcome_of([&] { response.consume(); }).code == Errc::truncated);
        std::error_code ec;
        response.consume(ec);
        CHECK(ec == Errc::truncated);
        REQUIRE(response.disposition());
        CHECK_FALSE(response.disposition()->reused);
    }
    CHECK(client.drop_warnings() == 0);
    CHECK(client.cache.stats().leased == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C037 a truncated answer inside a retry does not spoil the next attempt", "[conformance][C037]") {
    Origin origin(scripts_in_turn(
        {respond_and_close("HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\n"), respond_with(ok)}));
    Client client;
    RetryPolicy policy;
    policy.backoff = 1ms;
    CHECK(client.session.send(Request::get(origin.url()).retry(policy)).text() == "ok");
    CHECK(client.log.warnings().empty());
    CHECK(origin.accepts() == 2);
    client.check_end(origin.url());
}

TEST_CASE("C038 consume() of a body that is over does nothing, however often", "[conformance][C038]") {
    Origin origin(handler([](const Recorded& request) -> std::string {
        if (request.method == "HEAD") return "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
        if (request.target == "/204") return "HTTP/1.1 204 No Content\r\n\r\n";
        return ok;
    }));
    Client client;
    const auto consumed = [&](Response response, bool read) {
        if (read) CHECK(response.text() == "ok");
        const auto start = Clock::now();
        for (int i = 0; i < 2; ++i) {
            const auto disposition = response.consume();
            CHECK(disposition.reused);
            CHECK(disposition.discarded_bytes == 0);
        }
        CHECK(Clock::now() - start < 1s);
        CHECK(client.cache.stats().leased == 0);
        CHECK(client.cache.stats().idle == 1);
    };
    consumed(client.session.head(origin.url()), false);
    consumed(client.session.get(origin.url("/204")), false);
    consumed(client.session.get(origin.url()), true);
    CHECK(origin.accepts() == 1);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C040 a second request on a session whose response is half read is refused unsent",
          "[conformance][C040]") {
    const std::string body(2048, 'h');
    Origin origin(respond_with(reply(body)));
    Client client;
    auto response = client.session.get(origin.url("/first?token=t"));
    const auto first = read_bytes(response, 512);

    const auto busy = outcome_of([&] { client.session.get(origin.url("/second")); });
    CHECK(busy.code == Errc::session_busy);
    CHECK(busy.message.find(
              "session busy: its previous response (GET " + origin.url("/first") +
              ", 512 of 2048 bytes read) is unfinished; consume() or abort() it, or use another Session") !=
          std::string::npos);
    CHECK(busy.message.find("token") == std::string::npos);
    std::error_code ec;
    CHECK(client.session.post(origin.url("/second"), "x", ec).status() == 0);
    CHECK(ec == Errc::session_busy);
    CHECK(origin.request_count() == 1);

    CHECK(first + read_to_end(response).bytes == body);
    CHECK(client.session.get(origin.url("/second")).text() == body);
    CHECK(origin.accepts() == 1);
    CHECK(origin.request_count() == 2);
    client.check_end(origin.url());
}

TEST_CASE("C041 an unread response does not stand in another session's way", "[conformance][C041]") {
    const std::string large(10'000'000, 'L');
    Origin origin(handler([&](const Recorded& r) { return r.target == "/foo" ? reply(large) : ok; }));
    Client client;
    auto foo = client.session.get(origin.url("/foo"));
    Session other{client.cache};
    CHECK(other.get(origin.url("/bar")).text() == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(foo.text() == large);
    CHECK(client.cache.stats().idle == 2);
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C042 a finished response can be read, consumed, moved and dropped in any order",
          "[conformance][C042]") {
    const int order = GENERATE(0, 1, 2, 3, 4, 5);
    CAPTURE(order);
    Gate go_on;
    Origin origin([&](Connection& c) {
        while (auto request = c.read_request()) {
            if (request->target != "/held") {
                c.write(reply("hello"));
                continue;
            }
            c.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
            if (!c.wait_for(go_on)) return;
            c.write("67890");
        }
    });
    Client client;
    auto response = std::make_unique<Response>(client.session.get(origin.url()));
    CHECK(read_bytes(*response, 5) == "hello");

    Session other{client.cache};
    auto held = other.get(origin.url("/held"));  // on the same connection
    CHECK(held.reused());
    CHECK(read_bytes(held, 3) == "123");

    std::byte byte{};
    const auto at_end = [&](Response& r) {
        CHECK(r.read({&byte, 1}) == 0);
        CHECK(r.body_state() == BodyState::complete);
    };
    Response target;
    const auto steps = {order,           (order + 1) % 6, (order + 2) % 6,
                        (order + 3) % 6, (order + 4) % 6, (order + 5) % 6};
    for (const int step : steps) {
        if (step == 0) at_end(*response);
        if (step == 1) CHECK(response->consume().discarded_bytes == 0);
        if (step == 2) response->abort();
        if (step == 3) *response = Response(std::move(*response));
        if (step == 4) at_end(*response);
        if (step == 5) {
            target = std::move(*response);
            at_end(target);
            at_end(*response);  // NOLINT(bugprone-use-after-move): of no request now
            *response = std::move(target);
        }
        CHECK(client.cache.stats().leased == 1);
        CHECK(client.cache.stats().idle == 0);
    }
    response.reset();
    go_on.open();
    CHECK(read_to_end(held).bytes == "4567890");
    CHECK(client.cache.stats().idle == 1);
    CHECK(origin.open_connections() == 1);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
    CHECK(origin.accepts() == 1);
}
