// What is lent, reused, and closed instead.
#include "driver.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <thread>
#include <vector>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

TEST_CASE("a released lane serves the next request of its key", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    CHECK(request(cache, server) == CloseReason::none);
    {
        Lease lease = cache->acquire(key_of(server));
        CHECK(lease.reused());
        send_get(lease, server.url());
        CHECK(cache->release(std::move(lease), {}) == CloseReason::none);
        CHECK_FALSE(lease);
    }
    CHECK(server.accepts() == 1);
    const auto stats = cache->stats();
    CHECK(stats.requests == 2);
    CHECK(stats.opened == 1);
    CHECK(stats.reused == 1);
    CHECK(stats.idle == 1);
    CHECK(stats.leased == 0);
}

TEST_CASE("a lane of another key is not lent", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    request(cache, server);
    Lease lease = lend(cache, server, {}, key_of(server, "isolation=b"));
    CHECK_FALSE(lease.reused());
    CHECK(server.accepts() == 2);
}

TEST_CASE("a lease that is dropped closes its lane", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    { const Lease lease = lend(cache, server); }
    CHECK(server.wait_for_ends(1));
    CHECK(cache->stats().closed_by[CloseReason::transfer_error] == 1);
    CHECK(cache->stats().open == 0);
}

TEST_CASE("a lane that never connected is neither opened nor closed in the counts", "[cache]") {
    const auto cache = make_cache();
    { const Lease lease = cache->acquire({"http://127.0.0.1:1", ""}); }
    const auto stats = cache->stats();
    CHECK(stats.opened == 0);
    CHECK(stats.closed == 0);
    CHECK(stats.requests == 1);
    CHECK(stats.open == 0);
}

TEST_CASE("an idle lane whose peer has gone is not lent", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.watch_idle = false});
    request(cache, server);
    server.close_all();
    // The FIN arrives before the next accept can.
    CHECK(request(cache, server) == CloseReason::none);
    CHECK(server.accepts() == 2);
    const auto stats = cache->stats();
    CHECK(stats.closed_by[CloseReason::peer_closed] == 1);
    CHECK(stats.reused == 0);
    CHECK(stats.requests == 2);
}

TEST_CASE("an idle lane with bytes nobody asked for is not lent", "[cache][C018]") {
    Origin server([](Connection& c) {
        if (!c.read_request()) return;
        c.write(reply("x") + "HTTP/1.1 408 bye\r\n\r\n");
        c.wait_for_stop();
    });
    const auto cache = make_cache({.watch_idle = false});
    request(cache, server);
    Lease lease = cache->acquire(key_of(server));
    CHECK_FALSE(lease.reused());
    // libcurl may have met the bytes itself, and closed the connection.
    const auto stats = cache->stats();
    CHECK(stats.closed_by[CloseReason::unsolicited_data] + stats.closed_by[CloseReason::peer_closed] == 1);
}

TEST_CASE("ten dead lanes cost one fresh dial", "[cache][C069]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.watch_idle = false});
    std::vector<Lease> leases;
    for (int i = 0; i < 10; ++i) leases.push_back(lend(cache, server));
    for (auto& lease : leases) cache->release(std::move(lease), {});
    REQUIRE(cache->stats().idle == 10);
    server.close_all();
    REQUIRE(server.wait_for_open(0));
    CHECK(request(cache, server) == CloseReason::none);
    CHECK(server.accepts() == 11);
    const auto stats = cache->stats();
    CHECK(stats.open == 1);
    CHECK(stats.closed_by[CloseReason::peer_closed] == 10);
    CHECK(stats.opened - stats.closed == 1);
}

TEST_CASE("the same on a cache that is full", "[cache][C069]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 2, .watch_idle = false});
    std::vector<Lease> leases;
    for (int i = 0; i < 2; ++i) leases.push_back(lend(cache, server));
    for (auto& lease : leases) cache->release(std::move(lease), {});
    server.close_all();
    REQUIRE(server.wait_for_open(0));
    CHECK(request(cache, server, within(5s)) == CloseReason::none);
    CHECK(cache->stats().open == 1);
    CHECK(server.peak_open() == 2);
}

TEST_CASE("a fresh lane is asked for and the idle one stays", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    request(cache, server);
    AcquireLimits limits;
    limits.fresh = true;
    request(cache, server, limits);
    CHECK(server.accepts() == 2);
    CHECK(cache->stats().idle == 2);
}

