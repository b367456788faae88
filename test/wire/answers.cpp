// Answers and bodies at the edges of the rules.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <ringlet/ringlet.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <string>

#include "support/child.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::Connection;
using test::open_descriptors;
using test::Origin;
using test::reply;
using test::respond_with;

TEST_CASE("bytes that come with a head that has no body make its connection unfit", "[wire][framing]") {
    const auto closes = [](std::string_view method, const std::string& raw) {
        Origin origin(respond_with(raw));
        ConnectionCache cache;
        Session session(cache);
        auto response = session.send(Request(method, origin.url()));
        CHECK(response.text().empty());
        return cache.stats().closed_by[CloseReason::unsolicited_data] == 1 && cache.stats().idle == 0;
    };
    CHECK(closes("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
    CHECK(closes("GET", "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
    CHECK(closes("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nXXXX"));
}

TEST_CASE("a retry after a redirect begins with the caller's own method and body", "[wire][retry]") {
    std::atomic<int> n{0};
    Origin origin([&](Connection& connection) {
        while (const auto request = connection.read_request()) {
            const int turn = n++;
            if (turn % 2 == 0) {
                connection.write(reply("", 303, "Location: /result\r\n"));
            } else {
                connection.write(turn == 1 ? reply("", 503) : reply("done"));
            }
        }
    });
    Session session{ConnectionCache()};
    session.retry(RetryPolicy{.attempts = 3, .backoff = 1ms});
    CHECK(session.put(origin.url("/start"), "body").text() == "done");
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 4);
    CHECK(requests[2].method == "PUT");
    CHECK(requests[2].body == "body");
    CHECK(requests[3].method == "GET");
    CHECK(requests[3].body.empty());
}

Body one_shot() {
    return Body::pull([sent = false](std::span<std::byte> to) mutable -> std::size_t {
        if (std::exchange(sent, true)) return 0;
        to[0] = std::byte{'x'};
        return 1;
    });
}

TEST_CASE("a retry that a one-shot body rules out gives what the first attempt gave", "[wire][retry]") {
    Origin origin(respond_with(reply("busy", 503)));
    Session session{ConnectionCache()};
    session.retry(RetryPolicy{.attempts = 2, .backoff = 1ms});
    auto response = session.put(origin.url(), one_shot());
    CHECK(response.status() == 503);
    CHECK(response.text() == "busy");
    std::error_code ec;
    session.put("http://127.0.0.1:1/", one_shot(), ec);
    CHECK(ec == Errc::connect);
}

TEST_CASE("first_byte_timeout does not end with an interim answer", "[wire][timeout]") {
    Origin origin([](Connection& connection) {
        connection.read_head();
        connection.write("HTTP/1.1 103 Early Hints\r\n\r\n");
        connection.wait_for_stop();
    });
    Session session{ConnectionCache()};
    session.first_byte_timeout(200ms).timeout(20s);
    const auto began = std::chrono::steady_clock::now();
    std::error_code ec;
    session.get(origin.url(), ec);
    CHECK(ec == Errc::timeout);
    CHECK(std::chrono::steady_clock::now() - began < 10s);
}

TEST_CASE("more than a hundred interim answers are too many", "[wire][framing]") {
    Origin origin([](Connection& connection) {
        connection.read_head();
        for (int i = 0; i < 200; ++i) connection.write("HTTP/1.1 103 Early Hints\r\n\r\n");
        connection.write(reply("late"));
    });
    Session session{ConnectionCache()};
    std::error_code ec;
    session.get(origin.url(), ec);
    CHECK(ec == Errc::too_large);
}

TEST_CASE("an empty file as a body leaves the connection fit", "[wire][upload]") {
    const test::TempDir directory;
    directory.write("empty", "");
    Origin origin(respond_with(reply("ok")));
    ConnectionCache cache;
    Session session(cache);
    session.put(origin.url(), directory / "empty").consume();
    CHECK(cache.stats().idle == 1);
}

TEST_CASE("a directory as a body is refused, and nothing stays open", "[wire][upload]") {
    const test::TempDir directory;
    Session session{ConnectionCache()};
    std::error_code ec;
    session.put("http://127.0.0.1:1/", directory.path(), ec);
    CHECK(ec == Errc::upload);
    const auto before = open_descriptors();
    for (int i = 0; i < 10; ++i) session.put("http://127.0.0.1:1/", directory.path(), ec);
    CHECK(open_descriptors() == before);
}

TEST_CASE("save_to with an error code reports the file system's errors there", "[wire][body]") {
    Origin origin(respond_with(reply("x")));
    Session session{ConnectionCache()};
    auto response = session.get(origin.url());
    std::error_code ec;
    response.save_to("/nonexistent/directory/file", ec);
    CHECK(ec == std::errc::no_such_file_or_directory);
    CHECK(response.text() == "x");
}

TEST_CASE("a forked child that drops a response leaves its parent's connection alone", "[wire][fork]") {
    test::Gate gate;
    Origin origin([&](Connection& connection) {
        connection.read_request();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n");
        if (connection.wait_for(gate)) connection.write(std::string(400'000, 'x'));
    });
    ConnectionCache cache;
    Session session(cache);
    session.timeout(20s);
    auto response = session.get(origin.url());
    gate.open();
    std::array<std::byte, 10'000> buffer{};
    auto got = response.read(buffer);
    CHECK(test::in_child([&] {
              response = Response();
              return true;
          }) == 0);
    while (const auto n = response.read(buffer)) got += n;
    CHECK(got == 400'000);
}

TEST_CASE("objects that were moved from are refused by name", "[wire][errors]") {
    Session session{ConnectionCache()};
    Request request = Request::get("http://127.0.0.1:1/");
    const Request taken = std::move(request);
    std::error_code ec;
    session.send(request, ec);
    CHECK(ec == Errc::invalid_argument);
    const Session other = std::move(session);
    session.get("http://127.0.0.1:1/", ec);
    CHECK(ec == Errc::invalid_argument);
}

TEST_CASE("secrets of URLs that do not parse, and of proxies, stay out of messages", "[wire][redaction]") {
    Session session{ConnectionCache()};
    const auto message_of = [&](std::string_view url) -> std::string {
        try {
            session.get(url);
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    };
    for (const auto* url :
         {"http://user:hun/ter2@host/p", "http://user:hun?ter2@host/p", "http://user:hun#ter2@host/p"}) {
        const auto message = message_of(url);
        CHECK(message.find("hun") == std::string::npos);
        CHECK(message.find("ter2") == std::string::npos);
    }
    const auto refused = test::outcome_of([&] { session.proxy("ftp://user:hunter2@127.0.0.1:1"); });
    CHECK(refused.code == Errc::invalid_argument);
    CHECK(refused.message.find("hunter2") == std::string::npos);
    session.proxy("http://user:hunter2@127.0.0.1:99999");
    CHECK(message_of("http://localhost:1/").find("hunter2") == std::string::npos);
}

TEST_CASE("a status below 100 is a protocol error, not an answer without a body", "[wire]") {
    const auto* const line =
        GENERATE("HTTP/1.1 099 Odd", "HTTP/1.1 000 Odd", "HTTP/1.1 0 Odd", "HTTP/1.1  200 Odd");
    CAPTURE(line);
    Origin origin(test::scripts_in_turn(
        {test::respond_and_close(std::string(line) + "\r\nContent-Length: 5\r\n\r\nhello"),
         respond_with(reply("ok"))}));
    test::Client client;
    CHECK(test::outcome_of([&] { client.session.get(origin.url()); }).code == Errc::protocol);
    client.check_end(origin.url());
}

}  // namespace
