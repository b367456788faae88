// Sockets inside TLS, of connect(), start_tls() and upgrade(): states, limits, ends.
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <array>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/stream_text.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::code_of;
using test::Origin;
using test::outcome_of;
using test::read_text;
using test::write_text;

enum class Way { connect, start_tls, upgrade };

TlsOptions trusting() {
    TlsOptions options;
    options.ca_blob = test::TestCa::instance().pem();
    return options;
}

// A server whose script begins when the socket of that kind is there, and such sockets.
struct Server {
    Server(Way which, const test::Script& script)
        : way(which),
          origin([which, script](test::Connection& c) { serve(which, script, c); }, options(which)) {}

    static test::OriginOptions options(Way way) {
        test::OriginOptions options;
        options.tls = true;
        options.handshake_first = way != Way::start_tls;
        return options;
    }
    static void serve(Way way, const test::Script& script, test::Connection& c) {
        if (way == Way::start_tls && !c.start_tls()) return;
        if (way == Way::upgrade) {
            if (!c.read_request()) return;
            c.write(test::switching);
        }
        script(c);
    }

    Socket socket() {
        if (way == Way::upgrade) {
            Session session(cache);
            session.ca_blob(test::TestCa::instance().pem());
            return session
                .send(Request::get(origin.url_for("localhost"))
                          .header("Connection", "Upgrade")
                          .header("Upgrade", "foo"))
                .upgrade();
        }
        SocketOptions options;
        options.cache = cache;
        options.tls = way == Way::connect;
        options.tls_options = trusting();
        auto socket = Socket::connect("localhost", origin.port(), options);
        if (way == Way::start_tls) socket.start_tls("localhost", trusting());
        return socket;
    }

    Way way;
    ConnectionCache cache;
    Origin origin;
};

Way any_way() {
    return GENERATE(Way::connect, Way::start_tls, Way::upgrade);
}

// In the order read, write, flush, start_tls, release, HTTP, close; Errc{} is success.
std::vector<Errc> codes_of_all(Socket& socket) {
    std::array<std::byte, 8> buffer;
    std::vector<Errc> codes;
    codes.push_back(code_of([&] { socket.read(buffer); }));
    codes.push_back(code_of([&] { write_text(socket, "x"); }));
    codes.push_back(code_of([&] { socket.flush(); }));
    codes.push_back(code_of([&] { socket.start_tls("localhost"); }));
    codes.push_back(code_of([&] { test::Fd owner(socket.release()); }));
    codes.push_back(code_of([&] { const HttpOverSocket http(std::move(socket)); }));
    codes.push_back(
        code_of([&] { socket.close(); }));  // NOLINT(bugprone-use-after-move): refused, so not moved
    return codes;
}

TEST_CASE("every operation on a socket inside TLS gives the documented result", "[wire][socket]") {
    constexpr Errc fine{};
    const auto way = any_way();
    CAPTURE(static_cast<int>(way));
    SECTION("open") {
        Server server(way, test::send_back);
        auto socket = server.socket();
        socket.timeout(2s);
        write_text(socket, "x");
        CHECK(codes_of_all(socket) == std::vector{fine, fine, fine, Errc::invalid_argument,
                                                  Errc::invalid_argument, Errc::invalid_argument, fine});
        CHECK(socket.state() == SocketState::closed);
        CHECK(server.cache.stats().open == 0);
        CHECK(server.origin.wait_for_open(0));
    }
    SECTION("half closed") {
        Server server(way, [](test::Connection& c) { c.close(); });
        auto socket = server.socket();
        std::array<std::byte, 8> buffer;
        CHECK(socket.read(buffer) == 0);
        CHECK(socket.state() == SocketState::half_closed);
        CHECK(socket.read(buffer) == 0);
        CHECK(code_of([&] { socket.flush(); }) == fine);
        CHECK(code_of([&] { socket.start_tls("localhost"); }) == Errc::socket_closed);
        CHECK(code_of([&] { (void)socket.release(); }) == Errc::invalid_argument);
        CHECK(code_of([&] { const HttpOverSocket http(std::move(socket)); }) == Errc::invalid_argument);
        socket.close();  // NOLINT(bugprone-use-after-move): refused, so not moved
        CHECK(server.cache.stats().open == 0);
    }
    SECTION("closed") {
        Server server(way, test::send_back);
        auto socket = server.socket();
        socket.close();
        constexpr auto error = Errc::socket_closed;
        CHECK(codes_of_all(socket) == std::vector{error, error, error, error, error, error, fine});
    }
    SECTION("moved from") {
        Server server(way, test::send_back);
        auto socket = server.socket();
        auto other = std::move(socket);
        constexpr auto error = Errc::socket_taken;
        CHECK(codes_of_all(socket) == std::vector{error, error, error, error, error, error, fine});
        write_text(other, "still");
        CHECK(read_text(other, 5) == "still");
    }
}

