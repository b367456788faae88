// Conformance: HEAD, 204, 304 and 1xx.
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// The body of an answer that may have none, whichever way the caller ends it.
void expect_empty(Response response, int status) {
    const auto start = Clock::now();
    CHECK(response.status() == status);
    CHECK(response.body_state() == BodyState::complete);
    CHECK(read_to_end(response).bytes.empty());
    CHECK(response.body_state() == BodyState::complete);
    CHECK(Clock::now() - start < 1s);
}

}  // namespace

TEST_CASE("C097 an answer to HEAD is over with its head", "[conformance][C097]") {
    const char* framing = GENERATE("Content-Length: 123\r\n", "Transfer-Encoding: chunked\r\n", "");
    const bool dropped = GENERATE(false, true);
    CAPTURE(framing, dropped);
    Origin origin(handler([&](const Recorded& r) -> std::string {
        return r.method == "HEAD" ? "HTTP/1.1 200 OK\r\n" + std::string(framing) + "\r\n" : ok;
    }));
    Client client;
    for (int i = 0; i < 2; ++i) {
        auto response = client.session.head(origin.url());
        if (*framing == 'C') CHECK(response.content_length() == 123);
        if (*framing == 'T') CHECK(response.headers().get("Transfer-Encoding") == "chunked");
        if (!dropped) expect_empty(std::move(response), 200);
    }
    CHECK(client.session.get(origin.url()).text() == "ok");
    CHECK(origin.accepts() == 1);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C098 a body in an answer to HEAD is hidden and costs the connection", "[conformance][C098]") {
    const bool late = GENERATE(false, true);
    CAPTURE(late);
    Gate answered, sent;
    Origin origin(scripts_in_turn({[&](Connection& c) {
                                       c.read_request();
                                       c.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" +
                                               std::string(late ? "" : "hello"));
                                       if (late) {
                                           c.wait_for(answered);
                                           c.sleep(50ms);  // why: the row asks for it
                                           c.write("hello");
                                       }
                                       sent.open();
                                       c.wait_for_fin();
                                   },
                                   respond_with(ok)}));
    Client client;
    expect_empty(client.session.head(origin.url()), 200);
    answered.open();
    REQUIRE(sent.wait());
    std::this_thread::sleep_for(5ms);  // why: loopback delivers, but not within write()
    auto response = client.session.get(origin.url());
    CHECK(response.status() == 200);
    CHECK(response.text() == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C099 a 204 is over with its head, whatever it announces", "[conformance][C099]") {
    const char* framing = GENERATE("Transfer-Encoding: chunked\r\n", "");
    CAPTURE(framing);
    Origin origin(handler([&](const Recorded& r) -> std::string {
        return r.target == "/204" ? "HTTP/1.1 204 No Content\r\n" + std::string(framing) + "\r\n" : ok;
    }));
    Client client;
    for (int i = 0; i < 4; ++i) {
        auto response = client.session.get(origin.url("/204"));
        if (i % 2 == 0) response.abort();
    }
    expect_empty(client.session.get(origin.url("/204")), 204);
    CHECK(client.session.get(origin.url()).text() == "ok");
    CHECK(origin.accepts() == 1);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C100 garbage after a 204 reaches nobody", "[conformance][C100]") {
    const char* length = GENERATE("", "Content-Length: 63\r\n");
    CAPTURE(length);
    std::string garbage;
    for (int i = 0; i < 9; ++i) garbage += "garbage";
    Origin origin(
        scripts_in_turn({respond_with("HTTP/1.1 204 No Content\r\n" + std::string(length) + "\r\n" + garbage),
                         respond_with(ok)}));
    Client client;
    expect_empty(client.session.get(origin.url()), 204);
    auto stuff = client.session.get(origin.url("/stuff"));
    CHECK(stuff.status() == 200);
    CHECK(stuff.text() == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C101 a 304 has no body, and stray bytes after it cost the connection", "[conformance][C101]") {
    struct Case {
        const char* fields;
        const char* stray;
        std::size_t accepts;
    };
    const auto c =
        GENERATE(Case{"Content-Length: 677777\r\n", "", 1}, Case{"Content-Encoding: gzip\r\n", "", 1},
                 Case{"Transfer-Encoding: chunked\r\n", "0\r\n\r\n", 2});
    CAPTURE(c.fields);
    Origin origin(handler([&](const Recorded& r) -> std::string {
        return r.target == "/304" ? "HTTP/1.1 304 Not Modified\r\n" + std::string(c.fields) + "\r\n" + c.stray
                                  : ok;
    }));
    Client client;
    expect_empty(client.session.get(origin.url("/304")), 304);
    CHECK(client.session.get(origin.url()).text() == "ok");
    CHECK(origin.accepts() == c.accepts);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C103 an endless stream of interim answers is cut off", "[conformance][C103]") {
    Origin origin(scripts_in_turn({[](Connection& c) {
                                       c.read_request();
                                       const std::string one =
                                           "HTTP/1.1 103 Early Hints\r\nLink: " + std::string(100, 'l') +
                                           "\r\n\r\n";
                                       while (c.write(one)) {
                                       }
                                   },
                                   respond_with(ok)}));
    Client client;
    const auto flooded = outcome_of([&] { client.session.send(Request::get(origin.url()).timeout(30s)); });
    CAPTURE(flooded.message);
    CHECK(flooded.code == Errc::too_large);
    CHECK(origin.wait_for_ends(1));
    CHECK(client.cache.stats().idle == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C104 an interim answer alone is no answer", "[conformance][C104]") {
    Client client;
    SECTION("then the connection ends") {
        const bool kept = GENERATE(false, true);
        CAPTURE(kept);
        Origin origin(scripts_in_turn({[&](Connection& c) {
                                           if (kept) {
                                               c.read_request();
                                               c.write(ok);
                                           }
                                           c.read_request();
                                           c.write("HTTP/1.1 100 Continue\r\n\r\n");
                                           c.close();
                                       },
                                       respond_with(ok)}));
        if (kept) client.session.get(origin.url()).text();
        const auto outcome = outcome_of([&] { client.session.get(origin.url()); });
        CAPTURE(outcome.message);
        CHECK(outcome.code == Errc::empty_reply);
        CHECK(client.cache.stats().replays == 0);
        CHECK(client.cache.stats().idle == 0);
        client.check_end(origin.url());
        CHECK(origin.accepts() == 2);
    }
    SECTION("then nothing comes") {
        Origin origin(scripts_in_turn({[](Connection& c) {
                                           c.read_request();
                                           c.write("HTTP/1.1 100 Continue\r\n\r\n");
                                           c.wait_for_fin();
                                       },
                                       respond_with(ok)}));
        const auto outcome = outcome_of(
            [&] { client.session.send(Request::get(origin.url()).first_byte_timeout(300ms).timeout(20s)); });
        CAPTURE(outcome.message);
        CHECK(outcome.code == Errc::timeout);
        CHECK(outcome.message.find("first_byte_timeout") != std::string::npos);
        CHECK(origin.wait_for_ends(1));
        client.check_end(origin.url());
    }
    SECTION("and it may have no body") {
        const char* interim = GENERATE("HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\na",
                                       "HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\na");
        CAPTURE(interim);
        Origin origin(scripts_in_turn({[&](Connection& c) {
                                           c.read_request();
                                           c.write(interim);
                                           c.write(ok);
                                           c.wait_for_fin();
                                       },
                                       respond_with(ok)}));
        const auto outcome =
            outcome_of([&] { client.session.send(Request::get(origin.url()).timeout(20s)).text(); });
        CAPTURE(outcome.message);
        CHECK(outcome.code == Errc::protocol);
        CHECK(origin.wait_for_ends(1));
        client.check_end(origin.url());
    }
}

TEST_CASE("C104 interim answers before the answer leave nothing in it", "[conformance][C104]") {
    Origin origin(
        respond_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Hint: a\r\n\r\n" + ok));
    Client client;
    auto response = client.session.get(origin.url());
    CHECK(response.status() == 200);
    CHECK_FALSE(response.headers().contains("X-Hint"));
    CHECK(response.text() == "ok");
    client.check_end(origin.url());
    CHECK(origin.accepts() == 1);
}
