// Response::upgrade(): from a 101 to a stream, plain and inside TLS.
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <string>
#include <thread>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/stream_text.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::Origin;
using test::outcome_of;
using test::read_text;
using test::switching;
using test::write_text;

// Answers 101, then sends back what it gets, in one write with `early`.
test::Script upgrade_and_echo(std::string early = {}) {
    return [early](test::Connection& c) {
        if (!c.read_request()) return;
        c.write(std::string(switching) + early);
        test::send_back(c);
    };
}

struct UpgradeServer {
    UpgradeServer(test::Script script, bool tls) : origin(std::move(script), options(tls)) {}
    static test::OriginOptions options(bool tls) {
        test::OriginOptions options;
        options.tls = tls;
        options.alpn = {"h2", "http/1.1"};
        return options;
    }
    Request request() const {
        return Request::get(origin.url_for("localhost"))
            .header("Connection", "Upgrade")
            .header("Upgrade", "foo");
    }
    Origin origin;
};

TEST_CASE("an upgraded connection is full duplex, and counted until it is closed", "[wire][socket]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    UpgradeServer server(upgrade_and_echo("early"), tls);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    auto response = client.session.send(server.request());
    REQUIRE(response.status() == 101);
    auto socket = response.upgrade();
    CHECK(response.body_state() == BodyState::complete);
    CHECK(response.disposition()->reason == CloseReason::upgraded);
    CHECK(read_text(socket, 5) == "early");
    for (const std::string text : {"one", "two", "three"}) {
        write_text(socket, text);
        CHECK(read_text(socket, text.size()) == text);
    }
    CHECK(client.cache.stats().leased == 1);
    CHECK(client.cache.close_idle() == 0);
    write_text(socket, "still");
    CHECK(read_text(socket, 5) == "still");
    socket.close();
    const auto stats = client.cache.stats();
    CHECK(stats.open == 0);
    CHECK(stats.closed_by[CloseReason::upgraded] == 1);
    CHECK(server.origin.wait_for_open(0));
    CHECK(server.origin.errors().empty());
}

TEST_CASE("megabytes go both ways through an upgraded connection", "[wire][socket]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    constexpr std::size_t size = 3 << 20;
    UpgradeServer server(
        [](test::Connection& c) {
            if (!c.read_request()) return;
            c.write(switching);
            const auto got = c.read_exactly(size);
            c.write(got ? *got : "short");
            c.close();
        },
        tls);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    auto socket = client.session.send(server.request()).upgrade();
    std::string much(size, '\0');
    for (std::size_t i = 0; i < size; ++i) much[i] = static_cast<char>(i * 31 % 251);
    write_text(socket, much);
    CHECK(read_text(socket, size) == much);
    std::array<std::byte, 8> buffer;
    CHECK(socket.read(buffer) == 0);
    CHECK(socket.state() == SocketState::half_closed);
}

TEST_CASE("a session is free for other requests once its response was upgraded", "[wire][socket]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    UpgradeServer server(test::scripts_in_turn({upgrade_and_echo(), test::respond_with(test::reply("ok"))}),
                         tls);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem()).http_version(HttpVersion::http_1_1);
    auto response = client.session.send(server.request());
    auto socket = response.upgrade();
    CHECK(client.session.get(server.origin.url_for("localhost")).text() == "ok");
    write_text(socket, "x");
    CHECK(read_text(socket, 1) == "x");
    response = Response();
    client.session = Session(client.cache);
    write_text(socket, "y");
    CHECK(read_text(socket, 1) == "y");
}

TEST_CASE("a refused upgrade is an ordinary answer on an ordinary connection", "[wire][socket]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    UpgradeServer server(test::respond_with(test::reply("no")), tls);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    for (int i = 0; i < 2; ++i) {
        auto response = client.session.send(server.request());
        CHECK(response.status() == 200);
        CHECK(outcome_of([&] { (void)response.upgrade(); }).code == Errc::invalid_argument);
        CHECK(response.text() == "no");
    }
    CHECK(server.origin.accepts() == 1);
    CHECK(server.origin.request_count() == 2);
    CHECK(client.at_rest());
    const auto request = server.origin.requests().at(0);
    CHECK_FALSE(request.header("Transfer-Encoding"));
    CHECK_FALSE(request.header("Content-Length"));
    CHECK_FALSE(request.header("Expect"));
    CHECK(request.method == "GET");
}

TEST_CASE("an upgrade refused with 401 or a redirect ends promptly", "[wire][socket]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    UpgradeServer server(test::handler([](const test::Recorded& r) {
                             if (r.target == "/moved") return test::reply("here", 401);
                             return test::reply("", 302, "Location: /moved\r\n");
                         }),
                         tls);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem()).timeout(10s);
    auto response = client.session.send(server.request());
    CHECK(response.status() == 401);
    CHECK(response.text() == "here");
    CHECK(client.at_rest());
}

TEST_CASE("a stop token ends a blocked read of an upgraded connection and frees its slot", "[wire][socket]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    UpgradeServer server(upgrade_and_echo(), tls);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    std::stop_source stop;
    auto socket = client.session.send(server.request().stop(stop.get_token())).upgrade();
    Errc code{};
    std::thread reader([&] {
        std::array<std::byte, 8> buffer;
        code = outcome_of([&] { socket.read(buffer); }).code;
    });
    REQUIRE(test::eventually([&] { return socket.state() == SocketState::reading; }));
    stop.request_stop();
    reader.join();
    CHECK(code == Errc::cancelled);
    CHECK(socket.state() == SocketState::closed);
    CHECK(client.at_rest());
    CHECK(server.origin.wait_for_open(0));
}

