// Conformance: framing-and-eviction, where it does not.
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("C020 a body cut short is an error after its bytes, never an end", "[conformance][C020]") {
    const bool reset = GENERATE(false, true);
    CAPTURE(reset);
    Gate read;
    Origin origin(scripts_in_turn({[&](Connection& c) {
                                       c.read_request();
                                       c.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nab");
                                       if (!reset) return c.close();
                                       c.wait_for(read);
                                       c.reset();
                                   },
                                   respond_with(ok)}));
    Client client;
    auto response = client.session.get(origin.url());
    CHECK(read_bytes(response, 2) == "ab");
    read.open();
    const auto rest = read_to_end(response);
    CHECK(rest.bytes.empty());
    REQUIRE(rest.outcome.threw);
    CHECK(rest.outcome.code == (reset ? Errc::connection_lost : Errc::truncated));
    CHECK(rest.outcome.native_code == (reset ? CURLE_RECV_ERROR : CURLE_PARTIAL_FILE));
    CHECK(rest.outcome.bytes_received == 2);
    CHECK(rest.outcome.phase == Phase::body);
    CHECK(response.body_state() == BodyState::failed);
    CHECK(read_to_end(response).outcome.code == rest.outcome.code);  // and stays so
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.cache.stats().closed_by[CloseReason::transfer_error] == 1);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
    CHECK(client.drop_warnings() == 0);
}

TEST_CASE("C021 a chunked body cut anywhere is truncated", "[conformance][C021]") {
    const char* cut = GENERATE("5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n1", "5\r\nhello\r\n0\r\n", "");
    CAPTURE(cut);
    const std::string arrived = std::string_view(cut).find("hello") != std::string_view::npos ? "hello"
                                : *cut != '\0'                                                ? "hel"
                                                                                              : "";
    Origin origin(scripts_in_turn(
        {respond_and_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(cut)),
         respond_with(ok)}));
    Client client;
    auto response = client.session.get(origin.url());
    const auto result = read_to_end(response);
    CHECK(result.bytes == arrived);
    REQUIRE(result.outcome.threw);
    CHECK(result.outcome.code == Errc::truncated);
    CHECK(result.outcome.bytes_received == arrived.size());
    CHECK(client.cache.stats().idle == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C026 a Content-Length that is no number is a protocol error", "[conformance][C026]") {
    const char* value = GENERATE("+3", "-6", "12abc", "abc", "3, 4");
    CAPTURE(value);
    const auto bad = "HTTP/1.1 200 OK\r\nContent-Length: " + std::string(value) + "\r\n\r\nabcabcabcabc";
    Origin origin(scripts_in_turn({respond_with(bad), respond_with(ok)}));
    Client client;
    const auto result = outcome_of([&] { client.session.get(origin.url()).text(); });
    REQUIRE(result.threw);
    CHECK(result.code == Errc::protocol);
    CHECK(client.cache.stats().idle == 0);
    CHECK(origin.wait_for_ends(1));
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
    CHECK(client.drop_warnings() == 0);
}

TEST_CASE("C026 two Content-Lengths must agree", "[conformance][C026]") {
    const bool agree = GENERATE(true, false);
    CAPTURE(agree);
    const auto twice =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: " + std::string(agree ? "3" : "5") +
        "\r\n\r\nabc";
    Origin origin(scripts_in_turn({respond_with(twice), respond_with(ok)}));
    Client client;
    std::string text;
    const auto result =
        outcome_of([&] { text = client.session.send(Request::get(origin.url()).timeout(5s)).text(); });
    CHECK(result.threw == !agree);
    if (agree) {
        CHECK(text == "abc");
        CHECK(client.cache.stats().idle == 1);
    } else {
        CHECK(result.code == Errc::protocol);
        CHECK(text.empty());
        CHECK(client.cache.stats().idle == 0);
    }
    client.check_end(origin.url());
}

TEST_CASE("C026 a Content-Length beyond 64 bits is read to the end of the connection",
          "[conformance][C026]") {
    Origin origin(scripts_in_turn(
        {respond_and_close("HTTP/1.1 200 OK\r\nContent-Length: 36893488147419103232\r\n\r\nabc"),
         respond_with(ok)}));
    Client client;
    auto response = client.session.get(origin.url());
    CHECK_FALSE(response.content_length());
    const auto result = read_to_end(response);
    CHECK(result.bytes == "abc");
    CHECK_FALSE(result.outcome.threw);
    CHECK(client.cache.stats().idle == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}
