// Area "socket adoption & upgrade" of the catalogue.
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fcntl.h>

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
using test::write_text;

constexpr std::string_view example_url = "http://example.com/";

Socket connected_to(const Origin& origin) {
    return Socket::adopt(test::connect_tcp(origin.port()).release());
}

TEST_CASE("C132 requests on an already connected socket dial nothing", "[conformance][C132]") {
    Origin origin(test::respond_with(test::reply("ok")));
    auto socket = connected_to(origin);
    SECTION("fresh") {}
    SECTION("after a manual exchange that was read to its end") {
        write_text(socket, "GET /manual HTTP/1.1\r\nHost: by.hand\r\n\r\n");
        const auto answer = test::reply("ok");
        REQUIRE(read_text(socket, answer.size()) == answer);
    }
    HttpOverSocket http(std::move(socket));
    CHECK(http.get(example_url).text() == "ok");
    auto second = http.get("http://example.com/second");
    CHECK(second.reused());
    CHECK(second.text() == "ok");
    CHECK(origin.accepts() == 1);
    CHECK(origin.requests().back().target == "/second");
    CHECK(origin.requests().back().header("Host") == "example.com");
}

TEST_CASE("C134 a silent peer is a timeout, and the client spent after it", "[conformance][C134]") {
    Origin origin(test::stay_silent());
    HttpOverSocket http(connected_to(origin));
    http.timeout(500ms);
    const auto before = test::Clock::now();
    CHECK(outcome_of([&] { http.get(example_url); }).code == Errc::timeout);
    CHECK(test::Clock::now() - before >= 490ms);
    CHECK(origin.wait_for_ends(1));
    CHECK(outcome_of([&] { http.get(example_url); }).code == Errc::client_spent);
    CHECK(origin.accepts() == 1);
}

