// Uploads that are slow, answered early, or cut off: what their connection is good for, and who waits for
// whom.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <chrono>
#include <fstream>
#include <span>
#include <string>
#include <thread>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// Reads the head, then the body in twelve steps of 100 ms.
void read_slowly(Connection& connection) {
    const auto head = connection.read_head();
    if (!head) return;
    std::size_t left = std::stoul(head->header("Content-Length").value_or("0"));
    const auto step = left / 12 + 1;
    while (left > 0) {
        const auto n = std::min(step, left);
        if (!connection.read_exactly(n)) return;
        left -= n;
        connection.sleep(100ms);
    }
    connection.write(reply("ok"));
    connection.wait_for_fin();
}

// One byte every 700 ms, three in all.
Body slow_source() {
    return Body::pull([n = 0](std::span<std::byte> to) mutable -> std::size_t {
        if (n++ == 3) return 0;
        std::this_thread::sleep_for(700ms);  // why: the source is to be slow
        to[0] = std::byte{'x'};
        return 1;
    });
}

}  // namespace

TEST_CASE("the first byte timeout starts when the last part of a form has left", "[wire][upload]") {
    OriginOptions options;
    options.receive_buffer = 16 * 1024;
    Origin origin(read_slowly, options);
    Client client;
    const Multipart parts = {{.name = "a", .data = std::string(12 << 20, 'x')}};
    auto response =
        client.session.send(Request::post(origin.url()).multipart(parts).first_byte_timeout(700ms));
    CHECK(response.text() == "ok");
}

TEST_CASE("a silent server after a form is a first byte timeout", "[wire][upload]") {
    Origin origin([](Connection& connection) {
        connection.read_request();
        connection.wait_for_fin();
    });
    Client client;
    const auto outcome = outcome_of([&] {
        client.session.send(Request::post(origin.url())
                                .multipart({{.name = "a", .data = "1"}})
                                .first_byte_timeout(200ms)
                                .timeout(10s));
    });
    CHECK(outcome.code == Errc::timeout);
    CHECK(outcome.message.find("first_byte_timeout") != std::string::npos);
}

TEST_CASE("low_speed does not count the time that the caller's source takes", "[wire][upload]") {
    Origin origin(respond_with(reply("ok")));
    Client client;
    CHECK(client.session.send(Request::post(origin.url()).body(slow_source()).low_speed(1000, 1s)).text() ==
          "ok");
    client.check_end(origin.url());
}

TEST_CASE("low_speed counts a server that does not take an upload, also from a slow source",
          "[wire][upload]") {
    OriginOptions options;
    options.receive_buffer = 16 * 1024;
    Origin origin(
        [](Connection& connection) {
            connection.read_head();
            connection.wait_for_stop();
        },
        options);
    Client client;
    auto endless = Body::pull([](std::span<std::byte> to) -> std::size_t {
        std::this_thread::sleep_for(1ms);  // why: the source is to be slow
        return to.size();
    });
    const auto outcome = outcome_of([&] {
        client.session.send(Request::put(origin.url()).body(endless).low_speed(1000, 500ms).timeout(20s));
    });
    CHECK(outcome.code == Errc::timeout);
    CHECK(outcome.message.find("low_speed") != std::string::npos);
}

TEST_CASE("an answer before the body was sent leaves no connection for others", "[wire][upload]") {
    const TempDir directory;
    const std::string large(8 << 20, 'x');
    std::ofstream(directory / "large", std::ios::binary) << large;
    const int status = GENERATE(200, 303, 413);
    const int kind = GENERATE(0, 1, 2, 3, 4);
    CAPTURE(status, kind);
    OriginOptions options;
    options.receive_buffer = 16 * 1024;
    options.send_continue = false;
    Origin origin(scripts_in_turn({[=](Connection& connection) {
                                       connection.read_head();
                                       connection.write(reply("early", status, "Location: /next\r\n"));
                                       connection.wait_for_fin();
                                   },
                                   respond_with(reply("ok"))}),
                  options);
    Client client;
    auto request = Request::post(origin.url()).timeout(10s);
    if (kind == 0) request.body(large);
    if (kind == 1) request.multipart({{.name = "a", .data = large}});
    if (kind == 2) request.multipart({{.name = "a", .file = directory / "large"}});
    if (kind == 3) request.body(directory / "large");
    if (kind == 4) request.body(Body::pull([](std::span<std::byte> to) { return to.size(); }, 8 << 20));
    auto response = client.session.send(request);
    CHECK(response.text() == (status == 303 ? "ok" : "early"));
    CHECK(origin.accepts() == (status == 303 ? 2 : 1));
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("a form is not sent twice by POST, and whole again by PUT", "[wire][upload]") {
    std::atomic<int> requests{0};
    Origin origin([&](Connection& connection) {
        while (connection.read_request()) {
            if (++requests == 2) return connection.close();
            connection.write(reply("ok"));
        }
    });
    Client client;
    CHECK(client.session.get(origin.url()).text() == "ok");
    const Multipart parts = {{.name = "a", .data = "1"}};
    SECTION("POST") {
        const auto outcome =
            outcome_of([&] { client.session.send(Request::post(origin.url()).multipart(parts)); });
        CHECK(outcome.code == Errc::connection_lost);
        CHECK(requests == 2);
    }
    SECTION("PUT") {
        CHECK(client.session.send(Request::put(origin.url()).multipart(parts)).text() == "ok");
        CHECK(requests == 3);
        const auto seen = origin.requests();
        CHECK(seen[1].body.size() > 100);
        CHECK(seen[2].body.size() == seen[1].body.size());
        CHECK(client.cache.stats().replays == 1);
    }
    client.check_end(origin.url());
}