TEST_CASE("a read inside TLS that times out loses nothing", "[wire][socket]") {
    const auto way = any_way();
    CAPTURE(static_cast<int>(way));
    Server server(way, test::send_back);
    auto socket = server.socket();
    socket.timeout(30ms);
    std::array<std::byte, 8> buffer;
    CHECK(code_of([&] { socket.read(buffer); }) == Errc::timeout);
    CHECK(socket.state() == SocketState::open);
    socket.timeout(10s);
    write_text(socket, "late");
    CHECK(read_text(socket, 4) == "late");
}

TEST_CASE("a write inside TLS that nobody reads times out, and closes", "[wire][socket]") {
    const auto way = any_way();
    CAPTURE(static_cast<int>(way));
    Server server(way, [](test::Connection& c) { c.wait_for_stop(); });
    auto socket = server.socket();
    socket.timeout(50ms);
    CHECK(code_of([&] { write_text(socket, std::string(64 << 20, 'x')); }) == Errc::timeout);
    CHECK(socket.state() == SocketState::closed);
    CHECK(server.cache.stats().open == 0);
}

TEST_CASE("a stop token ends a blocked read inside TLS", "[wire][socket]") {
    const auto way = any_way();
    CAPTURE(static_cast<int>(way));
    Server server(way, test::send_back);
    auto socket = server.socket();
    std::stop_source stop;
    socket.stop(stop.get_token());
    Errc code{};
    std::thread reader([&] {
        std::array<std::byte, 8> buffer;
        code = code_of([&] { socket.read(buffer); });
    });
    REQUIRE(test::eventually([&] { return socket.state() == SocketState::reading; }));
    CHECK(code_of([&] { write_text(socket, "x"); }) == Errc::socket_locked);
    CHECK(code_of([&] { socket.close(); }) == Errc::socket_locked);
    stop.request_stop();
    reader.join();
    CHECK(code == Errc::cancelled);
    CHECK(socket.state() == SocketState::closed);
    CHECK(server.cache.stats().open == 0);
    CHECK(server.origin.wait_for_open(0));
}

TEST_CASE("the shutdown of its cache ends an operation on a socket inside TLS", "[wire][socket]") {
    const auto way = any_way();
    CAPTURE(static_cast<int>(way));
    Server server(way, test::send_back);
    auto socket = server.socket();
    Errc code{};
    std::thread reader([&] {
        std::array<std::byte, 8> buffer;
        code = code_of([&] { socket.read(buffer); });
    });
    REQUIRE(test::eventually([&] { return socket.state() == SocketState::reading; }));
    server.cache.shutdown(50ms);
    reader.join();
    CHECK(code == Errc::cancelled);
    CHECK(socket.state() == SocketState::closed);
    CHECK(server.cache.stats().open == 0);
}

TEST_CASE("while TLS starts on a socket every other operation is socket_locked", "[wire][socket]") {
    Origin origin(test::stay_silent());
    auto socket = Socket::adopt(test::connect_tcp(origin.port()).release());
    std::stop_source stop;
    socket.stop(stop.get_token());
    Errc code{};
    std::thread starter([&] { code = code_of([&] { socket.start_tls("localhost", trusting()); }); });
    REQUIRE(test::eventually([&] { return socket.state() == SocketState::connecting; }));
    CHECK(codes_of_all(socket) == std::vector<Errc>(7, Errc::socket_locked));
    CHECK(socket.state() == SocketState::connecting);
    stop.request_stop();
    starter.join();
    CHECK(code == Errc::cancelled);
    CHECK(socket.state() == SocketState::closed);
    CHECK(origin.wait_for_ends(1));
}

TEST_CASE("sockets leave no descriptor behind, whatever becomes of them", "[wire][socket]") {
    const auto way = any_way();
    CAPTURE(static_cast<int>(way));
    Server server(way, test::send_back);
    const auto round = [&] {
        auto socket = server.socket();
        write_text(socket, "x");
        CHECK(read_text(socket, 1) == "x");
        auto closed = server.socket();
        closed.close();
        auto plain = Socket::adopt(test::connect_tcp(server.origin.port()).release());
        plain.timeout(5s);
        CHECK(code_of([&] { plain.start_tls("other.example", trusting()); }) == Errc::tls);
        SocketOptions nobody;
        nobody.cache = server.cache;
        CHECK(code_of([&] { (void)Socket::connect("127.0.0.1", test::free_port(), nobody); }) ==
              Errc::connect);
    };
    round();
    REQUIRE(server.origin.wait_for_open(0));
    const auto before = test::open_descriptors();
    for (int i = 0; i < 3; ++i) round();
    REQUIRE(server.origin.wait_for_open(0));
    CHECK(test::eventually([&] { return test::open_descriptors() <= before; }));
    CHECK(server.cache.stats().open == 0);
}

TEST_CASE("a cache that was shut down connects no socket", "[wire][socket]") {
    Origin origin(test::send_back);
    SocketOptions options;
    options.cache = ConnectionCache();
    options.cache->shutdown(0s);
    CHECK(code_of([&] { (void)Socket::connect("127.0.0.1", origin.port(), options); }) == Errc::cache_closed);
    CHECK(origin.accepts() == 0);
}

}  // namespace
