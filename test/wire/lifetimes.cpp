// max_lifetime(): how old a connection gets, and who notices.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/timing.hpp"

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("each connection's lifetime is drawn by itself, up to a tenth less", "[wire][lifetime]") {
    constexpr std::size_t n = 30;
    Origin origin(respond_with(reply("hello")));
    Client client([](auto& b) { b.max_lifetime(1s); });
    // The age of the first one to be closed, in several rounds: on a busy machine all may be closed late.
    std::size_t rounds = 0;
    const bool some_less = ever_within(1s, [&] {
        const auto before = Clock::now();
        fill(client.cache, origin.url(), n);
        REQUIRE(origin.wait_for_fins(n * ++rounds));
        const auto age = origin.ended().at(n * (rounds - 1)).at - before;
        CHECK(age >= 900ms);
        CHECK(eventually([&] { return client.events->count(Event::Kind::closed) == n * rounds; }));
        CHECK(client.cache.stats().closed_by[CloseReason::lifetime] == n * rounds);
        return age;
    });
    CHECK(some_less);
    // Not in the order in which they were opened, as they would if all had the same.
    std::vector<std::uint64_t> closed;
    for (const auto& event : client.events->all()) {
        if (event.kind == Event::Kind::closed && closed.size() < n) closed.push_back(event.connection_id);
    }
    CHECK_FALSE(std::is_sorted(closed.begin(), closed.end()));
    client.check_end(origin.url());
}

TEST_CASE("a connection beyond its lifetime is not lent where nothing watches", "[wire][lifetime]") {
    Origin origin(respond_with(reply("hello")));
    Client client([](auto& b) { b.max_lifetime(1s).watch_idle(false); });
    fill(client.cache, origin.url(), 2);
    REQUIRE(origin.accepts() == 2);
    client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 2);
    std::this_thread::sleep_for(1050ms);  // why: they are to get too old
    CHECK(origin.fins() == 0);
    CHECK(client.cache.stats().idle == 2);

    client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 3);
    CHECK(origin.requests().back().connection == 2);
    CHECK(origin.wait_for_fins(2));
    const auto stats = client.cache.stats();
    CHECK(stats.closed_by[CloseReason::lifetime] == 2);
    CHECK(stats.closed == 2);
    CHECK(stats.idle == 1);
    CHECK(stats.replays == 0);
    client.check_end(origin.url());
}
