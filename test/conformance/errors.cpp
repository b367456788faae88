// Conformance: errors & bad input. Answers that are none.
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// One connection that answers `good` requests and then writes these bytes and closes.
Script spoils(int good, std::string bytes, bool close = true) {
    return [good, bytes = std::move(bytes), close](Connection& c) {
        for (int i = 0; i <= good; ++i) {
            if (!c.read_request()) return;
            c.write(i < good ? ok : bytes);
        }
        if (close)
            c.close();
        else
            c.wait_for_fin();
    };
}

// 100000 times the letter a.
std::string gzip_of_100000_a() {
    constexpr std::string_view hex =
        "1f8b0800000000000203edc13101000000c2a0aceb5fc21a1e40010000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000000000af0687fae21ba08601"
        "00";
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    }
    return bytes;
}

}  // namespace

TEST_CASE("C163 what is no HTTP answer is a protocol error", "[conformance][C163]") {
    const char* bytes =
        GENERATE("HTP/1.1 200 OK\r\n\r\n", "foobar", "foobar\r\n\r\n", "HTTP/1000 200\r\n\r\n",
                 "<html>HTTP/0.9</html>", "HTTP/1.1 2147483648 OK\r\n\r\n", "HTTP/1.1 00a OK\r\n\r\n",
                 "HTTP/1.1 -12 OK\r\n\r\n", "HTTP/1.1\r\n\r\n");
    const bool kept = GENERATE(false, true);
    CAPTURE(bytes, kept);
    Origin origin(scripts_in_turn({spoils(kept ? 1 : 0, bytes), respond_with(ok)}));
    Client client;
    if (kept) client.session.get(origin.url()).text();
    std::string body;
    const auto outcome = outcome_of([&] { body = client.session.get(origin.url("/p?q=secret")).text(); });
    CAPTURE(outcome.message);
    REQUIRE(outcome.threw);
    CHECK(body.empty());
    CHECK((outcome.code == Errc::protocol || outcome.code == Errc::connection_lost));
    CHECK(outcome.remote_address == "127.0.0.1:" + std::to_string(origin.port()));
    CHECK(outcome.url == origin.url("/p"));
    CHECK(outcome.message.find(origin.url("/p")) != std::string::npos);
    CHECK(outcome.message.find("secret") == std::string::npos);
    CHECK(origin.request_count() == (kept ? 2 : 1));
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.cache.stats().replays == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C165 header lines that are not well formed", "[conformance][C165]") {
    const auto answer = [](const std::string& line) {
        return "HTTP/1.1 200 OK\r\nX-Before: 1\r\n" + line + "\r\nContent-Length: 2\r\n\r\nok";
    };
    Client client;
    SECTION("refused") {
        const std::string line =
            GENERATE(std::string("X-Nul: a\0b", 10), std::string("X-Cr: a\rb"), std::string("no colon"));
        CAPTURE(line);
        Origin origin(scripts_in_turn({respond_with(answer(line)), respond_with(ok)}));
        const auto outcome = outcome_of([&] { client.session.get(origin.url()).text(); });
        CAPTURE(outcome.message);
        CHECK(outcome.code == Errc::protocol);
        CHECK(client.cache.stats().idle == 0);
        client.check_end(origin.url());
        CHECK(origin.accepts() == 2);
    }
    SECTION("an empty name is no field") {
        Origin origin(respond_with(answer(": value")));
        auto response = client.session.get(origin.url());
        CHECK(response.headers().get("X-Before") == "1");
        CHECK(response.headers().size() == 2);
        CHECK(response.text() == "ok");
        client.check_end(origin.url());
    }
    SECTION("blanks before the colon are not part of the name") {
        Origin origin(respond_with(answer("Foo : bar")));
        auto response = client.session.get(origin.url());
        CHECK(response.headers().get("Foo") == "bar");
        CHECK(response.text() == "ok");
        client.check_end(origin.url());
    }
    SECTION("a folded line belongs to its field and to no other") {
        Origin origin(respond_with(answer("X-Long: one\r\n two\r\nX-After: 2")));
        auto response = client.session.get(origin.url());
        CHECK(response.headers().get("X-Long").value_or("").starts_with("one"));
        CHECK(response.headers().get("X-After") == "2");
        CHECK(response.headers().size() == 4);
        CHECK(response.text() == "ok");
        client.check_end(origin.url());
    }
}

