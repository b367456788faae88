// Socket over a given descriptor: states, limits, ownership.
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>

#include "support/certificates.hpp"
#include "support/fixture.hpp"
#include "support/stream_text.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::code_of;
using test::outcome_of;
using test::read_fd;
using test::read_text;
using test::write_text;

struct Pair {
    Pair() : Pair(test::unix_pair()) {}
    Socket socket;
    test::Fd peer;

  private:
    explicit Pair(test::StreamPair fds)
        : socket(Socket::adopt(fds.ours.release())), peer(std::move(fds.theirs)) {}
};

TEST_CASE("an adopted descriptor carries bytes both ways", "[wire][socket]") {
    Pair pair;
    CHECK(pair.socket.state() == SocketState::open);
    write_text(pair.socket, "ping");
    CHECK(read_fd(pair.peer.get()) == "ping");
    REQUIRE(::write(pair.peer.get(), "pong", 4) == 4);
    CHECK(read_text(pair.socket, 4) == "pong");
    pair.socket.flush();
    CHECK(pair.socket.state() == SocketState::open);
}

TEST_CASE("when the peer ends its side a socket is half closed and still writes", "[wire][socket]") {
    Pair pair;
    REQUIRE(::write(pair.peer.get(), "last", 4) == 4);
    REQUIRE(::shutdown(pair.peer.get(), SHUT_WR) == 0);
    CHECK(read_text(pair.socket, 4) == "last");
    std::array<std::byte, 8> buffer;
    CHECK(pair.socket.read(buffer) == 0);
    CHECK(pair.socket.state() == SocketState::half_closed);
    CHECK(pair.socket.read(buffer) == 0);
    write_text(pair.socket, "answer");
    CHECK(read_fd(pair.peer.get()) == "answer");
    pair.socket.close();
    CHECK(pair.socket.state() == SocketState::closed);
    CHECK(read_fd(pair.peer.get()).empty());
}

