// Conformance: framing-and-eviction, where a body ends as it should.
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

std::string get_text(Client& client, const Origin& origin, std::string_view path = "/") {
    return client.session.send(Request::get(origin.url(path)).timeout(10s)).text();
}

}  // namespace

TEST_CASE("C014 after Connection: close the client closes first", "[conformance][C014]") {
    Origin origin(respond_with(reply("bye", 200, "Connection: close\r\n")));
    Client client;
    auto response = client.session.get(origin.url());
    CHECK(response.text() == "bye");
    REQUIRE(response.disposition());
    CHECK(response.disposition()->reason == CloseReason::connection_close);
    CHECK(origin.wait_for_fins(1));
    CHECK(client.cache.stats().idle == 0);
    CHECK(get_text(client, origin) == "bye");
    CHECK(origin.accepts() == 2);
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C016 a body that ends with the connection is whole and never pooled", "[conformance][C016]") {
    Origin origin(respond_and_close("HTTP/1.1 200 OK\r\n\r\nall of it"));
    Client client;
    auto response = client.session.get(origin.url());
    CHECK_FALSE(response.content_length());
    const auto body = read_to_end(response);
    CHECK_FALSE(body.outcome.threw);
    CHECK(body.bytes == "all of it");
    CHECK(response.body_state() == BodyState::complete);
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.drop_warnings() == 0);
    CHECK(get_text(client, origin) == "all of it");
    CHECK(origin.accepts() == 2);
    client.check_end(origin.url());
}

