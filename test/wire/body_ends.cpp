// How a body ends when something is wrong with its end, with its sink, or with the wish for it.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <utility>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/h2_origin.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

static_assert(std::ranges::input_range<Chunks>);
static_assert(std::ranges::viewable_range<Chunks>);

TEST_CASE("chunks() goes into a view", "[wire][body]") {
    Origin origin(respond_with(reply("hello world")));
    Client client;
    auto response = client.session.get(origin.url());
    std::size_t total = 0;
    for (const auto size : response.chunks() | std::views::transform([](auto piece) { return piece.size(); }))
        total += size;
    CHECK(total == 11);
    CHECK_FALSE(response.locked());
    client.check_end(origin.url());
}

TEST_CASE("one chunks() assigned over another lets the first body go", "[wire][body]") {
    Origin origin(respond_with(reply(std::string(1 << 20, 'z'))));
    Client client;
    Session other(client.cache);
    auto first = client.session.get(origin.url());
    auto second = other.get(origin.url());
    auto chunks = first.chunks();
    chunks = second.chunks();
    CHECK_FALSE(first.locked());
    CHECK(second.locked());
    std::size_t total = 0;
    for (const auto piece : chunks) total += piece.size();
    CHECK(total == 1 << 20);
    first.consume();
    CHECK(client.at_rest());
}