TEST_CASE("C166 a head that is too large is cut off", "[conformance][C166]") {
    const int kind = GENERATE(0, 1, 2);
    CAPTURE(kind);
    Origin origin(scripts_in_turn({[&](Connection& c) {
                                       c.read_request();
                                       c.write("HTTP/1.1 200 OK\r\n");
                                       if (kind == 0)
                                           c.write("X-Long: " + std::string(120 * 1024, 'l') + "\r\n");
                                       if (kind == 1) {
                                           for (int i = 0; i < 6'000; ++i)
                                               c.write("X-" + std::to_string(i) + ": " +
                                                       std::string(60, 'v') + "\r\n");
                                       }
                                       if (kind == 2) {
                                           c.write("X-Endless: ");
                                           while (c.write(std::string(16'384, 'e'))) {
                                           }
                                       }
                                       c.write("Content-Length: 2\r\n\r\nok");
                                       c.wait_for_fin();
                                   },
                                   respond_with(ok)}));
    Client client;
    const auto outcome = outcome_of([&] { client.session.send(Request::get(origin.url()).timeout(30s)); });
    CAPTURE(outcome.message);
    CHECK(outcome.code == Errc::too_large);
    CHECK(origin.wait_for_ends(1));
    CHECK(client.cache.stats().idle == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C167 max_body_size counts decoded bytes, however they are framed", "[conformance][C167]") {
    struct Case {
        const char* name;
        std::string answer;
        std::uint64_t limit;
    };
    const Case cases[] = {{"by length", reply("hello"), 1},
                          {"chunked", chunked_reply({"he", "llo"}), 1},
                          {"gzip", reply(gzip_of_100000_a(), 200, "Content-Encoding: gzip\r\n"), 50'000},
                          {"nothing allowed", reply("x"), 0}};
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            const bool step_by_step = GENERATE(false, true);
            CAPTURE(step_by_step);
            Origin origin(scripts_in_turn({respond_with(c.answer), respond_with(ok)}));
            Client client;
            ReadResult result;
            result.outcome = outcome_of([&] {
                auto response = client.session.send(Request::get(origin.url()).max_body_size(c.limit));
                if (!step_by_step) {
                    result.bytes = response.text();
                    return;
                }
                auto inner = read_to_end(response);
                result.bytes = inner.bytes;
                if (inner.outcome.threw) throw Error(inner.outcome.code, inner.outcome.message);
            });
            CHECK(result.outcome.code == Errc::too_large);
            CHECK(result.bytes.size() <= c.limit);
            CHECK(client.cache.stats().idle == 0);
            client.check_end(origin.url());
            CHECK(origin.accepts() == 2);
        }
    }
}

TEST_CASE("C167 a body of exactly max_body_size passes", "[conformance][C167]") {
    Origin origin(respond_with(reply("hello")));
    Client client;
    CHECK(client.session.send(Request::get(origin.url()).max_body_size(5)).text() == "hello");
    CHECK(client.cache.stats().idle == 1);
    client.check_end(origin.url());
}

TEST_CASE("C171 a body that cannot be decoded", "[conformance][C171]") {
    Client client;
    SECTION("corrupt, or cut with its framing right") {
        const std::string body =
            GENERATE(std::string("this is no gzip data at all"), std::string("\x1f\x8b", 2));
        CAPTURE(body.size());
        Origin origin(scripts_in_turn(
            {respond_with(reply(body, 200, "Content-Encoding: gzip\r\n")), respond_with(ok)}));
        std::string text;
        const auto outcome = outcome_of([&] { text = client.session.get(origin.url()).text(); });
        CAPTURE(outcome.message);
        CHECK(outcome.code == Errc::decode);
        CHECK(client.cache.stats().idle == 0);
        CHECK(text.empty());
        client.check_end(origin.url());
    }
    SECTION("cut anywhere, and whole") {
        const auto whole = gzip_of_100000_a();
        const std::string nothing("\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0", 20);
        for (std::size_t size = 1; size <= whole.size(); ++size) {
            for (const bool chunked : {false, true}) {
                CAPTURE(size, chunked);
                const auto body = whole.substr(0, size);
                constexpr auto* fields = "Content-Encoding: gzip\r\n";
                const auto half = size / 2;
                Origin origin(
                    respond_with(chunked && half != 0
                                     ? chunked_reply({body.substr(0, half), body.substr(half)}, 200, fields)
                                     : reply(body, 200, fields)));
                std::size_t got = 0;
                const auto outcome =
                    outcome_of([&] { got = client.session.get(origin.url()).text().size(); });
                if (size == whole.size()) {
                    CHECK(got == 100'000);
                    CHECK_FALSE(outcome.threw);
                } else {
                    CHECK(outcome.code == Errc::decode);
                }
            }
        }
        Origin origin(scripts_in_turn({[&](Connection& connection) {
                                           for (const auto& body : {nothing, whole, std::string()}) {
                                               connection.read_request();
                                               connection.write(
                                                   reply(body, 200, "Content-Encoding: gzip\r\n"));
                                           }
                                           connection.close();
                                       },
                                       respond_with(ok)}));
        CHECK(client.session.get(origin.url()).text().empty());
        CHECK(client.session.get(origin.url()).text().size() == 100'000);
        CHECK(client.session.get(origin.url()).text().empty());
        client.check_end(origin.url());
    }
    SECTION("an unknown coding") {
        Origin origin(scripts_in_turn(
            {respond_with(reply("as it is", 200, "Content-Encoding: x-unheard\r\n")), respond_with(ok)}));
        std::string text;
        const auto outcome = outcome_of([&] { text = client.session.get(origin.url()).text(); });
        CAPTURE(outcome.message);
        CHECK(((outcome.threw && outcome.code == Errc::decode) || text == "as it is"));
        client.check_end(origin.url());
    }
    SECTION("raw mode decodes nothing") {
        Origin origin(respond_with(reply("this is no gzip", 200, "Content-Encoding: gzip\r\n")));
        CHECK(client.session.send(Request::get(origin.url()).accept_encoding(std::nullopt)).text() ==
              "this is no gzip");
        CHECK_FALSE(origin.requests().at(0).header("Accept-Encoding"));
        origin.set_script(respond_with(ok));
        origin.close_all();
        client.check_end(origin.url());
    }
}