TEST_CASE("C017 bytes beyond Content-Length evict the connection and reach nobody", "[conformance][C017]") {
    const std::string surplus = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\r\nYOU SHOULD NOT SEE THIS";
    const bool whole = GENERATE(true, false);
    CAPTURE(whole);
    Origin origin(scripts_in_turn({respond_with(surplus), respond_with(ok)}));
    Client client;
    {
        auto response = client.session.get(origin.url());
        if (whole) {
            CHECK(response.text() == "abc");
        } else {
            CHECK(read_bytes(response, 3) == "abc");
        }
        CHECK(response.body_state() == BodyState::complete);
    }
    CHECK(get_text(client, origin) == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(client.cache.stats().idle == 1);
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C017 an answer too many, right behind the one asked for, is nobody's, over TLS as well",
          "[conformance][C017][C018]") {
    const bool tls = GENERATE(true, false);
    const bool late = GENERATE(true, false);  // nothing has looked at the socket between the two writes
    CAPTURE(tls, late);
    int kept = 0;
    for (int i = 0; i < 10; ++i) {
        Gate read, sent;
        OriginOptions options;
        options.tls = tls;
        Origin origin(scripts_in_turn({[&](Connection& c) {
                                           c.read_request();
                                           c.write(ok);
                                           if (late && !c.wait_for(read)) return;
                                           c.write(reply("stolen", 200, "Poison: true\r\n"));
                                           sent.open();
                                           c.wait_for_fin();
                                       },
                                       respond_with(ok)}),
                      options);
        Client client([](auto& b) { b.watch_idle(false); });
        client.session.ca_blob(TestCa::instance().pem());
        CHECK(client.session.get(origin.url()).text() == "ok");
        read.open();
        REQUIRE(sent.wait());
        std::this_thread::sleep_for(5ms);  // why: loopback delivers, but not within write()
        auto response = client.session.get(origin.url());
        CHECK_FALSE(response.headers().contains("Poison"));
        CHECK(response.text() == "ok");
        kept += origin.accepts() != 2;
        CHECK(client.at_rest());
    }
    CHECK(kept == 0);
}

TEST_CASE("C018 an unsolicited response on an idle connection is never the next answer",
          "[conformance][C018]") {
    const bool watched = GENERATE(true, false);
    const auto pause = watched ? 50ms : GENERATE(10ms, 900ms, 1500ms);
    const bool timeout_answer = GENERATE(false, true);
    CAPTURE(pause.count(), timeout_answer, watched);
    Gate pooled, sent;
    Origin origin(scripts_in_turn({[&](Connection& c) {
                                       c.read_request();
                                       c.write(ok);
                                       if (!c.wait_for(pooled)) return;
                                       if (timeout_answer) {
                                           c.write("HTTP/1.1 408 bye\r\nConnection: close\r\n\r\n");
                                           c.shutdown_write();
                                       } else {
                                           c.write(reply("stolen", 200, "Poison: true\r\n"));
                                       }
                                       sent.open();
                                       c.wait_for_fin();
                                   },
                                   respond_with(ok)}));
    Client client([&](auto& b) { b.watch_idle(watched); });
    CHECK(get_text(client, origin) == "ok");
    CHECK(client.cache.stats().idle == 1);
    // libcurl looks at an idle connection again only after some time.
    std::this_thread::sleep_for(pause);  // why: that is what is tested
    pooled.open();
    REQUIRE(sent.wait());
    std::this_thread::sleep_for(5ms);  // why: loopback delivers, but not within write()

    auto response = client.session.get(origin.url());
    CHECK(response.status() == 200);
    CHECK_FALSE(response.headers().contains("Poison"));
    CHECK_FALSE(response.reused());
    CHECK(response.text() == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(client.log.warnings().empty());
    CHECK(client.cache.stats().replays == 0);
    CHECK(client.cache.stats().closed_by[CloseReason::unsolicited_data] == 1);
    client.check_end(origin.url());
}

TEST_CASE("C022 a reader that comes late gets all that was sent before the end", "[conformance][C022]") {
    const std::string body(64 * 1024, 'x');
    const auto head = [](const std::string& field) { return "HTTP/1.1 200 OK\r\n" + field + "\r\n"; };
    struct Kind {
        const char* name;
        std::string sent;
        bool whole;
    };
    const Kind kinds[] = {
        {"exact length", head("Content-Length: 65536\r\n") + body, true},
        {"end of connection", head("") + body, true},
        {"twice the length", head("Content-Length: 131072\r\n") + body, false},
        {"no last chunk", head("Transfer-Encoding: chunked\r\n") + chunk(body), false},
    };
    for (const auto& kind : kinds) {
        DYNAMIC_SECTION(kind.name) {
            Origin origin(scripts_in_turn({respond_and_close(kind.sent), respond_with(ok)}));
            Client client;
            auto response = client.session.get(origin.url());
            std::this_thread::sleep_for(100ms);  // why: the caller's own pause
            const auto result = read_to_end(response);
            CHECK(result.bytes == body);
            CHECK(result.outcome.threw == !kind.whole);
            if (!kind.whole) CHECK(result.outcome.code == Errc::truncated);
            CHECK(response.body_state() == (kind.whole ? BodyState::complete : BodyState::failed));
            CHECK(client.drop_warnings() == 0);
            client.check_end(origin.url());
        }
    }
}

TEST_CASE("C024 chunk extensions and trailers are read and their connection kept", "[conformance][C024]") {
    const std::string start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    const bool announced = GENERATE(false, true);
    const bool trailer = GENERATE(false, true);
    const bool late = GENERATE(false, true);
    CAPTURE(announced, trailer, late);
    const std::string body = std::string("5;x\r\nhello\r\n6;name=\"value\"\r\n world\r\n0;last\r\n") +
                             (trailer ? "X-Sum: 42\r\nX-Other: b\r\n" : "") + "\r\n";
    Gate reading;
    Origin origin(scripts_in_turn({[&](Connection& c) {
                                       while (c.read_request()) {
                                           c.write(start + (announced ? "Trailer: X-Sum\r\n" : "") + "\r\n");
                                           c.write(body);
                                       }
                                   },
                                   respond_with(ok)}));
    Client client;
    auto response = client.session.get(origin.url());
    CHECK(response.trailers().empty());
    if (late) std::this_thread::sleep_for(50ms);  // why: all of it arrives while nobody receives
    CHECK(read_bytes(response, 5) == "hello");
    CHECK_FALSE(response.headers().contains("X-Sum"));
    CHECK(read_to_end(response).bytes == " world");
    CHECK(response.trailers().contains("X-Sum") == trailer);
    if (trailer) {
        CHECK(response.trailers().get("x-sum") == "42");
        CHECK(response.trailers().get("X-Other") == "b");
    }
    CHECK_FALSE(response.headers().contains("X-Sum"));
    CHECK(client.cache.stats().idle == 1);
    CHECK(get_text(client, origin) == "hello world");
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C025 chunked wins over Content-Length, and the connection is not kept", "[conformance][C025]") {
    const char* length = GENERATE("123456", "0");
    const bool length_first = GENERATE(true, false);
    CAPTURE(length, length_first);
    const std::string cl = std::string("Content-Length: ") + length + "\r\n";
    const std::string te = "Transfer-Encoding: chunked\r\n";
    Origin origin(respond_with("HTTP/1.1 200 OK\r\n" + (length_first ? cl + te : te + cl) + "\r\n" +
                               chunk("hello") + chunk("")));
    Client client;
    auto response = client.session.send(Request::get(origin.url()).timeout(10s));
    CHECK(response.text() == "hello");
    REQUIRE(response.disposition());
    CHECK(response.disposition()->reason == CloseReason::connection_close);
    CHECK(origin.wait_for_fins(1));
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C028 a server that hangs up after each answer never fails a request", "[conformance][C028]") {
    const auto pause = GENERATE(0ms, 500ms);
    const bool watched = GENERATE(true, false);
    CAPTURE(pause.count(), watched);
    Origin origin(respond_and_close(ok));
    Client client([&](auto& b) { b.watch_idle(watched); });
    for (int i = 0; i < (pause == 0ms ? 20 : 2); ++i) {
        CHECK(get_text(client, origin) == "ok");
        std::this_thread::sleep_for(pause);  // why: the row asks for it
    }
    CHECK(origin.accepts() >= 2);
    if (pause != 0ms) {
        CHECK(client.cache.stats().replays == 0);
        CHECK(origin.accepts() == 2);
        CHECK(origin.request_count() == 2);
    }
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C029 a closing connection is not closed early", "[conformance][C029]") {
    const std::string body(20'000, 'y');
    Gate halfway;
    Origin origin([&](Connection& c) {
        if (!c.read_request()) return;
        c.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n");
        c.write_slowly(body, 5'000, 20ms);
    });
    Client client;
    auto response = client.session.get(origin.url());
    const auto result = read_to_end(response);
    CHECK_FALSE(result.outcome.threw);
    CHECK(result.bytes == body);
    CHECK(origin.wait_for_fins(1));
    CHECK(origin.resets() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C029 a connection can be closed for good after an empty body", "[conformance][C029]") {
    Origin origin(respond_with(reply("")));
    Client client;
    {
        auto response = client.session.send(Request::get(origin.url()).header("Connection", "close"));
        CHECK(response.body_state() == BodyState::complete);
        response.abort();  // there is nothing left to abort
        CHECK(response.body_state() == BodyState::complete);
    }
    CHECK(origin.wait_for_fins(1));
    CHECK(client.cache.stats().idle == 0);

    // By contract abort() comes too late for a body without a byte: its connection is somebody else's
    // already.
    client.session.get(origin.url()).abort();
    CHECK(client.cache.stats().idle == 1);
    CHECK(origin.open_connections() == 1);
    CHECK(client.cache.close_idle() == 1);
    CHECK(origin.wait_for_fins(2));
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C029 abort() closes the connection of a body of which nothing has come", "[conformance][C029]") {
    const auto* framing = GENERATE("Transfer-Encoding: chunked", "Content-Length: 5");
    CAPTURE(framing);
    Origin origin(
        scripts_in_turn({[&](Connection& c) {
                             if (!c.read_request()) return;
                             c.write(std::string("HTTP/1.1 200 OK\r\n").append(framing).append("\r\n\r\n"));
                             c.wait_for_fin();
                         },
                         respond_with(reply("after"))}));
    Client client;
    auto response = client.session.get(origin.url());
    CHECK(response.body_state() == BodyState::unread);
    response.abort();
    CHECK(response.body_state() == BodyState::abandoned);
    CHECK(client.cache.stats().open == 0);
    REQUIRE(origin.wait_for_ends(1));
    CHECK(origin.ended().at(0).how == PeerEnd::fin);
    REQUIRE(response.disposition());
    CHECK_FALSE(response.disposition()->reused);
    CHECK(response.disposition()->reason == CloseReason::unread_body);
    CHECK(client.log.warnings().empty());
    CHECK(client.session.get(origin.url()).text() == "after");
    CHECK(origin.accepts() == 2);
    client.check_end(origin.url());
}
