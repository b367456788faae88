// Every descriptor of a socket is closed exactly once: what the lanes' socket callbacks count, and what /proc
// knows.
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/stream_text.hpp"

namespace {

using namespace ringlet;
using test::Origin;
using test::switching;

// A 101 for an upgrade, else an answer; what follows a 101 is read to its end.
test::Script serve() {
    return [](test::Connection& c) {
        while (const auto request = c.read_request()) {
            if (request->target != "/upgrade") {
                c.write(test::reply("hello"));
                continue;
            }
            c.write(switching);
            while (!c.read_some().empty()) {
            }
            return c.close();
        }
    };
}

Request upgrade_of(const Origin& origin) {
    return Request::get(origin.url_for("localhost", "/upgrade"))
        .header("Connection", "Upgrade")
        .header("Upgrade", "foo");
}

SocketOptions options_for(const test::Client& client, bool tls) {
    SocketOptions options;
    options.cache = client.cache;
    options.tls = tls;
    options.tls_options.ca_blob = test::TestCa::instance().pem();
    return options;
}

// Ways to come by a socket and to be rid of it.
using WayOfHaving = std::function<void(test::Client&, const Origin&, bool tls)>;
const std::map<std::string, WayOfHaving>& ways() {
    static const std::map<std::string, WayOfHaving> all = {
        {"connected, closed",
         [](auto& client, const auto& origin, bool tls) {
             Socket::connect("localhost", origin.port(), options_for(client, tls)).close();
         }},
        {"connected, moved, dropped",
         [](auto& client, const auto& origin, bool tls) {
             auto socket = Socket::connect("localhost", origin.port(), options_for(client, tls));
             const Socket moved(std::move(socket));
         }},
        {"upgraded, closed", [](auto& client, const auto& origin,
                                bool) { client.session.send(upgrade_of(origin)).upgrade().close(); }},
        {"upgraded, dropped with its response",
         [](auto& client, const auto& origin, bool) {
             auto response = client.session.send(upgrade_of(origin));
             const auto socket = response.upgrade();
         }},
        {"kept, then closed by the cache",
         [](auto& client, const auto& origin, bool) {
             CHECK(client.session.get(origin.url_for("localhost")).text() == "hello");
             CHECK(client.cache.close_idle() == 1);
         }},
    };
    return all;
}

void try_all(bool tls) {
    test::OriginOptions options;
    options.tls = tls;
    options.alpn = {"http/1.1"};
    Origin origin(serve(), options);
    test::Client client;
    client.session.ca_blob(test::TestCa::instance().pem());
    const auto run = [&] {
        for (const auto& [name, way] : ways()) {
            INFO(name);
            way(client, origin, tls);
        }
        // The server is in this process too.
        REQUIRE(origin.wait_until([](const auto& now) { return now.open == 0 && now.held == 0; }));
    };
    run();  // what is opened once in a process
    const auto before = test::open_descriptors();
    run();
    CHECK(test::eventually([&] { return test::open_descriptors() == before; }));
    std::map<std::uint64_t, int> opened, closed;
    for (const auto& event : client.events->all()) {
        if (event.kind == Event::Kind::opened) ++opened[event.connection_id];
        if (event.kind == Event::Kind::closed) ++closed[event.connection_id];
    }
    CHECK(opened.size() == 2 * ways().size());
    CHECK(opened == closed);
    for (const auto& [id, times] : closed) CHECK(times == 1);
    CHECK(client.cache.stats().open == 0);
}

TEST_CASE("every way of having a socket closes its descriptor exactly once", "[wire][socket]") {
    SECTION("plain") {
        try_all(false);
    }
    SECTION("TLS") {
        try_all(true);
    }
}

}  // namespace
