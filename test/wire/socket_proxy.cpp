// Socket::connect() through proxies.
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fcntl.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/proxy.hpp"
#include "support/stream_text.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::HttpProxy;
using test::Origin;
using test::outcome_of;
using test::read_text;
using test::SocksProxy;
using test::write_text;

// Greets first, as mail servers do, and sends back what it gets.
test::Script greet_and_echo() {
    return [](test::Connection& c) {
        c.write("220 hello\r\n");
        test::send_back(c);
    };
}

// One of each kind, in front of 127.0.0.1.
class AnyProxy {
  public:
    explicit AnyProxy(bool socks) {
        if (socks)
            socks_.emplace();
        else
            http_.emplace();
    }
    std::string url() const { return socks_ ? socks_->url() : http_->url(); }
    std::size_t connects() const { return socks_ ? socks_->connects() : http_->connects(); }
    Origin& origin() { return socks_ ? socks_->origin() : http_->origin(); }

  private:
    std::optional<HttpProxy> http_;
    std::optional<SocksProxy> socks_;
};

SocketOptions through(const std::string& proxy) {
    SocketOptions options;
    options.proxy = proxy;
    options.cache = ConnectionCache();
    options.timeout = 10s;
    options.tls_options.ca_blob = test::TestCa::instance().pem();
    return options;
}

TEST_CASE("a socket through a proxy carries bytes, and counts until it is closed", "[wire][socket]") {
    const bool socks = GENERATE(false, true), tls = GENERATE(false, true);
    CAPTURE(socks, tls);
    Origin server(greet_and_echo(), tls ? test::tls_options({"h2", "http/1.1"}) : test::OriginOptions{});
    AnyProxy proxy(socks);
    auto options = through(proxy.url());
    options.tls = tls;
    auto socket = Socket::connect("localhost", server.port(), options);
    CHECK(proxy.connects() == 1);
    CHECK(socket.remote_address() == "127.0.0.1:" + std::to_string(proxy.origin().port()));
    CHECK(read_text(socket, 11) == "220 hello\r\n");  // nothing of it was taken for the proxy's words
    write_text(socket, "ping");
    CHECK(read_text(socket, 4) == "ping");
    CHECK(options.cache->stats().leased == 1);
    CHECK(options.cache->stats().opened == 1);
    socket.timeout(30ms);
    std::array<std::byte, 8> buffer;
    CHECK(outcome_of([&] { socket.read(buffer); }).code == Errc::timeout);
    CHECK(socket.state() == SocketState::open);
    socket.close();
    CHECK(options.cache->stats().open == 0);
    CHECK(server.wait_for_open(0));
    CHECK(proxy.origin().wait_for_open(0));
}

TEST_CASE("a peer behind a proxy that ends its side leaves the socket half closed", "[wire][socket]") {
    const bool socks = GENERATE(false, true), tls = GENERATE(false, true);
    CAPTURE(socks, tls);
    Origin server(
        [](test::Connection& c) {
            c.write("bye");
            c.close();
        },
        tls ? test::tls_options({"h2", "http/1.1"}) : test::OriginOptions{});
    AnyProxy proxy(socks);
    auto options = through(proxy.url());
    options.tls = tls;
    auto socket = Socket::connect("localhost", server.port(), options);
    CHECK(read_text(socket, 100) == "bye");
    CHECK(socket.state() == SocketState::half_closed);
    std::array<std::byte, 8> buffer;
    CHECK(socket.read(buffer) == 0);
}

