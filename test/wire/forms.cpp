// The forms in which a call may be written: with an error code, with a derived pointer. And what an answer
// that is no HTTP becomes.
#include <ringlet/ringlet.hpp>

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <system_error>

#include "support/fixture.hpp"
#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::Origin;

TEST_CASE("save_to with an error code reports a file that cannot be written", "[wire][save_to]") {
    const Origin origin(test::respond_with(test::reply("hello")));
    Session session{ConnectionCache{}};
    auto response = session.get(origin.url());
    std::error_code ec;
    response.save_to("/nowhere/at/all", ec);
    CHECK(ec == std::errc::no_such_file_or_directory);
    CHECK(response.body_state() == BodyState::unread);
    CHECK(response.text() == "hello");
}

TEST_CASE("consume within limits has a form without exceptions", "[wire][consume]") {
    const Origin origin(
        test::respond_with("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nfive!"));
    Session session{ConnectionCache{}};
    auto response = session.send(Request::get(origin.url()).timeout(200ms));
    std::error_code ec;
    const auto disposition = response.consume({.bytes = 100}, ec);
    CHECK(ec == Errc::timeout);
    CHECK_FALSE(disposition.reused);
}

TEST_CASE("prewarm has a form without exceptions", "[wire][prewarm]") {
    ConnectionCache cache;
    std::error_code ec;
    CHECK(cache.prewarm("ftp://127.0.0.1/", 1, ec) == 0);
    CHECK(ec == Errc::unsupported_protocol);
}

TEST_CASE("a pointer to a class derived from Source is a body", "[wire][body]") {
    struct Once : Source {
        bool sent = false;
        std::size_t read(std::span<std::byte> buffer) override {
            if (sent || buffer.empty()) return 0;
            buffer[0] = std::byte{'x'};
            sent = true;
            return 1;
        }
    };
    Origin origin(test::handler([](const test::Recorded& request) { return test::reply(request.body); }));
    Session session{ConnectionCache{}};
    CHECK(session.post(origin.url(), std::make_unique<Once>()).text() == "x");
    CHECK(session.put(origin.url(), std::make_shared<Once>()).text() == "x");
}

TEST_CASE("an answer without a status line is a protocol error", "[wire][errors]") {
    const Origin origin(test::respond_and_close("nonsense\r\n\r\n"));
    Session session{ConnectionCache{}};
    const auto outcome = test::outcome_of([&] { session.get(origin.url()); });
    CHECK(outcome.code == Errc::protocol);
    CHECK_FALSE(outcome.retryable);
}

}  // namespace
