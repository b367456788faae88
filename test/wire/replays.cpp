// Replays: each request has its own, however its connection ends and whatever happened to requests before it.
#include <catch2/catch_test_macros.hpp>

#include <string>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// Answers the first request of each connection, and ends the connection at the second one.
Script answers_once(void (*end)(Connection&)) {
    return [end](Connection& connection) {
        if (!connection.read_request()) return;
        connection.write(reply("hello"));
        if (connection.read_request()) end(connection);
    };
}

void check_replays(Script script) {
    Origin origin(std::move(script));
    Client client;
    constexpr std::size_t n = 20;
    for (std::size_t i = 0; i <= n; ++i) {
        const auto outcome = outcome_of([&] { CHECK(client.session.get(origin.url()).text() == "hello"); });
        CHECK_FALSE(outcome.threw);
    }
    CHECK(client.cache.stats().replays == n);
    CHECK(origin.accepts() == n + 1);
    CHECK(origin.request_count() == 2 * n + 1);
    CHECK(client.at_rest());
}

}  // namespace

TEST_CASE("replays of earlier requests do not use up a later one's", "[wire][replay]") {
    SECTION("FIN") {
        check_replays(answers_once([](Connection& c) { c.close(); }));
    }
    SECTION("RST") {
        check_replays(answers_once([](Connection& c) { c.reset(); }));
    }
    SECTION("FIN and RST") {
        check_replays(answers_once([](Connection& c) {
            c.shutdown_write();
            c.reset();
        }));
    }
}