TEST_CASE("a plain socket through a proxy can be released, serve HTTP, or start TLS", "[wire][socket]") {
    const bool socks = GENERATE(false, true);
    CAPTURE(socks);
    AnyProxy proxy(socks);
    const auto options = through(proxy.url());
    SECTION("released") {
        Origin server(greet_and_echo());
        auto socket = Socket::connect("localhost", server.port(), options);
        CHECK(read_text(socket, 11) == "220 hello\r\n");
        const test::Fd fd(socket.release());
        CHECK(socket.state() == SocketState::taken);
        CHECK(options.cache->stats().open == 0);
        auto again = Socket::adopt(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
        write_text(again, "ping");
        CHECK(read_text(again, 4) == "ping");
    }
    SECTION("with a greeting that nobody read") {
        Origin server(greet_and_echo());
        auto socket = Socket::connect("localhost", server.port(), options);
        CHECK(read_text(socket, 3) == "220");  // the rest has come with it
        CHECK(outcome_of([&] { const HttpOverSocket http(std::move(socket)); }).code ==
              Errc::socket_disturbed);
        CHECK(read_text(socket, 8) == " hello\r\n");  // NOLINT(bugprone-use-after-move): refused
    }
    SECTION("HTTP") {
        Origin server(test::respond_with(test::reply("through")));
        HttpOverSocket http(Socket::connect("localhost", server.port(), options));
        for (int i = 0; i < 2; ++i) CHECK(http.get("http://example.com/").text() == "through");
        CHECK(options.cache->stats().leased == 1);
        http.release().close();
        CHECK(options.cache->stats().open == 0);
        CHECK(server.accepts() == 1);
    }
    SECTION("https") {
        test::OriginOptions http1;
        http1.tls = true;
        Origin server(test::respond_with(test::reply("secret")), http1);
        HttpOverSocket http(Socket::connect("localhost", server.port(), options));
        http.ca_blob(test::TestCa::instance().pem());
        for (int i = 0; i < 2; ++i) CHECK(http.get("https://localhost/").text() == "secret");
        CHECK(server.accepts() == 1);
    }
    SECTION("TLS") {
        auto starttls = test::tls_options({"h2", "http/1.1"});
        starttls.handshake_first = false;
        Origin server(
            [](test::Connection& c) {
                if (c.read_line() != "STARTTLS") return c.close();
                c.write("220 ready\r\n");
                if (c.start_tls()) c.write(c.read_some());
            },
            starttls);
        auto socket = Socket::connect("localhost", server.port(), options);
        write_text(socket, "STARTTLS\r\n");
        REQUIRE(read_text(socket, 11) == "220 ready\r\n");
        socket.start_tls("localhost", options.tls_options);
        write_text(socket, "secret");
        CHECK(read_text(socket, 6) == "secret");
        CHECK(outcome_of([&] { (void)socket.release(); }).code == Errc::invalid_argument);
        CHECK(options.cache->stats().leased == 1);
        socket.close();
        CHECK(options.cache->stats().open == 0);
    }
}

TEST_CASE("what a proxy refuses is a proxy error, with no slot lost", "[wire][socket]") {
    Origin server(greet_and_echo());
    const auto code_through = [&](const std::string& url) {
        const auto options = through(url);
        const auto code =
            outcome_of([&] { (void)Socket::connect("127.0.0.1", server.port(), options); }).code;
        CHECK(options.cache->stats().open == 0);
        return code;
    };
    SECTION("an HTTP proxy's password") {
        HttpProxy proxy({.user = "user", .password = "secret"});
        CHECK(code_through(proxy.url()) == Errc::proxy);
        CHECK(code_through("http://user:wrong@127.0.0.1:" + std::to_string(proxy.port())) == Errc::proxy);
        CHECK(server.accepts() == 0);
        CHECK(code_through(proxy.url_with_password()) == Errc{});
    }
    SECTION("a SOCKS proxy's password") {
        SocksProxy proxy({.user = "user", .password = "secret"});
        CHECK(code_through(proxy.url()) == Errc::proxy);
        CHECK(server.accepts() == 0);
        CHECK(code_through(proxy.url_with_password()) == Errc{});
    }
    SECTION("a proxy that hangs up") {
        Origin proxy([](test::Connection& c) {
            (void)c.read_request();
            c.close();
        });
        CHECK(code_through("http://127.0.0.1:" + std::to_string(proxy.port())) == Errc::proxy);
    }
    SECTION("a proxy that has no such host") {
        Origin proxy(test::respond_with(test::reply("", 502)));
        CHECK(code_through("http://127.0.0.1:" + std::to_string(proxy.port())) == Errc::proxy);
    }
    SECTION("a proxy without a name") {
        CHECK(code_through("http://no-such-proxy.invalid:3128") == Errc::proxy);
    }
    SECTION("no proxy there") {
        const auto code = code_through("http://127.0.0.1:" + std::to_string(test::free_port()));
        CHECK((code == Errc::connect || code == Errc::proxy));
    }
}

TEST_CASE("a silent proxy ends connect() by its time or its stop token", "[wire][socket]") {
    Origin proxy(test::stay_silent());
    auto options = through("http://127.0.0.1:" + std::to_string(proxy.port()));
    SECTION("time") {
        options.timeout = 100ms;
        CHECK(outcome_of([&] { (void)Socket::connect("localhost", 1, options); }).code == Errc::timeout);
    }
    SECTION("stop") {
        std::stop_source stop;
        options.stop = stop.get_token();
        std::thread stopper([&] {
            (void)proxy.wait_for_accepts(1);
            stop.request_stop();
        });
        CHECK(outcome_of([&] { (void)Socket::connect("localhost", 1, options); }).code == Errc::cancelled);
        stopper.join();
    }
    CHECK(options.cache->stats().open == 0);
    CHECK(proxy.wait_for_ends(1));
}

TEST_CASE("the environment's proxy serves sockets too, unless it says otherwise", "[wire][socket]") {
    Origin server(greet_and_echo());
    HttpProxy proxy;
    SocketOptions options;
    options.cache = ConnectionCache();
    ::setenv("http_proxy", proxy.url().c_str(), 1);
    const auto greeting = [&] {
        auto socket = Socket::connect("127.0.0.1", server.port(), options);
        return read_text(socket, 11);
    };
    SECTION("used") {
        CHECK(greeting() == "220 hello\r\n");
        CHECK(proxy.connects() == 1);
    }
    SECTION("NO_PROXY") {
        ::setenv("NO_PROXY", "127.0.0.1", 1);
        CHECK(greeting() == "220 hello\r\n");
        ::unsetenv("NO_PROXY");
        CHECK(proxy.connects() == 0);
    }
    SECTION("an empty setting") {
        options.proxy = "";
        CHECK(greeting() == "220 hello\r\n");
        CHECK(proxy.connects() == 0);
    }
    ::unsetenv("http_proxy");
    CHECK(server.wait_for_open(0));
}

}  // namespace
