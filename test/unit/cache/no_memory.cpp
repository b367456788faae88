// The cache when memory is short: a request may fail, no slot is lost.
#include "driver.hpp"
#include "memory.hpp"
#include "process_state.hpp"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <new>
#include <thread>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

namespace {

void skip_where_none_can_fail() {
    if (!allocations_are_ours()) SKIP("a sanitizer has an operator new of its own");
}

// Whatever is counted as open has a state in which somebody has it.
bool nothing_is_lost(const Cache& cache) {
    const auto stats = cache.stats();
    return stats.open == stats.idle && stats.leased == 0 && stats.connecting == 0 && stats.waiting == 0 &&
           stats.opened - stats.closed == stats.open;
}

// Lends a lane of that key and gives it back with the n-th allocation failing; false: it has fewer.
bool lend_with_failure(Cache& cache, const LaneKey& key, std::uint64_t n) {
    const FailingAllocation failing(n);
    try {
        cache.release(cache.acquire(key), {.close = CloseReason::transfer_error});
    } catch (const std::bad_alloc&) {
        return true;
    }
    return failing.has_failed();
}

}  // namespace

TEST_CASE("a lane that makes room is closed also when memory runs out behind it", "[cache][memory]") {
    skip_where_none_can_fail();
    Origin server(respond_with(reply("x")));
    const LaneKey other("http://127.0.0.1:1", {});
    std::uint64_t n = 0;
    do {
        const auto cache = make_cache({.max_connections = 1});
        request(cache, server);
        ++n;
        INFO("allocation " << n);
        const bool failed = lend_with_failure(*cache, other, n);
        CHECK(nothing_is_lost(*cache));
        CHECK(request(cache, server, within(5s)) == CloseReason::none);
        if (!failed) break;
    } while (n < 1000);
    CHECK(n > 3);
    CHECK(n < 1000);
}

TEST_CASE("an expired lane is closed also when memory runs out behind it", "[cache][memory]") {
    skip_where_none_can_fail();
    Origin server(respond_with(reply("x")));
    const auto key = key_of(server);
    std::uint64_t n = 0;
    do {
        const auto cache = make_cache({.idle_timeout = 1ns, .watch_idle = false});
        request(cache, server);
        ++n;
        INFO("allocation " << n);
        const bool failed = lend_with_failure(*cache, key, n);
        CHECK(nothing_is_lost(*cache));
        CHECK(request(cache, server, within(5s)) == CloseReason::none);
        if (!failed) break;
    } while (n < 1000);
    CHECK(n > 3);
    CHECK(n < 1000);
}

TEST_CASE("a watching thread without memory loses no slot, and goes on when there is some",
          "[cache][memory]") {
    skip_where_none_can_fail();
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Lease a = lend(cache, server), b = lend(cache, server);
    {
        const StarvedThread starved("ringlet-idle");
        cache->release(std::move(a), {.keep_alive_hint = 1s});
        cache->release(std::move(b), {});
        // Its first round, and one a second later, when one of the two has expired.
        REQUIRE(eventually([&] { return starved.denied() >= 2; }, 10s));
    }
    CHECK(eventually([&] { return cache->stats().closed_by[CloseReason::expired] == 1; }));
    CHECK(cache->stats().open == 1);
    CHECK(nothing_is_lost(*cache));
}

TEST_CASE("the end of the grace needs no memory", "[cache][memory]") {
    skip_where_none_can_fail();
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    Lease held = lend(cache, server);
    auto waiting = std::async(std::launch::async,
                              [&] { return thrown_by([&] { cache->acquire(key_of(server)); }).first; });
    REQUIRE(eventually([&] { return cache->stats().waiting == 1; }));
    std::jthread returning([&] {
        if (eventually([&] { return held->interrupted(); }))
            cache->release(std::move(held), {.close = CloseReason::cancelled});
    });
    {
        const FailingAllocation failing(1);
        CHECK_NOTHROW(cache->shutdown(10ms));
    }
    cache->shutdown(10ms);  // if that failed, nobody else would end
    CHECK(waiting.get() == Errc::cache_closed);
    returning.join();
    CHECK(cache->stats().open == 0);
}
