// Conformance: upload. Framing of request bodies, and answers that come early.
#include <algorithm>
#include <atomic>
#include <catch2/generators/catch_generators.hpp>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// Yields `content` in pieces; counts what it was asked for.
struct Feed {
    std::string content;
    std::size_t piece = 4096;
    std::size_t given = 0;

    std::size_t operator()(std::span<std::byte> to) {
        const auto n = std::min({to.size(), content.size() - given, piece});
        std::memcpy(to.data(), content.data() + given, n);
        given += n;
        return n;
    }
};

}  // namespace

TEST_CASE("C189 each body is framed once, by its size or in chunks", "[conformance][C189]") {
    const char* method = GENERATE("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FOOBAR");
    CAPTURE(method);
    Origin origin(handler([](const Recorded& r) -> std::string {
        return r.method == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : ok;
    }));
    Client client;
    const std::string name = method;
    const bool defines_content = name == "POST" || name == "PUT" || name == "PATCH";
    const auto send = [&](const Body& body) {
        client.session.send(Request(method, origin.url()).body(body)).consume();
        const auto seen = origin.requests().back();
        CHECK(seen.method == method);
        CHECK((seen.headers("Content-Length").size() + seen.headers("Transfer-Encoding").size()) <= 1);
        return seen;
    };

    const auto none = send({});
    CHECK(none.header("Content-Length").value_or("none") == (defines_content ? "0" : "none"));
    CHECK_FALSE(none.chunked);
    CHECK_FALSE(none.header("Content-Type"));
    CHECK_FALSE(none.header("Expect"));

    const auto empty = send("");
    CHECK(empty.header("Content-Length").value_or("none") == "0");
    CHECK(empty.body.empty());

    const auto known = send("eleven byte");
    CHECK(known.header("Content-Length") == "11");
    CHECK(known.body == "eleven byte");
    CHECK_FALSE(known.header("Content-Type"));

    const auto sized = send(Body::pull(Feed{.content = std::string(10'000, 's')}, 10'000));
    CHECK(sized.header("Content-Length") == "10000");
    CHECK(sized.body == std::string(10'000, 's'));

    const auto unsized = send(Body::pull(Feed{.content = std::string(10'000, 'u')}));
    CHECK(unsized.header("Transfer-Encoding") == "chunked");
    CHECK(unsized.chunked);
    CHECK(unsized.body == std::string(10'000, 'u'));

    const auto empty_stream = send(Body::pull(Feed{}, 0));
    CHECK(empty_stream.header("Content-Length") == "0");

    // A body in a HEAD request is nothing that libcurl can expect an answer without a body to: such a
    // connection is closed.
    if (name != "HEAD") CHECK(origin.accepts() == 1);
    CHECK(origin.errors().empty());
    client.check_end(origin.url());
}

TEST_CASE("C191 an early refusal is the answer, whatever the rest of the body", "[conformance][C191]") {
    const int status = GENERATE(401, 413);
    const bool streamed = GENERATE(false, true);
    CAPTURE(status, streamed);
    const std::string verdict(3'000, 'v');
    OriginOptions options;
    options.send_continue = false;
    options.receive_buffer = 16 * 1024;
    Origin origin(scripts_in_turn({[&](Connection& c) {
                                       c.read_head();
                                       c.write(reply(verdict, status));
                                       c.shutdown_write();
                                       c.wait_for_fin(2s);
                                   },
                                   respond_with(ok)}),
                  options);
    Client client;
    auto feed = std::make_shared<Feed>(Feed{.content = std::string(4 << 20, 'b')});
    const Body body = streamed ? Body::pull([feed](std::span<std::byte> to) { return (*feed)(to); }, 4 << 20)
                               : Body(feed->content);
    auto response = client.session.post(origin.url(), body);
    CHECK(response.status() == status);
    CHECK(response.text() == verdict);
    if (streamed) CHECK(feed->given < (4 << 20));
    CHECK(client.cache.stats().idle == 0);
    CHECK(origin.wait_for_ends(1));
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C192 Expect: 100-continue", "[conformance][C192]") {
    OriginOptions options;
    options.send_continue = false;
    Client client;
    const std::string content(1'100'000, 'e');  // above a megabyte: every libcurl asks first
    auto feed = std::make_shared<Feed>(Feed{.content = content});
    const auto body = Body::pull([feed](std::span<std::byte> to) { return (*feed)(to); }, content.size(),
                                 [feed] {
                                     feed->given = 0;
                                     return true;
                                 });
    std::atomic<bool> whole = false;
    const auto serve_rest = [](Connection& c) {
        while (c.read_request()) c.write(ok);
    };

    SECTION("100, then the answer: the connection is kept") {
        Origin origin(
            [&](Connection& c) {
                auto request = c.read_head();
                if (!request) return;
                if (request->header("Expect")) c.write("HTTP/1.1 100 Continue\r\n\r\n");
                whole = c.read_body(*request) && request->body == content;
                c.write(ok);
                serve_rest(c);
            },
            options);
        const auto start = Clock::now();
        CHECK(client.session.put(origin.url(), body).text() == "ok");
        CHECK(Clock::now() - start < 900ms);
        CHECK(whole);
        client.check_end(origin.url());
        CHECK(origin.accepts() == 1);
    }
    SECTION("nothing: the body goes out after a second") {
        Origin origin(respond_with(ok), options);
        CHECK(client.session.put(origin.url(), body).text() == "ok");
        CHECK(origin.requests().at(0).body == content);
        client.check_end(origin.url());
        CHECK(origin.accepts() == 1);
    }
    SECTION("a final status at once: delivered, and the connection not kept") {
        const int status = GENERATE(200, 400);
        CAPTURE(status);
        Origin origin(scripts_in_turn({[&](Connection& c) {
                                           c.read_head();
                                           c.write(reply("early", status));
                                           c.wait_for_fin();
                                       },
                                       respond_with(ok)}),
                      options);
        auto response = client.session.put(origin.url(), body);
        CHECK(response.status() == status);
        CHECK(response.text() == "early");
        CHECK(client.cache.stats().idle == 0);
        client.check_end(origin.url());
        CHECK(origin.accepts() == 2);
    }
    SECTION("417: once more without it") {
        Origin origin(
            [&](Connection& c) {
                while (auto request = c.read_head()) {
                    if (request->header("Expect")) {
                        c.write(reply("", 417));
                    } else {
                        c.read_body(*request);
                        whole = request->body == content;
                        c.write(ok);
                    }
                }
            },
            options);
        CHECK(client.session.put(origin.url(), body).text() == "ok");
        CHECK(whole);
        CHECK(origin.request_count() == 2);
        client.check_end(origin.url());
    }
}

TEST_CASE("C195 a slow source's pieces go out as they come", "[conformance][C195]") {
    Gate head_seen, first_seen;
    std::vector<std::string> lines;
    Origin origin([&](Connection& c) {
        auto request = c.read_head();
        if (!request) return;
        if (request->header("Expect")) c.write("HTTP/1.1 100 Continue\r\n\r\n");
        head_seen.open();
        for (int i = 0; i < 2; ++i) {
            const auto size = c.read_line();
            const auto data = c.read_line();
            lines.push_back(size.value_or("") + " " + data.value_or(""));
            if (i == 0) first_seen.open();
        }
        const auto last = c.read_line();
        lines.push_back(last.value_or("none"));
        c.read_line();
        c.write(ok);
        while (c.read_request()) c.write(ok);
    });
    Client client;
    int step = 0;
    bool header_first = false, piece_by_piece = false;
    const auto body = Body::pull([&](std::span<std::byte> to) -> std::size_t {
        if (step == 0) header_first = head_seen.wait();
        if (step == 1) piece_by_piece = first_seen.wait();
        if (step == 2) return 0;
        const std::string piece = "num" + std::to_string(step++) + "\n";
        std::memcpy(to.data(), piece.data(), piece.size());
        return piece.size();
    });
    CHECK(client.session.post(origin.url(), body).text() == "ok");
    CHECK(header_first);
    CHECK(piece_by_piece);
    CHECK(lines == std::vector<std::string>{"5 num0\n", "5 num1\n", "0"});
    client.check_end(origin.url());
    CHECK(origin.accepts() == 1);
}
