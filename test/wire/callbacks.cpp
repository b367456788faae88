// What a user's callback does to the transfer that called it.
#include <catch2/catch_test_macros.hpp>
#include <ringlet/ringlet.hpp>

#include <string>

#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::Connection;
using test::Origin;

/// Half of the body now, the rest when the gate opens.
test::Script in_two_halves(test::Gate& gate) {
    return [&gate](Connection& connection) {
        while (connection.read_request()) {
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + std::string(200'000, 'x'));
            if (!connection.wait_for(gate)) return;
            // Slow enough for more than one report of progress, of which there are at most twenty a second.
            if (!connection.write_slowly(std::string(200'000, 'x'), 20'000, 50ms)) return;
        }
    };
}

TEST_CASE("abort() inside the transfer's own progress callback ends it", "[wire][callback]") {
    test::Gate gate;
    Origin origin(in_two_halves(gate));
    ConnectionCache cache;
    Session session(cache);
    Response response;
    bool armed = false;
    session.progress([&](const Progress&) {
        if (!armed) return;
        armed = false;
        response.abort();
    });
    response = session.get(origin.url());
    armed = true;
    gate.open();
    std::error_code ec;
    response.text(ec);
    CHECK(ec == Errc::cancelled);
    CHECK(cache.stats().leased == 0);
    session.progress(nullptr);
    CHECK(session.get(origin.url()).text().size() == 400'000);
}

TEST_CASE("reading inside the transfer's own progress callback is refused", "[wire][callback]") {
    test::Gate gate;
    Origin origin(in_two_halves(gate));
    ConnectionCache cache;
    Session session(cache);
    Response response;
    bool armed = false;
    std::error_code inner;
    session.progress([&](const Progress&) {
        if (!armed) return;
        armed = false;
        response.consume(inner);
    });
    response = session.get(origin.url());
    armed = true;
    gate.open();
    CHECK(response.text().size() == 400'000);
    CHECK(inner == Errc::body_locked);
}

TEST_CASE("shutting the cache down inside a progress callback is an error, not a deadlock",
          "[wire][callback]") {
    test::Gate gate;
    gate.open();
    Origin origin(in_two_halves(gate));
    ConnectionCache cache;
    Session session(cache);
    bool refused = false;
    session.progress([&](const Progress&) {
        if (refused) return;
        try {
            cache.shutdown(unlimited);
        } catch (const Error& error) {
            refused = error.code() == Errc::invalid_argument;
        }
    });
    CHECK(session.get(origin.url()).text().size() == 400'000);
    CHECK(refused);
}

}  // namespace