TEST_CASE("only a connected stream socket can be adopted, and anything else stays the caller's",
          "[wire][socket]") {
    const auto refused = [](int fd) {
        return code_of([fd] { (void)Socket::adopt(fd); }) == Errc::invalid_argument;
    };
    CHECK(refused(-1));
    {
        auto pair = test::unix_pair();
        const int number = pair.ours.get();
        pair.ours.reset();
        CHECK(refused(number));
    }
    const test::Fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    const test::Fd datagram(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const test::Fd unconnected(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const test::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    for (const auto* fd : {&file, &datagram, &unconnected, &listener}) {
        CHECK(refused(fd->get()));
        CHECK(::fcntl(fd->get(), F_GETFD) >= 0);
    }
}

TEST_CASE("a read that times out loses nothing and leaves the socket open", "[wire][socket]") {
    Pair pair;
    pair.socket.timeout(30ms);
    std::array<std::byte, 8> buffer;
    CHECK(code_of([&] { pair.socket.read(buffer); }) == Errc::timeout);
    CHECK(pair.socket.state() == SocketState::open);
    REQUIRE(::write(pair.peer.get(), "late", 4) == 4);
    CHECK(read_text(pair.socket, 4) == "late");
}

TEST_CASE("a write that times out closes the socket, since a part has left", "[wire][socket]") {
    Pair pair;
    pair.socket.timeout(30ms);
    const std::string much(8 << 20, 'x');
    CHECK(code_of([&] { write_text(pair.socket, much); }) == Errc::timeout);
    CHECK(pair.socket.state() == SocketState::closed);
}

TEST_CASE("a write waits for a slow peer and sends everything", "[wire][socket]") {
    Pair pair;
    const std::string much(4 << 20, 'x');
    std::size_t read = 0;
    std::thread peer([&] {
        while (const auto n = read_fd(pair.peer.get(), 65536).size()) read += n;
    });
    write_text(pair.socket, much);
    pair.socket.close();
    peer.join();
    CHECK(read == much.size());
}

TEST_CASE("a write to a peer that has gone is connection_lost, and no signal", "[wire][socket]") {
    Pair pair;
    pair.peer.reset();
    CHECK(code_of([&] { write_text(pair.socket, "x"); }) == Errc::connection_lost);
    CHECK(pair.socket.state() == SocketState::closed);
}

TEST_CASE("a stop token ends a blocked read from another thread and closes", "[wire][socket]") {
    Pair pair;
    std::stop_source stop;
    pair.socket.stop(stop.get_token());
    Errc code{};
    std::thread reader([&] {
        std::array<std::byte, 8> buffer;
        code = code_of([&] { pair.socket.read(buffer); });
    });
    REQUIRE(test::eventually([&] { return pair.socket.state() == SocketState::reading; }));
    const auto before = test::Clock::now();
    stop.request_stop();
    reader.join();
    CHECK(code == Errc::cancelled);
    CHECK(test::Clock::now() - before < 2s);
    CHECK(pair.socket.state() == SocketState::closed);
    CHECK(read_fd(pair.peer.get()).empty());
}

TEST_CASE("error_code overloads report instead of throwing", "[wire][socket]") {
    Pair pair;
    std::error_code ec;
    std::array<std::byte, 8> buffer;
    pair.socket.timeout(0ms);
    CHECK(pair.socket.read(buffer, ec) == 0);
    CHECK(ec == Errc::timeout);
    pair.socket.close();
    pair.socket.write(std::as_bytes(std::span("x", 1)), ec);
    CHECK(ec == Errc::socket_closed);
    pair.socket.flush(ec);
    CHECK(ec == Errc::socket_closed);
    pair.socket.start_tls("localhost", {}, ec);
    CHECK(ec == Errc::socket_closed);
    const auto none = Socket::connect("127.0.0.1", test::free_port(), {}, ec);
    CHECK(ec == Errc::connect);
    CHECK(none.state() == SocketState::closed);
}

// What each operation says in a state; Errc{} is success.
struct Expected {
    Errc read, write, flush, close, start_tls, release, http;
};

void check_operations(const std::function<Pair()>& make, const Expected& expected) {
    const auto run = [&](const std::function<void(Socket&)>& operation) {
        auto pair = make();
        return code_of([&] { operation(pair.socket); });
    };
    CHECK(run([](Socket& s) {
              std::array<std::byte, 8> buffer;
              s.timeout(1ms);
              s.read(buffer);
          }) == expected.read);
    CHECK(run([](Socket& s) { write_text(s, "x"); }) == expected.write);
    CHECK(run([](Socket& s) { s.flush(); }) == expected.flush);
    CHECK(run([](Socket& s) { s.close(); }) == expected.close);
    CHECK(run([](Socket& s) {
              s.timeout(1ms);
              s.start_tls("localhost", {.ca_blob = test::TestCa::instance().pem()});
          }) == expected.start_tls);
    CHECK(run([](Socket& s) { test::Fd owner(s.release()); }) == expected.release);
    CHECK(run([](Socket& s) { const HttpOverSocket http(std::move(s)); }) == expected.http);
}

TEST_CASE("every operation in every state gives the documented result", "[wire][socket]") {
    constexpr Errc fine{};
    SECTION("open") {
        check_operations([] { return Pair(); }, {Errc::timeout, fine, fine, fine, Errc::timeout, fine, fine});
    }
    SECTION("open, with unread bytes") {
        const auto make = [] {
            Pair pair;
            REQUIRE(::write(pair.peer.get(), "x", 1) == 1);
            return pair;
        };
        check_operations(make,
                         {fine, fine, fine, fine, Errc::socket_disturbed, fine, Errc::socket_disturbed});
    }
    SECTION("half closed") {
        const auto make = [] {
            Pair pair;
            ::shutdown(pair.peer.get(), SHUT_WR);
            std::array<std::byte, 8> buffer;
            pair.socket.read(buffer);
            REQUIRE(pair.socket.state() == SocketState::half_closed);
            return pair;
        };
        check_operations(make, {fine, fine, fine, fine, Errc::socket_closed, fine, Errc::socket_closed});
    }
    SECTION("closed") {
        const auto make = [] {
            Pair pair;
            pair.socket.close();
            return pair;
        };
        constexpr auto error = Errc::socket_closed;
        check_operations(make, {error, error, error, fine, error, error, error});
    }
    SECTION("taken") {
        const auto make = [] {
            Pair pair;
            const test::Fd owner(pair.socket.release());
            REQUIRE(pair.socket.state() == SocketState::taken);
            return pair;
        };
        constexpr auto error = Errc::socket_taken;
        check_operations(make, {error, error, error, fine, error, error, error});
    }
    SECTION("moved from") {
        const auto make = [] {
            Pair pair;
            const Socket other(std::move(pair.socket));
            REQUIRE(pair.socket.state() ==
                    SocketState::taken);  // NOLINT(bugprone-use-after-move): what is tested
            return pair;
        };
        constexpr auto error = Errc::socket_taken;
        check_operations(make, {error, error, error, fine, error, error, error});
    }
}

TEST_CASE("while an operation is in flight every other is socket_locked", "[wire][socket]") {
    Pair pair;
    std::stop_source stop;
    pair.socket.stop(stop.get_token());
    std::thread reader([&] {
        std::array<std::byte, 8> buffer;
        std::error_code ignored;
        pair.socket.read(buffer, ignored);
    });
    REQUIRE(test::eventually([&] { return pair.socket.state() == SocketState::reading; }));
    std::array<std::byte, 8> buffer;
    const auto locked = [&](const std::function<void()>& call) {
        return code_of(call) == Errc::socket_locked;
    };
    CHECK(locked([&] { pair.socket.read(buffer); }));
    CHECK(locked([&] { write_text(pair.socket, "x"); }));
    CHECK(locked([&] { pair.socket.flush(); }));
    CHECK(locked([&] { pair.socket.close(); }));
    CHECK(locked([&] { pair.socket.start_tls("localhost"); }));
    CHECK(locked([&] { (void)pair.socket.release(); }));
    CHECK(locked([&] { const HttpOverSocket http(std::move(pair.socket)); }));
    CHECK(pair.socket.state() ==
          SocketState::reading);  // NOLINT(bugprone-use-after-move): refused, so not moved
    stop.request_stop();
    reader.join();
}

TEST_CASE("every descriptor of a socket is closed exactly once", "[wire][socket]") {
    {
        const Pair warm_up;  // whatever is opened once in a process
    }
    const auto before = test::open_descriptors();
    for (int round = 0; round < 3; ++round) {
        Pair pair;
        const int number = pair.socket.release();
        Socket again = Socket::adopt(number);
        Socket moved(std::move(again));
        moved.close();
        // The number is free: another file gets it, and no destructor may close that.
        const test::Fd recycled(::fcntl(pair.peer.get(), F_DUPFD_CLOEXEC, number));
        REQUIRE(recycled.get() == number);
        moved = Socket();
        again = Socket();
        CHECK(::fcntl(recycled.get(), F_GETFD) >= 0);
    }
    CHECK(test::open_descriptors() == before);
}

TEST_CASE("a released descriptor is as it was given", "[wire][socket]") {
    auto fds = test::unix_pair();
    const int number = fds.ours.release();
    auto socket = Socket::adopt(number);
    write_text(socket, "x");
    CHECK(socket.release() == number);
    const test::Fd owner(number);
    CHECK((::fcntl(number, F_GETFL) & O_NONBLOCK) == 0);
}

}  // namespace
