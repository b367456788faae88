// Conformance: retry. The opt-in policy.
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

RetryPolicy quick(unsigned attempts = 3) {
    RetryPolicy policy;
    policy.attempts = attempts;
    policy.backoff = 1ms;
    policy.max_backoff = 5ms;
    return policy;
}

}  // namespace

TEST_CASE("C083 a timeout is not a reason to send a request again", "[conformance][C083]") {
    const char* method = GENERATE("POST", "GET");
    const bool policy = GENERATE(false, true);
    CAPTURE(method, policy);
    Origin origin(scripts_in_turn({[](Connection& c) {
                                       c.read_request();
                                       c.wait_for_fin();
                                   },
                                   respond_with(ok)}));
    Client client;
    Request request(method, origin.url());
    request.timeout(200ms);
    if (policy) request.retry(quick());
    const auto start = Clock::now();
    const auto late = outcome_of([&] { client.session.send(request); });
    CHECK(late.code == Errc::timeout);
    CHECK(Clock::now() - start >= 200ms);
    CHECK(late.phase == Phase::head);
    CHECK(origin.request_count() == 1);
    CHECK(origin.wait_for_ends(1));
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C084 a server that always hangs up is given up on", "[conformance][C084]") {
    Origin origin(respond_and_close(""));
    Client client;
    SECTION("on fresh connections at once") {
        for (int i = 0; i < 3; ++i) {
            CHECK(outcome_of([&] { client.session.get(origin.url()); }).code == Errc::empty_reply);
        }
        CHECK(origin.request_count() == 3);
        CHECK(origin.accepts() == 3);
    }
    SECTION("after one replay of a request on a kept one") {
        origin.set_script(scripts_in_turn({[](Connection& c) {
                                               c.read_request();
                                               c.write(ok);
                                               c.read_request();
                                               c.close();
                                           },
                                           respond_and_close("")}));
        client.session.get(origin.url()).text();
        const auto lost = outcome_of([&] { client.session.get(origin.url()); });
        CHECK((lost.code == Errc::empty_reply || lost.code == Errc::connection_lost));
        CHECK(origin.request_count() == 3);
        CHECK(origin.accepts() == 2);
        CHECK(client.cache.stats().replays == 1);
    }
    SECTION("with a policy within its attempts, which hang-ups do not even use") {
        const auto start = Clock::now();
        const auto lost =
            outcome_of([&] { client.session.send(Request::get(origin.url()).retry(quick(4)).timeout(5s)); });
        CHECK(lost.code == Errc::empty_reply);
        CHECK(origin.request_count() <= 4);
        CHECK(Clock::now() - start < 5s);
    }
    origin.set_script(respond_with(ok));
    client.check_end(origin.url());
}

TEST_CASE("C084 a server that is always busy is asked as often as the policy says", "[conformance][C084]") {
    Origin origin(respond_with(reply("busy", 503)));
    Client client;
    auto response = client.session.send(Request::get(origin.url()).retry(quick(4)));
    CHECK(response.status() == 503);
    CHECK(response.text() == "busy");
    CHECK(origin.request_count() == 4);
    CHECK(origin.accepts() == 1);
    origin.close_all();
    origin.set_script(respond_with(ok));
    client.check_end(origin.url());
}

TEST_CASE("C086 attempts share a connection, and what they discard warns nobody", "[conformance][C086]") {
    const bool chunked = GENERATE(false, true);
    const std::string body(20'000, 'e');
    const auto busy = chunked ? chunked_reply({body}, 503) : reply(body, 503);
    Origin origin(respond_in_turn({busy, busy, ok}));
    Client client;
    auto response = client.session.send(Request::get(origin.url()).retry(quick()));
    CHECK(response.status() == 200);
    CHECK(response.text() == "ok");
    CHECK(origin.request_count() == 3);
    CHECK(origin.accepts() == 1);
    CHECK(client.log.warnings().empty());
    CHECK(client.cache.stats().dropped_unread == 0);
    client.check_end(origin.url());
}

TEST_CASE("C086 a body too large to discard costs its connection, nothing more", "[conformance][C086]") {
    const bool chunked = GENERATE(false, true);
    const std::string body(GENERATE(80'000, 5'000'000), 'e');  // one step of libcurl can bring all of it
    CAPTURE(chunked, body.size());
    Origin origin(respond_in_turn({chunked ? chunked_reply({body}, 503) : reply(body, 503), ok}));
    Client client;
    CHECK(client.session.send(Request::get(origin.url()).retry(quick())).text() == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(client.log.warnings().empty());
    // Of chunks nobody knows how many will come: where the machine stalls, the time is over first.
    const auto closed_by = client.cache.stats().closed_by;
    const auto timeouts = chunked ? closed_by[CloseReason::drain_timeout] : 0;
    CHECK(closed_by[CloseReason::drain_limit] + timeouts == 1);
    client.check_end(origin.url());
}

TEST_CASE("C086 a POST is retried only when the policy says any method", "[conformance][C086]") {
    const bool any = GENERATE(false, true);
    Origin origin(respond_in_turn({reply("busy", 503), ok}));
    Client client;
    auto policy = quick();
    policy.any_method = any;
    auto response = client.session.send(Request::post(origin.url(), "data").retry(policy));
    CHECK(response.status() == (any ? 200 : 503));
    response.consume();
    CHECK(origin.request_count() == (any ? 2 : 1));
    for (const auto& request : origin.requests()) CHECK(request.body == "data");
    client.check_end(origin.url());
}

TEST_CASE("C086 Retry-After is honoured up to max_backoff", "[conformance][C086]") {
    const char* wanted = GENERATE("1", "100000", "Fri, 31 Dec 2100 23:59:59 GMT");
    CAPTURE(wanted);
    Origin origin(respond_in_turn({reply("", 503, "Retry-After: " + std::string(wanted) + "\r\n"), ok}));
    Client client;
    auto policy = quick();
    policy.max_backoff = 300ms;
    const auto start = Clock::now();
    CHECK(client.session.send(Request::get(origin.url()).retry(policy)).text() == "ok");
    CHECK(Clock::now() - start >= 300ms);
    CHECK(Clock::now() - start < 3s);
    client.check_end(origin.url());
}

TEST_CASE("C087 a wait between attempts ends at once when it is called off", "[conformance][C087]") {
    const bool by_stop = GENERATE(true, false);
    CAPTURE(by_stop);
    Origin origin(respond_with(reply("", 503, "Retry-After: 10\r\n")));
    Client client;
    RetryPolicy policy;
    std::stop_source stop;
    Outcome outcome;
    Clock::time_point returned;
    auto thread = start_thread([&] {
        outcome = outcome_of(
            [&] { client.session.send(Request::get(origin.url()).retry(policy).stop(stop.get_token())); });
        returned = Clock::now();
    });
    REQUIRE(origin.wait_for_requests(1));
    CHECK(eventually([&] { return client.cache.stats().idle == 1; }));  // no lease while it waits
    CHECK(client.cache.stats().leased == 0);
    std::this_thread::sleep_for(50ms);  // why: into the backoff, as the row says
    const auto called_off = Clock::now();
    if (by_stop) {
        stop.request_stop();
    } else {
        client.cache.shutdown(0s);
    }
    thread.join();
    CHECK(returned - called_off < 500ms);
    CHECK(outcome.code == (by_stop ? Errc::cancelled : Errc::cache_closed));
    CHECK(origin.request_count() == 1);
    CHECK(client.cache.stats().leased == 0);
    if (!by_stop) return;
    origin.close_all();
    origin.set_script(respond_with(ok));
    client.check_end(origin.url());
}