TEST_CASE("C135 a greeting that nobody read never becomes a response", "[conformance][C135]") {
    auto fds = test::unix_pair();
    REQUIRE(::write(fds.theirs.get(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38) == 38);
    auto socket = Socket::adopt(fds.ours.release());
    CHECK(outcome_of([&] { const HttpOverSocket http(std::move(socket)); }).code == Errc::socket_disturbed);
    // Refused, so it is as it was: the greeting can still be read, and the socket used.
    CHECK(socket.state() == SocketState::open);  // NOLINT(bugprone-use-after-move)
    CHECK(read_text(socket, 38).starts_with("HTTP/1.1 200"));
    REQUIRE(::fcntl(fds.theirs.get(), F_SETFL, O_NONBLOCK) == 0);
    CHECK(test::read_fd(fds.theirs.get()).empty());  // nothing was sent
}

TEST_CASE("C135 what was written before adoption arrives before the request", "[conformance][C135]") {
    Origin origin([](test::Connection& c) {
        const auto line = c.read_line();
        const auto request = c.read_request();
        if (request) c.write(test::reply(line.value_or("nothing")));
        c.wait_for_stop();
    });
    auto socket = connected_to(origin);
    write_text(socket, "written before\r\n");
    HttpOverSocket http(std::move(socket));
    CHECK(http.get(example_url).text() == "written before");
}

TEST_CASE("C136 after adoption the socket object is inert", "[conformance][C136]") {
    Origin origin(test::respond_with(test::reply("ok")));
    auto socket = connected_to(origin);
    HttpOverSocket http(std::move(socket));
    std::array<std::byte, 8> buffer;
    // NOLINTBEGIN(bugprone-use-after-move): what is tested
    CHECK(socket.state() == SocketState::taken);
    CHECK(outcome_of([&] { socket.read(buffer); }).code == Errc::socket_taken);
    CHECK(outcome_of([&] { write_text(socket, "x"); }).code == Errc::socket_taken);
    CHECK(outcome_of([&] { (void)socket.release(); }).code == Errc::socket_taken);
    CHECK(outcome_of([&] { const HttpOverSocket again(std::move(socket)); }).code == Errc::socket_taken);
    socket.close();
    socket = Socket();
    // NOLINTEND(bugprone-use-after-move)
    CHECK(http.get(example_url).text() == "ok");
}

TEST_CASE("C136 a socket that another thread reads cannot be adopted", "[conformance][C136]") {
    Origin origin(test::respond_with(test::reply("ok")));
    auto socket = connected_to(origin);
    std::stop_source stop;
    socket.stop(stop.get_token());
    std::thread reader([&] {
        std::array<std::byte, 8> buffer;
        std::error_code ignored;
        socket.read(buffer, ignored);
    });
    REQUIRE(test::eventually([&] { return socket.state() == SocketState::reading; }));
    CHECK(outcome_of([&] { const HttpOverSocket http(std::move(socket)); }).code == Errc::socket_locked);
    stop.request_stop();
    reader.join();
    CHECK(origin.wait_for_ends(1));
}

TEST_CASE("C136 the descriptor is closed once, and a recycled number left alone", "[conformance][C136]") {
    Origin origin(test::respond_with(test::reply("ok")));
    auto fd = test::connect_tcp(origin.port());
    const int number = fd.get();
    auto socket = Socket::adopt(fd.release());
    {
        HttpOverSocket http(std::move(socket));
        CHECK(http.get(example_url).text() == "ok");
    }
    CHECK(origin.wait_for_fins(1));
    const test::Fd spare(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const test::Fd recycled(::fcntl(spare.get(), F_DUPFD_CLOEXEC, number));
    socket.close();  // NOLINT(bugprone-use-after-move): what is tested
    socket = Socket();
    CHECK(::fcntl(recycled.get(), F_GETFD) >= 0);
}

TEST_CASE("C138 a STARTTLS dialogue, then https on the same socket, verified", "[conformance][C138]") {
    test::OriginOptions tls;
    tls.tls = true;
    tls.handshake_first = false;
    tls.certificate = test::TestCa::instance().issue({.names = {"mail.test"}});
    Origin origin(
        [](test::Connection& c) {
            if (c.read_line() != "STARTTLS") return;
            c.write("220 go ahead\r\n");
            if (!c.start_tls()) return;
            while (c.read_request()) c.write(test::reply("over TLS"));
        },
        tls);
    auto socket = connected_to(origin);
    write_text(socket, "STARTTLS\r\n");
    REQUIRE(read_text(socket, 14) == "220 go ahead\r\n");
    HttpOverSocket http(std::move(socket));
    http.ca_blob(test::TestCa::instance().pem());
    SECTION("the URL's host is the certificate's") {
        CHECK(http.get("https://mail.test/").text() == "over TLS");
        CHECK(http.get("https://mail.test/").text() == "over TLS");
        CHECK(origin.accepts() == 1);
    }
    SECTION("the URL's host is another") {
        CHECK(outcome_of([&] { http.get("https://evil.test/"); }).code == Errc::tls);
        CHECK(origin.request_count() == 0);
        CHECK(outcome_of([&] { http.get("https://mail.test/"); }).code != Errc{});
    }
}

TEST_CASE("C139 redirects on an adopted socket stay on it or go to the caller", "[conformance][C139]") {
    Origin other(test::respond_with(test::reply("elsewhere")));
    Origin origin(test::handler([&](const test::Recorded& r) {
        if (r.target == "/same") return test::reply("", 302, "Location: /here\r\n");
        if (r.target == "/other") return test::reply("go away", 302, "Location: " + other.url() + "\r\n");
        return test::reply("here");
    }));
    HttpOverSocket http(connected_to(origin));
    auto same = http.get("http://example.com/same");
    CHECK(same.url() == "http://example.com/here");
    CHECK(same.text() == "here");
    auto away = http.get("http://example.com/other");
    CHECK(away.status() == 302);
    CHECK(away.headers().get("Location") == other.url());
    CHECK(away.text() == "go away");
    CHECK(http.get("http://example.com/").text() == "here");
    CHECK(origin.accepts() == 1);
    CHECK(other.accepts() == 0);
}

test::Script switch_and_echo(std::string behind) {
    return [behind](test::Connection& c) {
        if (!c.read_request()) return;
        c.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\n\r\n" + behind);
        while (true) {
            const auto bytes = c.read_some();
            if (bytes.empty()) return c.close();
            c.write(bytes);
        }
    };
}

Request ask_upgrade(const std::string& to) {
    return Request::get(to).header("Connection", "Upgrade").header("Upgrade", "foo");
}

TEST_CASE("C140 an upgraded stream begins with what came behind the 101", "[conformance][C140]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    test::OriginOptions options;
    options.tls = tls;
    Origin origin(test::scripts_in_turn(
                      {switch_and_echo("Some buffered data\n"), test::respond_with(test::reply("ok"))}),
                  options);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    auto response = client.session.send(ask_upgrade(origin.url_for("localhost")));
    CHECK(response.status() == 101);
    CHECK(response.headers().get("Upgrade") == "foo");
    auto socket = response.upgrade();
    CHECK(read_text(socket, 19) == "Some buffered data\n");
    write_text(socket, "foo=bar");
    CHECK(read_text(socket, 7) == "foo=bar");
    write_text(socket, "again");
    CHECK(read_text(socket, 5) == "again");
    socket.close();
    CHECK(client.at_rest());
    CHECK(client.session.get(origin.url_for("localhost")).text() == "ok");
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C142 a 101 that nobody asked for is final and its connection never kept", "[conformance][C142]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    test::OriginOptions options;
    options.tls = tls;
    Origin origin(test::scripts_in_turn(
                      {test::respond_and_close("HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\n\r\n"
                                               "HTTP/1.1 204 No Content\r\n\r\n"),
                       test::respond_with(test::reply("ok"))}),
                  options);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    {
        auto response = client.session.get(origin.url_for("localhost"));
        CHECK(response.status() == 101);
        CHECK(outcome_of([&] { (void)response.upgrade(); }).code == Errc::protocol);
    }
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.cache.stats().closed_by[CloseReason::upgraded] == 1);
    CHECK(client.session.get(origin.url_for("localhost")).text() == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(client.drop_warnings() == 0);
    CHECK(client.at_rest());
}

TEST_CASE("C143 an upgraded stream outlives the idle timeout and close_idle()", "[conformance][C143]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    test::OriginOptions options;
    options.tls = tls;
    Origin origin(test::scripts_in_turn({switch_and_echo(""), test::respond_with(test::reply("ok"))}),
                  options);
    test::Client client([](auto& b) { b.idle_timeout(50ms).max_lifetime(100ms).max_connections(2); });
    client.session.ca_blob(test::TestCa::instance().pem());
    auto socket = client.session.send(ask_upgrade(origin.url_for("localhost"))).upgrade();
    // Another connection comes and expires meanwhile.
    CHECK(client.session.get(origin.url_for("localhost")).text() == "ok");
    REQUIRE(test::eventually([&] { return client.cache.stats().open == 1; }));
    client.cache.close_idle();
    CHECK(client.cache.stats().leased == 1);
    write_text(socket, "alive");
    CHECK(read_text(socket, 5) == "alive");
    socket.close();
    CHECK(client.cache.stats().open == 0);
}

TEST_CASE("C143 an upgrade cancelled before its 101 leaves no slot behind", "[conformance][C143]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    test::OriginOptions options;
    options.tls = tls;
    test::Gate asked;
    Origin origin(test::scripts_in_turn({[&](test::Connection& c) {
                                             (void)c.read_request();
                                             asked.open();
                                             c.wait_for_stop();
                                         },
                                         test::respond_with(test::reply("ok"))}),
                  options);
    test::Client client([](auto& b) { b.max_connections(1); });
    client.session.ca_blob(test::TestCa::instance().pem());
    std::stop_source stop;
    std::thread canceller([&] {
        (void)asked.wait();
        stop.request_stop();
    });
    const auto to = origin.url_for("localhost");
    CHECK(outcome_of([&] { client.session.send(ask_upgrade(to).stop(stop.get_token())); }).code ==
          Errc::cancelled);
    canceller.join();
    CHECK(client.at_rest());
    CHECK(client.session.get(to).text() == "ok");
}

}  // namespace