TEST_CASE("a prewarmed lane is no request, and has served none when it is first lent", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    AcquireLimits warm;
    warm.prewarm = true;
    {
        Lease lease = lend(cache, server, warm);
        Verdict verdict;
        verdict.served = false;
        cache->release(std::move(lease), verdict);
    }
    CHECK(cache->stats().requests == 0);
    CHECK(cache->idle_for(key_of(server)) == 1);
    // Neither does it wait or evict for a second one.
    CHECK(thrown_by([&] { cache->acquire({"http://other:80", ""}, warm); }).first == Errc::acquire_timeout);
    CHECK(cache->stats().acquire_timeouts == 0);
    Lease lease = cache->acquire(key_of(server));
    CHECK_FALSE(lease.reused());
    CHECK(lease->socket() >= 0);
    CHECK(cache->stats().requests == 1);
    CHECK(cache->stats().reused == 0);
}

TEST_CASE("a connection replaced inside libcurl is counted as closed and opened", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_requests_per_connection = 2});
    Lease lease = lend(cache, server);
    cache->reconnected(lease, CloseReason::peer_closed);
    auto stats = cache->stats();
    CHECK(stats.opened == 2);
    CHECK(stats.closed_by[CloseReason::peer_closed] == 1);
    CHECK(stats.leased == 1);
    CHECK(cache->release(std::move(lease), {}) ==
          CloseReason::none);  // the first request of the new connection
}

TEST_CASE("a Keep-Alive hint is honoured only where it is wanted", "[cache]") {
    Origin server(respond_with(reply("x")));
    const bool honoured = GENERATE(true, false);
    const auto cache = make_cache({.honour_keep_alive_hint = honoured});
    Lease lease = lend(cache, server);
    Verdict verdict;
    verdict.keep_alive_hint = 0s;
    CHECK(cache->release(std::move(lease), verdict) == (honoured ? CloseReason::expired : CloseReason::none));
}

TEST_CASE("close_idle and evict close idle lanes now and lent ones when they come back", "[cache][C177]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    const bool by_origin = GENERATE(false, true);
    Lease lent = lend(cache, server);
    request(cache, server);
    CHECK((by_origin ? cache->evict(origin_of(server)) : cache->close_idle({})) == 1);
    CHECK(server.wait_for_ends(1));
    CHECK(cache->release(std::move(lent), {}) == CloseReason::evicted);
    CHECK(server.wait_for_ends(2));
    CHECK(request(cache, server) == CloseReason::none);
    CHECK(cache->evict("http://elsewhere:80") == 0);
    CHECK(cache->close_idle(1h) == 0);
    CHECK(cache->close_idle(unlimited) == 0);
    CHECK(cache->close_idle(1ns) == 1);
}

TEST_CASE("the idle lanes of one key are closed, and no others", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    const auto key = key_of(server, "isolation=b");
    CHECK_FALSE(cache->knows(key));
    request(cache, server);
    Lease lent = lend(cache, server, {}, key);
    CHECK(cache->knows(key));
    CHECK(cache->close_idle_of(key) == 0);
    CHECK(cache->release(std::move(lent), {}) == CloseReason::none);
    CHECK(cache->close_idle_of(key) == 1);
    CHECK_FALSE(cache->knows(key));
    CHECK(server.wait_for_open(1));
    CHECK(cache->stats().idle == 1);
    CHECK(cache->stats().closed_by[CloseReason::evicted] == 1);
    CHECK(cache->close_idle_of(key) == 0);
}

TEST_CASE("leases are moved, never lost", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Lease a = lend(cache, server);
    Lease b = lend(cache, server);
    a = std::move(b);  // the lane that a had is closed
    CHECK(server.wait_for_ends(1));
    CHECK(cache->stats().leased == 1);
    CHECK(a);
    CHECK_FALSE(b);
    cache->release(std::move(a), {});
    CHECK(cache->stats().idle == 1);
}

TEST_CASE("a kept connection that is replaced under its request did not serve it", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    request(cache, server);
    Lease lease = cache->acquire(key_of(server));
    CHECK(cache->stats().reused == 1);
    cache->reconnected(lease, CloseReason::peer_closed);
    cache->reconnected(lease, CloseReason::peer_closed);  // and the new one again
    CHECK(cache->stats().reused == 0);
    CHECK(cache->stats().opened == 3);
    CHECK(cache->stats().closed == 2);
    send_get(lease, server.url());
    CHECK(cache->release(std::move(lease), {}) == CloseReason::none);
    CHECK(request(cache, server) == CloseReason::none);
    CHECK(cache->stats().reused == 1);
}
