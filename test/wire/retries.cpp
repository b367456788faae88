// New attempts and redirects: what the answers in between leave behind, and what a callback says to them.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

const RetryPolicy three_times{.attempts = 3, .backoff = 1ms, .max_backoff = 1ms};

// Ten bytes, again and again.
Body rewindable(const std::function<bool()>& rewind) {
    auto left = std::make_shared<int>(10);
    return Body::pull(
        [left](std::span<std::byte> to) -> std::size_t {
            if (*left == 0) return 0;
            --*left;
            to[0] = std::byte{'x'};
            return 1;
        },
        std::nullopt,
        [left, rewind] {
            *left = 10;
            return rewind();
        });
}

}  // namespace

TEST_CASE("a wait beyond all bounds is not begun within a deadline", "[wire][retry]") {
    Origin origin(handler(
        [](const Recorded&) { return reply("later", 503, "Retry-After: 99999999999999999999\r\n"); }));
    Client client;
    const RetryPolicy patient{.attempts = 3,
                              .backoff = std::chrono::milliseconds::max(),
                              .max_backoff = std::chrono::milliseconds::max()};
    auto response = client.session.send(Request::get(origin.url()).retry(patient).timeout(5s));
    CHECK(response.status() == 503);
    CHECK(response.text() == "later");
    CHECK(origin.request_count() == 1);
}

TEST_CASE("a refused answer to a streamed upload keeps its connection for the next attempt",
          "[wire][retry]") {
    Origin origin(respond_in_turn({reply("busy", 503), reply("", 503), reply("ok")}));
    Client client;
    TempDir directory;
    const auto file = directory.write("body", std::string(10, 'x'));
    const bool from_file = GENERATE(true, false);
    CAPTURE(from_file);
    const auto body = from_file ? Body(file) : rewindable([] { return true; });
    CHECK(client.session.send(Request::put(origin.url(), body).retry(three_times)).text() == "ok");
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 3);
    for (const auto& request : requests) CHECK(request.body == std::string(10, 'x'));
    CHECK(origin.accepts() == 1);
    CHECK(client.cache.stats().closed == 0);
}

TEST_CASE("what rewind() throws between two attempts comes out of send()", "[wire][retry]") {
    Origin origin(respond_in_turn({reply("busy", 503), reply("ok")}));
    Client client;
    const auto body = rewindable([]() -> bool { throw std::domain_error("the caller's own"); });
    CHECK_THROWS_AS(client.session.send(Request::put(origin.url(), body).retry(three_times)),
                    std::domain_error);
    CHECK(origin.request_count() == 1);
    client.check_end(origin.url());
}

TEST_CASE("an error that the caller's own source throws is no reason for another attempt", "[wire][retry]") {
    Origin origin(respond_with(reply("ok")));
    Client client;
    int asked = 0;
    const auto body = Body::pull(
        [&](std::span<std::byte>) -> std::size_t {
            ++asked;
            throw Error(Errc::connect, "of a request that the source made");
        },
        std::nullopt, [] { return true; });
    const auto outcome =
        outcome_of([&] { client.session.send(Request::put(origin.url(), body).retry(three_times)); });
    CHECK(outcome.code == Errc::connect);
    CHECK(asked == 1);
    client.check_end(origin.url());
}

TEST_CASE("nor is one of progress() or of a with_handle() function", "[wire][retry]") {
    Origin origin(respond_with(reply("")));
    Client client;
    int calls = 0;
    const auto [in_progress, last] = GENERATE(table<bool, int>({{true, 1}, {true, 2}, {false, 1}}));
    CAPTURE(in_progress, last);
    const auto throw_at_last = [&, at = last] {
        if (++calls == at) throw Error(Errc::connect, "of a request that the function made");
    };
    auto request = Request::get(origin.url()).retry(three_times);
    if (in_progress)
        request.progress([&](const Progress&) { throw_at_last(); });
    else
        client.session.with_handle([&](CURL*) { throw_at_last(); });
    const auto outcome = outcome_of([&] {
        for (int i = 0; i < 2; ++i) client.session.send(request).consume();
    });
    CHECK(outcome.code == Errc::connect);
    CHECK(calls == last);
    CHECK(client.cache.stats().leased == 0);
}

TEST_CASE("what progress() throws while a redirect's body comes ends the request", "[wire][redirect]") {
    const bool retried = GENERATE(false, true);
    CAPTURE(retried);
    Origin origin(scripts_in_turn(
        {[&](Connection& connection) {
             connection.read_request();
             connection.write(retried ? "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\n0123456789"
                                      : "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 100\r\n\r\n"
                                        "0123456789");
             while (connection.sleep(20ms) && connection.write("x")) {
             }
         },
         respond_with(reply("ok"))}));
    Client client;
    const auto request = Request::get(origin.url("/a")).retry(three_times).progress([](const Progress& p) {
        if (p.downloaded > 0) throw std::domain_error("the caller's own");
    });
    CHECK_THROWS_AS(client.session.send(request), std::domain_error);
    CHECK(origin.request_count() == 1);
    client.check_end(origin.url());
}

TEST_CASE("shutting the cache down in the last call of progress() is refused too", "[wire][callback]") {
    Origin origin(respond_in_turn({reply("", 302, "Location: /b\r\n"), reply("")}));
    Client client;
    int refused = 0, allowed = 0;
    const auto request = Request::get(origin.url("/a")).progress([&](const Progress&) {
        const auto outcome = outcome_of([&] { client.cache.shutdown(100ms); });
        ++(outcome.code == Errc::invalid_argument ? refused : allowed);
    });
    CHECK(client.session.send(request).status() == 200);
    CHECK(refused > 0);
    CHECK(allowed == 0);
    client.check_end(origin.url("/c"));
}

TEST_CASE("a source that was never asked can still be sent", "[wire][upload]") {
    Origin origin(respond_with(reply("ok")));
    Client client([](auto& builder) { builder.max_connections(1).acquire_timeout(0s); });
    bool asked = false;
    const auto request =
        Request::post(origin.url("/b"), Body::pull([&](std::span<std::byte> to) -> std::size_t {
                          if (std::exchange(asked, true)) return 0;
                          to[0] = std::byte{'x'};
                          return 1;
                      }));
    {
        Session other(client.cache);
        const auto unread = other.get(origin.url("/a"));
        CHECK(outcome_of([&] { client.session.send(request); }).code == Errc::acquire_timeout);
    }
    CHECK(client.session.send(request).text() == "ok");
    CHECK(origin.requests().back().body == "x");
    CHECK(outcome_of([&] { client.session.send(request); }).code == Errc::body_not_replayable);
}

TEST_CASE("Connection: close counts in whichever field of the request it is", "[wire]") {
    Origin origin(respond_with(reply("ok")));
    Client client;
    const auto request =
        Request::get(origin.url()).add_header("Connection", "keep-alive").add_header("Connection", "close");
    auto response = client.session.send(request);
    CHECK(response.consume().reason == CloseReason::connection_close);
    CHECK(client.cache.stats().idle == 0);
}

TEST_CASE("a request with a file's content is sent as often as one likes", "[wire][upload]") {
    Origin origin(respond_with(reply("ok")));
    Client client;
    TempDir directory;
    const auto request = Request::put(origin.url(), Body(directory.write("body", "of the file")));
    for (int i = 0; i < 3; ++i) CHECK(client.session.send(request).text() == "ok");
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 3);
    for (const auto& sent : requests) CHECK(sent.body == "of the file");
}
