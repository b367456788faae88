// Socket::connect() and start_tls().
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>

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

SocketOptions secure() {
    SocketOptions options;
    options.tls = true;
    options.tls_options.ca_blob = test::TestCa::instance().pem();
    return options;
}

TEST_CASE("a connected socket counts in its cache's limits until it is closed", "[wire][socket]") {
    Origin origin(test::send_back);
    test::Client client([](auto& b) { b.max_connections(1).acquire_timeout(0ms); });
    SocketOptions options;
    options.cache = client.cache;
    auto socket = Socket::connect("127.0.0.1", origin.port(), options);
    CHECK(socket.remote_address() == "127.0.0.1:" + std::to_string(origin.port()));
    write_text(socket, "hello");
    CHECK(read_text(socket, 5) == "hello");
    const auto stats = client.cache.stats();
    CHECK(stats.leased == 1);
    CHECK(stats.opened == 1);
    CHECK(outcome_of([&] { (void)Socket::connect("127.0.0.1", origin.port(), options); }).code ==
          Errc::acquire_timeout);
    CHECK(outcome_of([&] { client.session.get(origin.url()); }).code == Errc::acquire_timeout);
    socket.close();
    CHECK(client.cache.stats().open == 0);
    CHECK(origin.wait_for_fins(1));
    auto again = Socket::connect("localhost", origin.port(), options);
    write_text(again, "x");
    CHECK(read_text(again, 1) == "x");
}

TEST_CASE("a socket with TLS is verified, and no HTTP/2 is negotiated on it", "[wire][socket]") {
    Origin origin(test::send_back, test::tls_options({"h2", "http/1.1"}));
    auto options = secure();
    options.cache = ConnectionCache();
    auto socket = Socket::connect("localhost", origin.port(), options);
    for (const std::string text : {"one", "two"}) {
        write_text(socket, text);
        CHECK(read_text(socket, text.size()) == text);
    }
    const std::string much(1 << 16, 'x');
    write_text(socket, much);
    CHECK(read_text(socket, much.size()) == much);
    socket.close();
    CHECK(origin.wait_for_open(0));
    options.tls_options.ca_blob.clear();
    CHECK(outcome_of([&] { (void)Socket::connect("localhost", origin.port(), options); }).code == Errc::tls);
    CHECK(options.cache->stats().open == 0);
}

TEST_CASE("connecting fails with its reason", "[wire][socket]") {
    CHECK(outcome_of([] { (void)Socket::connect("127.0.0.1", test::free_port()); }).code == Errc::connect);
    CHECK(outcome_of([] { (void)Socket::connect("no.such.host.invalid", 1); }).code == Errc::resolve);
    CHECK(outcome_of([] { (void)Socket::connect("127.0.0.1", 0); }).code == Errc::invalid_argument);
    CHECK(outcome_of([] { (void)Socket::connect("", 80); }).code == Errc::invalid_argument);
    CHECK(outcome_of([] { (void)Socket::connect("user@host", 80); }).code == Errc::invalid_argument);
    std::stop_source stop;
    stop.request_stop();
    SocketOptions options;
    options.stop = stop.get_token();
    CHECK(outcome_of([&] { (void)Socket::connect("127.0.0.1", 80, options); }).code == Errc::cancelled);
}

TEST_CASE("a TLS peer that says nothing ends connect() by its time, with no slot lost", "[wire][socket]") {
    Origin origin(test::stay_silent());
    auto options = secure();
    options.cache = ConnectionCache();
    options.timeout = 100ms;
    CHECK(outcome_of([&] { (void)Socket::connect("127.0.0.1", origin.port(), options); }).code ==
          Errc::timeout);
    CHECK(options.cache->stats().open == 0);
    CHECK(origin.wait_for_ends(1));
}

// A plain dialogue, then TLS, then an echo.
test::Script starttls() {
    return [](test::Connection& c) {
        const auto line = c.read_line();
        if (line != "STARTTLS") return c.close();
        c.write("220 ready\r\n");
        if (!c.start_tls()) return;
        test::send_back(c);
    };
}

TEST_CASE("TLS can start on a socket after a plain dialogue", "[wire][socket]") {
    auto server = test::tls_options({"h2", "http/1.1"});
    server.handshake_first = false;
    Origin origin(starttls(), server);
    test::Client client;
    const auto dialogue = [&](Socket& socket) {
        write_text(socket, "STARTTLS\r\n");
        REQUIRE(read_text(socket, 11) == "220 ready\r\n");
    };
    TlsOptions tls;
    tls.ca_blob = test::TestCa::instance().pem();
    SECTION("adopted, connected by a blocking connect()") {
        auto socket = Socket::adopt(test::connect_tcp(origin.port()).release());
        dialogue(socket);
        socket.start_tls("localhost", tls);
        CHECK(socket.state() == SocketState::open);
        write_text(socket, "secret");
        CHECK(read_text(socket, 6) == "secret");
    }
    SECTION("connected by ringlet, and still counted") {
        SocketOptions options;
        options.cache = client.cache;
        auto socket = Socket::connect("127.0.0.1", origin.port(), options);
        dialogue(socket);
        socket.start_tls("localhost", tls);
        write_text(socket, "secret");
        CHECK(read_text(socket, 6) == "secret");
        CHECK(client.cache.stats().leased == 1);
        socket.close();
        CHECK(client.cache.stats().open == 0);
    }
    SECTION("another host's certificate is refused, and closes") {
        auto socket = Socket::adopt(test::connect_tcp(origin.port()).release());
        dialogue(socket);
        CHECK(outcome_of([&] { socket.start_tls("example.com", tls); }).code == Errc::tls);
        CHECK(socket.state() == SocketState::closed);
        CHECK(origin.wait_for_open(0));
    }
    SECTION("a host that is none changes nothing") {
        auto socket = Socket::adopt(test::connect_tcp(origin.port()).release());
        CHECK(outcome_of([&] { socket.start_tls("a/b", tls); }).code == Errc::invalid_argument);
        CHECK(socket.state() == SocketState::open);
        dialogue(socket);
    }
}

}  // namespace
