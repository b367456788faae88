// Conformance: retry. Replays on a connection found dead.
#include <algorithm>
#include <catch2/generators/catch_generators.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// Answers `served` requests, then reads one more whole and closes without a byte.
Script dies_after(int served) {
    return [served](Connection& c) {
        for (int i = 0; i < served; ++i) {
            if (!c.read_request()) return;
            c.write(ok);
        }
        c.read_request();
        c.close();
    };
}

// A "100 Continue" would be the beginning of an answer.
OriginOptions without_continue() {
    OriginOptions options;
    options.send_continue = false;
    return options;
}

std::size_t count_method(const Origin& origin, std::string_view method) {
    std::size_t n = 0;
    for (const auto& request : origin.requests()) n += request.method == method ? 1 : 0;
    return n;
}

}  // namespace

TEST_CASE("C076 a GET on a kept connection that dies unanswered is sent once more", "[conformance][C076]") {
    const char* method = GENERATE("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE");
    const bool body = std::string_view(method) == "PUT" || std::string_view(method) == "DELETE";
    CAPTURE(method);
    Origin origin(scripts_in_turn({dies_after(1), respond_with(ok)}));
    Client client;
    CHECK(client.session.get(origin.url()).text() == "ok");

    Request request(method, origin.url());
    if (body) request.body("payload");
    auto response = client.session.send(request);
    CHECK(response.status() == 200);
    CHECK_FALSE(response.reused());
    response.consume();
    CHECK(origin.accepts() == 2);
    CHECK(origin.request_count() == 3);
    for (std::size_t i = 1; i < 3; ++i) {
        CHECK(origin.requests()[i].method == method);
        CHECK(origin.requests()[i].body == (body ? "payload" : ""));
    }
    CHECK(client.cache.stats().replays == 1);
    CHECK(client.events->count(Event::Kind::replayed) == 1);
    CHECK(client.cache.stats().opened == 2);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C077 a POST is not sent twice unless the caller allows it", "[conformance][C077]") {
    const char* method = GENERATE("POST", "PATCH");
    const bool body = GENERATE(true, false);
    CAPTURE(method, body);
    Origin origin(scripts_in_turn({dies_after(1), respond_with(ok)}));
    Client client;
    client.session.get(origin.url()).text();
    Request request(method, origin.url());
    if (body) request.body("order");

    SECTION("by default it is lost") {
        const auto lost = outcome_of([&] { client.session.send(request); });
        REQUIRE(lost.threw);
        CHECK(lost.code == Errc::connection_lost);
        CHECK_FALSE(lost.retryable);
        CHECK(lost.message.find(method) != std::string::npos);
        CHECK(count_method(origin, method) == 1);
        CHECK(client.cache.stats().replays == 0);
    }
    SECTION("with an Idempotency-Key it is replayed") {
        request.header("Idempotency-Key", "42");
        CHECK(client.session.send(request).text() == "ok");
        CHECK(count_method(origin, method) == 2);
        CHECK(client.cache.stats().replays == 1);
    }
    SECTION("with replay(always) it is replayed") {
        request.replay(Replay::always);
        CHECK(client.session.send(request).text() == "ok");
        CHECK(count_method(origin, method) == 2);
        CHECK(origin.requests().back().body == (body ? "order" : ""));
    }
    client.check_end(origin.url());
}

TEST_CASE("C077 a GET with replay(never) is not sent twice either", "[conformance][C077]") {
    Origin origin(scripts_in_turn({dies_after(1), respond_with(ok)}));
    Client client;
    client.session.get(origin.url()).text();
    const auto lost =
        outcome_of([&] { client.session.send(Request::get(origin.url()).replay(Replay::never)); });
    CHECK(lost.code == Errc::connection_lost);
    CHECK(origin.request_count() == 2);
    client.check_end(origin.url());
}

TEST_CASE("C078 a fresh connection that answers nothing is an error at once", "[conformance][C078]") {
    Origin origin(scripts_in_turn({dies_after(0), respond_with(ok)}));
    Client client;
    const auto empty = outcome_of([&] { client.session.get(origin.url()); });
    CHECK(empty.code == Errc::empty_reply);
    CHECK(empty.native_code == CURLE_GOT_NOTHING);
    CHECK(empty.retryable);
    CHECK(origin.request_count() == 1);
    CHECK(client.cache.stats().replays == 0);
    client.check_end(origin.url());
}

