// fork() with sockets: the child leaves its parent's connections alone.
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "support/child.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/stream_text.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::in_child;
using test::Origin;
using test::outcome_of;
using test::read_text;
using test::write_text;

// Echoes; what begins like a request it first answers with 101.
test::Script echo(bool upgrade) {
    return [upgrade](test::Connection& c) {
        if (upgrade) {
            if (!c.read_request()) return;
            c.write(test::switching);
        }
        test::send_back(c);
    };
}

test::OriginOptions secure(bool tls) {
    test::OriginOptions options;
    options.tls = tls;
    return options;
}

Socket socket_to(const Origin& origin, bool upgrade, bool tls, const ConnectionCache& cache) {
    if (!upgrade) {
        SocketOptions options;
        options.tls = tls;
        options.tls_options.ca_blob = test::TestCa::instance().pem();
        options.cache = cache;
        return Socket::connect("localhost", origin.port(), options);
    }
    Session session(cache);
    session.ca_blob(test::TestCa::instance().pem());
    return session
        .send(Request::get(origin.url_for("localhost"))
                  .header("Connection", "Upgrade")
                  .header("Upgrade", "foo"))
        .upgrade();
}

TEST_CASE("an inherited socket is an error in the child, and the parent's goes on", "[wire][socket][fork]") {
    const bool upgrade = GENERATE(false, true), tls = GENERATE(false, true);
    CAPTURE(upgrade, tls);
    Origin origin(echo(upgrade), secure(tls));
    auto cache = std::make_unique<ConnectionCache>(ConnectionCache::builder().build());
    auto socket = std::make_unique<Socket>(socket_to(origin, upgrade, tls, *cache));
    write_text(*socket, "before");
    REQUIRE(read_text(*socket, 6) == "before");
    const auto lost = [&](const std::function<void()>& call) {
        return outcome_of(call).code == Errc::connection_lost && socket->state() == SocketState::closed;
    };
    SECTION("dropped") {
        CHECK(in_child([&] {
                  socket.reset();
                  cache.reset();
                  return 0;
              }) == 0);
    }
    SECTION("closed") {
        CHECK(in_child([&] {
                  socket->close();
                  return cache->stats().open == 0 ? 0 : 1;
              }) == 0);
    }
    SECTION("written to") {
        CHECK(in_child([&] { return lost([&] { write_text(*socket, "garbage"); }); }) == 0);
    }
    SECTION("read from") {
        write_text(*socket, "mine");
        CHECK(in_child([&] { return lost([&] { read_text(*socket, 4); }); }) == 0);
        CHECK(read_text(*socket, 4) == "mine");
    }
    SECTION("given away") {
        CHECK(in_child([&] { return lost([&] { test::Fd owner(socket->release()); }); }) == 0);
        CHECK(in_child([&] { return lost([&] { const HttpOverSocket http(std::move(*socket)); }); }) == 0);
        CHECK(in_child([&] { return lost([&] { socket->start_tls("localhost"); }); }) == 0);
    }
    CHECK(socket->state() == SocketState::open);
    for (const std::string text : {"after", "again"}) {
        write_text(*socket, text);
        CHECK(read_text(*socket, text.size()) == text);
    }
    CHECK(cache->stats().leased == 1);
    CHECK(origin.snapshot().close_notifies == 0);
    socket.reset();
    CHECK(cache->stats().open == 0);
    CHECK(origin.wait_for_open(0));
    CHECK(origin.errors().empty());
}

TEST_CASE("a given descriptor may be used by the process that got it through fork", "[wire][socket][fork]") {
    Origin origin(echo(false));
    auto socket = Socket::adopt(test::connect_tcp(origin.port()).release());
    CHECK(in_child([&] {
              write_text(socket, "child");
              return read_text(socket, 5) == "child";
          }) == 0);
    write_text(socket, "parent");
    CHECK(read_text(socket, 6) == "parent");
}

TEST_CASE("after start_tls() a given descriptor is the parent's alone", "[wire][socket][fork]") {
    auto options = secure(true);
    options.handshake_first = false;
    Origin origin(
        [](test::Connection& c) {
            if (c.start_tls()) test::send_back(c);
        },
        options);
    auto socket = Socket::adopt(test::connect_tcp(origin.port()).release());
    socket.start_tls("localhost", {.ca_blob = test::TestCa::instance().pem()});
    CHECK(in_child([&] {
              return outcome_of([&] { write_text(socket, "garbage"); }).code == Errc::connection_lost;
          }) == 0);
    write_text(socket, "parent");
    CHECK(read_text(socket, 6) == "parent");
    CHECK(origin.snapshot().close_notifies == 0);
}

TEST_CASE("HTTP over a socket is spent in the child once it has been used", "[wire][socket][fork]") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    test::skip_where_a_child_has_no_threads();
    Origin origin(test::respond_with(test::reply("ok")), secure(tls));
    auto http = std::make_unique<HttpOverSocket>(Socket::adopt(test::connect_tcp(origin.port()).release()));
    http->ca_blob(test::TestCa::instance().pem());
    const std::string url = tls ? "https://localhost/" : "http://localhost/";
    CHECK(http->get(url).text() == "ok");
    SECTION("used") {
        CHECK(in_child([&] {
                  if (outcome_of([&] { http->get(url); }).code != Errc::client_spent) return 1;
                  return outcome_of([&] { (void)http->release(); }).code == Errc::client_spent ? 0 : 2;
              }) == 0);
    }
    SECTION("dropped") {
        CHECK(in_child([&] {
                  http.reset();
                  return 0;
              }) == 0);
    }
    auto second = http->get(url);
    CHECK(second.reused());
    CHECK(second.text() == "ok");
    CHECK(origin.accepts() == 1);
    CHECK(origin.request_count() == 2);
    CHECK(origin.snapshot().close_notifies == 0);
}

}  // namespace