TEST_CASE("a stream gives what came before its body was cut, then says that it is bad", "[wire][body]") {
    const std::string half(50'000, 'h');
    Origin origin(respond_and_close("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + half));
    Client client;
    const bool moved = GENERATE(false, true);
    CAPTURE(moved);
    auto response = client.session.get(origin.url());
    auto made = response.stream();
    std::optional<BodyStream> elsewhere;
    if (moved) elsewhere.emplace(std::move(made));
    auto& stream = moved ? *elsewhere : made;
    std::string text(100'000, '-');
    SECTION("without exceptions") {
        stream.read(text.data(), 40'000);
        CHECK(stream.good());
        stream.read(text.data() + 40'000, 60'000);
        CHECK(stream.gcount() == 10'000);
        if (moved) CHECK((made.bad() && made.rdbuf() == nullptr && made.get() == EOF));
        CHECK(stream.bad());
        CHECK(text.substr(0, 50'000) == half);
    }
    SECTION("with exceptions") {
        stream.exceptions(std::ios::badbit);
        CHECK(outcome_of([&] { stream.read(text.data(), 100'000); }).code == Errc::truncated);
        CHECK(stream.bad());
    }
    CHECK(response.body_state() == BodyState::failed);
}

TEST_CASE("trailers without an end are too large", "[wire][body]") {
    Origin origin(scripts_in_turn({[](Connection& connection) {
                                       connection.read_request();
                                       connection.write(
                                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                           "2\r\nok\r\n0\r\n");
                                       while (
                                           connection.write("X-Trailer: " + std::string(500, 't') + "\r\n")) {
                                       }
                                   },
                                   respond_with(reply("ok"))}));
    Client client;
    auto response = client.session.send(Request::get(origin.url()).timeout(30s));
    const auto body = read_to_end(response);
    CHECK(body.bytes == "ok");
    CHECK(body.outcome.code == Errc::too_large);
    CHECK(response.body_state() == BodyState::failed);
    client.check_end(origin.url());
}

TEST_CASE("trailers of HTTP/2 are there after the body", "[wire][body]") {
    Origin origin(h2_script([](H2Session& session) {
                      while (auto request = session.read_request()) {
                          session.send_headers(request->stream, 200);
                          session.send_data(request->stream, "hello", false);
                          session.send_trailers(request->stream, {{"x-sum", "1"}});
                      }
                  }),
                  h2_options());
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    auto response = client.session.get(origin.url());
    CHECK(response.text() == "hello");
    CHECK(response.trailers().get("x-sum") == "1");
    CHECK(client.cache.stats().idle == 1);
}

TEST_CASE("a file that takes no more fails the body, and its connection is closed", "[wire][save_to]") {
    Origin origin(respond_with(reply(std::string(2 << 20, 'x'))));
    Client client;
    {
        auto response = client.session.get(origin.url());
        CHECK_THROWS_AS(response.save_to("/nonexistent/directory/file"), std::filesystem::filesystem_error);
        CHECK(response.body_state() == BodyState::unread);  // nothing is lost yet
        CHECK_THROWS_AS(response.save_to("/dev/full"), std::filesystem::filesystem_error);
        CHECK(response.body_state() == BodyState::failed);
        CHECK_THROWS_AS(response.text(), std::filesystem::filesystem_error);
        CHECK(client.cache.stats().open == 0);
    }
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("a stop ends the wait for a redirect's body", "[wire][redirect]") {
    std::stop_source stop;
    Origin origin(scripts_in_turn(
        {[&](Connection& connection) {
             connection.read_request();
             connection.write("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 100\r\n\r\nx");
             stop.request_stop();
             connection.wait_for_fin();
         },
         respond_with(reply("ok"))}));
    Client client;
    const auto outcome =
        outcome_of([&] { client.session.send(Request::get(origin.url("/a")).stop(stop.get_token())); });
    CHECK(outcome.code == Errc::cancelled);
    CHECK(origin.request_count() == 1);
    CHECK(client.cache.stats().closed_by[CloseReason::drain_timeout] == 0);
    client.check_end(origin.url());
}

TEST_CASE("a POST that an HTTP/2 connection takes along is connection_lost, and sent once",
          "[wire][replay]") {
    const bool with_body = GENERATE(true, false);
    const bool tls = GENERATE(true, false);
    CAPTURE(with_body, tls);
    std::atomic<int> requests{0};
    Origin origin(h2_script([&](H2Session& session) {
                      while (auto request = session.read_request()) {
                          if (++requests == 2) return session.connection().close();
                          h2_respond("hello")(session, request->stream);
                      }
                  }),
                  h2_options(tls));
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    if (!tls) client.session.http_version(HttpVersion::http_2_prior_knowledge);
    CHECK(client.session.get(origin.url()).text() == "hello");
    const auto outcome =
        outcome_of([&] { client.session.post(origin.url(), with_body ? Body("body") : Body()); });
    CHECK(outcome.code == Errc::connection_lost);
    CHECK(requests == 2);
    CHECK(client.at_rest());
}

TEST_CASE("a GET that an HTTP/2 connection takes along is sent once more, on a fresh one", "[wire][replay]") {
    const bool tls = GENERATE(true, false);
    const int dying = GENERATE(1, 2, 1000);
    CAPTURE(tls, dying);
    std::atomic<int> requests{0};
    Origin origin(h2_script([&](H2Session& session) {
                      while (auto request = session.read_request()) {
                          const int n = ++requests;
                          if (n >= 2 && n < 2 + dying) return session.connection().close();
                          h2_respond("hello")(session, request->stream);
                      }
                  }),
                  h2_options(tls));
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    if (!tls) client.session.http_version(HttpVersion::http_2_prior_knowledge);
    CHECK(client.session.get(origin.url()).text() == "hello");
    std::string text;
    const auto outcome = outcome_of([&] { text = client.session.get(origin.url()).text(); });
    CHECK(requests == 3);
    CHECK(origin.accepts() == 2);
    CHECK(client.cache.stats().replays == 1);
    CHECK(outcome.threw == (dying > 1));
    CHECK(text == (dying > 1 ? "" : "hello"));
    CHECK(client.at_rest());
}

TEST_CASE("a request that must not be replayed is not, over HTTP/2 either", "[wire][replay]") {
    std::atomic<int> requests{0};
    Origin origin(h2_script([&](H2Session& session) {
                      while (auto request = session.read_request()) {
                          if (++requests == 2) return session.connection().close();
                          h2_respond("hello")(session, request->stream);
                      }
                  }),
                  h2_options());
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    CHECK(client.session.get(origin.url()).text() == "hello");
    SECTION("by wish") {
        client.session.replay(Replay::never);
        CHECK(outcome_of([&] { client.session.get(origin.url()); }).code == Errc::connection_lost);
        CHECK(requests == 2);
    }
    SECTION("by its body") {
        auto body = Body::pull([n = 0](std::span<std::byte> to) mutable -> std::size_t {
            if (n++ != 0) return 0;
            to[0] = std::byte{'x'};
            return 1;
        });
        CHECK(outcome_of([&] { client.session.put(origin.url(), body); }).threw);
        CHECK(requests == 2);
    }
    CHECK(client.cache.stats().replays == 0);
    CHECK(client.session.get(origin.url()).text() == "hello");
    CHECK(client.at_rest());
}

TEST_CASE("bytes after a message cost the connection of a session with raw options too", "[wire][framing]") {
    const std::string evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    const std::string raw =
        GENERATE_COPY("HTTP/1.1 204 No\r\n\r\n" + evil, chunked_reply({"ok"}) + evil, reply("") + evil);
    Origin origin(respond_with(raw));
    Client client;
    client.session.setopt(CURLOPT_TCP_NODELAY, 1L);
    client.session.get(origin.url()).consume();
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.cache.stats().closed_by[CloseReason::unsolicited_data] == 1);
}

TEST_CASE("progress is told as seldom over redirects", "[wire][progress]") {
    Origin origin(handler([](const Recorded& request) {
        const int at = std::stoi(request.target.substr(1));
        return at == 9 ? reply("end") : reply("moved", 302, "Location: /" + std::to_string(at + 1) + "\r\n");
    }));
    Client client;
    int calls = 0;
    client.session.progress([&](const Progress&) { ++calls; });
    const auto before = Clock::now();
    CHECK(client.session.get(origin.url("/0")).text() == "end");
    const auto intervals = (Clock::now() - before) / 50ms;
    CHECK(calls >= 1);
    CHECK(calls <= intervals + 2);
}