TEST_CASE("C078 an answer that has begun is never asked for again", "[conformance][C078]") {
    const char* begun =
        GENERATE("HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nX-A: b", "H", "HTTP/1.1 200 OK\r\nX: y\r\n");
    const bool reset = GENERATE(false, true);
    const std::size_t before = GENERATE(1, 4);  // then what came is tallied, and the kernel not asked
    CAPTURE(begun, reset, before);
    Origin origin(scripts_in_turn({[&](Connection& c) {
                                       for (std::size_t i = 0; i < before; ++i) {
                                           c.read_request();
                                           c.write(ok);
                                       }
                                       c.read_request();
                                       c.write(begun);
                                       if (!reset) return c.close();
                                       c.sleep(20ms);  // why: a RST takes back what was not delivered yet
                                       c.reset();
                                   },
                                   respond_with(ok)}));
    Client client;
    for (std::size_t i = 0; i < before; ++i) client.session.get(origin.url()).text();
    const auto cut = outcome_of([&] { client.session.get(origin.url()).text(); });
    CAPTURE(cut.message);
    REQUIRE(cut.threw);
    CHECK((cut.code == Errc::protocol || cut.code == Errc::connection_lost || cut.code == Errc::truncated ||
           cut.code == Errc::empty_reply));
    CHECK(origin.request_count() == before + 1);
    CHECK(client.cache.stats().replays == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C079 without replays a lost request is an error, and the next one has a new connection",
          "[conformance][C079]") {
    Origin origin(scripts_in_turn({dies_after(1), respond_with(ok)}));
    Client client;
    client.session.replay(Replay::never);
    CHECK(client.session.get(origin.url("/1")).text() == "ok");
    CHECK(outcome_of([&] { client.session.get(origin.url("/2")); }).code == Errc::connection_lost);
    auto third = client.session.get(origin.url("/3"));
    CHECK_FALSE(third.reused());
    CHECK(third.text() == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(origin.request_count() == 3);
    client.check_end(origin.url());
}

TEST_CASE("C080 a one-shot body is read once", "[conformance][C080]") {
    const bool sized = GENERATE(true, false);
    CAPTURE(sized);
    constexpr std::size_t total = 300'000;
    Origin origin(scripts_in_turn({[](Connection& c) {
                                       c.read_request();
                                       c.write(ok);
                                       c.read_head();
                                       c.read_some(4096);
                                       c.reset();
                                   },
                                   respond_with(ok)}),
                  without_continue());
    Client client;
    client.session.get(origin.url()).text();

    std::size_t given = 0;
    const auto pull = [&](std::span<std::byte> to) {
        const auto n = std::min({to.size(), total - given, std::size_t{4096}});
        std::fill_n(to.begin(), n, std::byte{'p'});
        given += n;
        return n;
    };
    const auto body = sized ? Body::pull(pull, total) : Body::pull(pull);
    const auto lost = outcome_of([&] { client.session.put(origin.url(), body); });
    CAPTURE(lost.message);
    REQUIRE(lost.threw);
    CHECK((lost.code == Errc::body_not_replayable || lost.code == Errc::connection_lost));
    CHECK(given <= total);
    client.check_end(origin.url());
    CHECK(count_method(origin, "PUT") ==
          1);  // its head, on the first connection: nothing on the wire after that
    CHECK(origin.request_count() == 3);
    CHECK(client.cache.stats().replays == 0);
}

TEST_CASE("C080 a body that can rewind is sent again from its first byte", "[conformance][C080]") {
    const std::string content(50'000, 'r');
    Origin origin(scripts_in_turn({dies_after(1), respond_with(ok)}), without_continue());
    Client client;
    client.session.get(origin.url()).text();
    std::size_t at = 0;
    int rewound = 0;
    const auto pull = [&](std::span<std::byte> to) {
        const auto n = std::min(to.size(), content.size() - at);
        std::memcpy(to.data(), content.data() + at, n);
        at += n;
        return n;
    };
    const auto body = Body::pull(pull, content.size(), [&] {
        at = 0;
        ++rewound;
        return true;
    });
    CHECK(client.session.put(origin.url(), body).text() == "ok");
    CHECK(rewound == 1);
    CHECK(count_method(origin, "PUT") == 2);
    CHECK(origin.requests().back().body == content);
    client.check_end(origin.url());
}

TEST_CASE("C082 a connection found dead before a byte was sent costs no method its safety",
          "[conformance][C082]") {
    const bool reset = GENERATE(false, true);
    const bool watched = GENERATE(false, true);
    CAPTURE(reset, watched);
    Origin origin(respond_with(ok));
    Client client([&](auto& b) { b.watch_idle(watched); });
    for (int i = 0; i < 5; ++i) {
        client.session.get(origin.url()).text();
        origin.close_all(reset ? KillWith::rst : KillWith::fin);
        REQUIRE(origin.wait_for_open(0));
        CHECK(client.session.post(origin.url(), "once").text() == "ok");
        origin.close_all(reset ? KillWith::rst : KillWith::fin);
    }
    CHECK(count_method(origin, "POST") == 5);
    CHECK(client.cache.stats().replays == 0);
    client.check_end(origin.url());
}