TEST_CASE("a read of an upgraded connection times out and goes on", "[wire][socket]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    UpgradeServer server(upgrade_and_echo(), tls);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    auto socket = client.session.send(server.request()).upgrade();
    socket.timeout(50ms);
    std::array<std::byte, 8> buffer;
    CHECK(outcome_of([&] { socket.read(buffer); }).code == Errc::timeout);
    socket.timeout(10s);
    write_text(socket, "after");
    CHECK(read_text(socket, 5) == "after");
}

TEST_CASE("the shutdown of a cache ends an upgraded connection when its grace is over", "[wire][socket]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    UpgradeServer server(upgrade_and_echo(), tls);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    auto socket = client.session.send(server.request()).upgrade();
    Errc code{};
    std::thread reader([&] {
        std::array<std::byte, 8> buffer;
        code = outcome_of([&] { socket.read(buffer); }).code;
    });
    REQUIRE(test::eventually([&] { return socket.state() == SocketState::reading; }));
    client.cache.shutdown(50ms);
    reader.join();
    CHECK(code == Errc::cancelled);
    CHECK(client.cache.stats().open == 0);
}

TEST_CASE("an upgraded plain connection can be released, and speak HTTP or TLS again", "[wire][socket]") {
    UpgradeServer server(
        [](test::Connection& c) {
            if (!c.read_request()) return;
            c.write(switching);
            while (c.read_request()) c.write(test::reply("again"));
        },
        false);
    test::Client client;
    auto socket = client.session.send(server.request()).upgrade();
    HttpOverSocket http(std::move(socket));
    CHECK(client.cache.stats().leased == 1);
    CHECK(http.get("http://example.com/").text() == "again");
    auto back = http.release();
    CHECK(client.cache.stats().leased == 1);
    const test::Fd fd(back.release());
    CHECK(client.cache.stats().open == 0);
    CHECK(server.origin.open_connections() == 1);
}

TEST_CASE("one connection is upgraded twice in a row, with HTTP between", "[wire][socket]") {
    const bool adopted = GENERATE(false, true);
    CAPTURE(adopted);
    // Upgrades when it is asked to, echoes one line, and speaks HTTP again.
    UpgradeServer server(
        [](test::Connection& c) {
            while (const auto request = c.read_request()) {
                if (!request->header("Upgrade")) {
                    c.write(test::reply("plain"));
                    continue;
                }
                c.write(std::string(switching).append("early\n"));
                c.write(c.read_line().value_or("") + "\n");
            }
        },
        false);
    test::Client client;
    auto socket = adopted ? Socket::adopt(test::connect_tcp(server.origin.port()).release())
                          : client.session.send(server.request()).upgrade();
    if (!adopted) {
        write_text(socket, "zero\r\n");
        CHECK(read_text(socket, 11) == "early\nzero\n");
    }
    for (const std::string text : {"one", "two"}) {
        HttpOverSocket http(std::move(socket));
        CHECK(http.get("http://localhost/").text() == "plain");
        socket = http.send(Request::get("http://localhost/")
                               .header("Connection", "Upgrade")
                               .header("Upgrade", "foo"))
                     .upgrade();
        write_text(socket, text + "\r\n");
        CHECK(read_text(socket, 10) == "early\n" + text + "\n");
        CHECK(outcome_of([&] { http.get("http://localhost/"); }).code == Errc::client_spent);
        CHECK(outcome_of([&] { (void)http.release(); }).code == Errc::client_spent);
    }
    CHECK(server.origin.accepts() == 1);
    CHECK(client.cache.stats().leased == (adopted ? 0 : 1));
    socket.close();
    CHECK(client.cache.stats().open == 0);
    CHECK(server.origin.wait_for_open(0));
}

TEST_CASE("https over a given socket can be upgraded, and stays inside TLS", "[wire][socket]") {
    UpgradeServer server(upgrade_and_echo("early"), true);
    HttpOverSocket http(Socket::adopt(test::connect_tcp(server.origin.port()).release()));
    http.ca_blob(test::TestCa::instance().pem());
    auto socket =
        http.send(Request::get("https://localhost/").header("Connection", "Upgrade").header("Upgrade", "foo"))
            .upgrade();
    CHECK(outcome_of([&] { http.get("https://localhost/"); }).code == Errc::client_spent);
    http = HttpOverSocket(Socket::adopt(test::unix_pair().ours.release()));
    CHECK(read_text(socket, 5) == "early");
    for (const std::string text : {"one", "two"}) {
        write_text(socket, text);
        CHECK(read_text(socket, 3) == text);
    }
    socket.close();
    CHECK(server.origin.wait_for_open(0));
}

TEST_CASE("a TLS socket cannot be handed over, and stays usable", "[wire][socket]") {
    UpgradeServer server(upgrade_and_echo(), true);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    auto socket = client.session.send(server.request()).upgrade();
    CHECK(outcome_of([&] { (void)socket.release(); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { const HttpOverSocket http(std::move(socket)); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { socket.start_tls("localhost"); }).code == Errc::invalid_argument);
    write_text(socket, "x");  // NOLINT(bugprone-use-after-move): refused, so not moved
    CHECK(read_text(socket, 1) == "x");
}

TEST_CASE("a peer that ends right behind its 101 leaves what it sent", "[wire][socket]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    test::Gate closed;
    UpgradeServer server(
        [&](test::Connection& c) {
            if (!c.read_request()) return;
            c.write(std::string(switching).append("bye"));
            c.close();
            closed.open();
        },
        tls);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    auto response = client.session.send(server.request());
    REQUIRE(closed.wait());
    auto socket = response.upgrade();
    CHECK(read_text(socket, 100) == "bye");
    CHECK(socket.state() == SocketState::half_closed);
    socket.close();
    CHECK(client.at_rest());
}

}  // namespace
