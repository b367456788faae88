// Limits with real threads: who waits, who is served, who gives up.
#include "driver.hpp"
#include "support/timing.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

namespace {

// A thread that acquires, and says when it has.
class Requester {
  public:
    Requester(std::shared_ptr<Cache> cache, LaneKey key, std::chrono::nanoseconds deadline = 1h)
        : lease_(std::async(std::launch::async,
                            [this, cache = std::move(cache), key = std::move(key), deadline] {
                                auto limits = within(deadline);
                                limits.stop = stop_.get_token();
                                return cache->acquire(key, limits);
                            })) {}
    void stop() { stop_.request_stop(); }
    bool done_within(std::chrono::nanoseconds time) const {
        return lease_.wait_for(time) == std::future_status::ready;
    }
    Lease get() { return lease_.get(); }

  private:
    std::stop_source stop_;
    std::future<Lease> lease_;
};

void wait_for_waiting(const std::shared_ptr<Cache>& cache, std::size_t n) {
    REQUIRE(eventually([&] { return cache->stats().waiting == n; }));
}

}  // namespace

TEST_CASE("ten threads share one connection", "[cache][C044]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections_per_host = 1});
    std::vector<std::jthread> threads;
    std::atomic<int> served = 0;
    for (int i = 0; i < 10; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 10; ++n) served += request(cache, server) == CloseReason::none;
        });
    }
    threads.clear();
    CHECK(served == 100);
    CHECK(server.accepts() == 1);
    CHECK(cache->stats().requests == 100);
    CHECK(cache->stats().reused == 99);
    CHECK(cache->stats().waiting == 0);
}

TEST_CASE("waiters are served in the order they came", "[cache][C051]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    Lease held = lend(cache, server);
    std::mutex mutex;
    std::vector<int> order;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            Lease lease = cache->acquire(key_of(server));
            {
                const std::lock_guard lock(mutex);
                order.push_back(i);
            }
            cache->release(std::move(lease), {});
        });
        wait_for_waiting(cache, static_cast<std::size_t>(i) + 1);
    }
    cache->release(std::move(held), {});
    threads.clear();
    CHECK(order == std::vector{0, 1, 2, 3});
    CHECK(cache->stats().waits == 4);
    CHECK(cache->stats().idle == 1);
}

TEST_CASE("a waiter gets the slot of a lane that is closed", "[cache][C050]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    Lease held = lend(cache, server);
    Requester waiter(cache, key_of(server));
    wait_for_waiting(cache, 1);
    SECTION("closed by its verdict") {
        cache->release(std::move(held), {.close = CloseReason::unread_body});
    }
    SECTION("dropped") {
        held = Lease{};
    }
    REQUIRE(waiter.done_within(5s));
    Lease lease = waiter.get();
    CHECK_FALSE(lease.reused());
    send_get(lease, server.url());
    CHECK(server.accepts() == 2);
    CHECK(server.peak_open() == 1);
}

TEST_CASE("a waiter that is stopped leaves at once and without a trace", "[cache][C052]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    Lease held = lend(cache, server);
    Requester first(cache, key_of(server));
    wait_for_waiting(cache, 1);
    Requester second(cache, key_of(server));
    wait_for_waiting(cache, 2);
    const auto before = Clock::now();
    first.stop();
    CHECK(thrown_by([&] { first.get(); }).first == Errc::cancelled);
    CHECK(Clock::now() - before < 100ms);
    CHECK(cache->stats().waiting == 1);
    cache->release(std::move(held), {});
    REQUIRE(second.done_within(5s));
    cache->release(second.get(), {});
    CHECK(cache->stats().idle == 1);
    CHECK(server.accepts() == 1);
}

TEST_CASE("a stop at the very moment of the grant loses nothing", "[cache][C052]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    request(cache, server);
    for (int i = 0; i < 200; ++i) {
        Lease held = cache->acquire(key_of(server));
        Requester first(cache, key_of(server));
        Requester second(cache, key_of(server));
        while (cache->stats().waiting < 2) std::this_thread::yield();
        std::latch together(2);
        std::jthread stopper([&] {
            together.arrive_and_wait();
            first.stop();
        });
        together.arrive_and_wait();
        cache->release(std::move(held), {});
        thrown_by([&] { cache->release(first.get(), {}); });
        REQUIRE(second.done_within(5s));
        cache->release(second.get(), {});
    }
    CHECK(cache->stats().idle == 1);
    CHECK(cache->stats().waiting == 0);
    CHECK(server.accepts() == 1);
}

TEST_CASE("who runs out of time at the very moment of the grant hands it on to the next in line",
          "[cache][C052]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    request(cache, server);
    constexpr auto patience = 5ms;
    MeetingPoint coming_back(patience, 10us);  // after the first waiter has been sent off
    for (int round = 0; round < 200 || (!coming_back.met() && round < 4000); ++round) {
        Lease held = cache->acquire(key_of(server));
        const auto waits = cache->stats().waits;
        const auto start = Clock::now();
        Requester first(cache, key_of(server), patience);
        while (cache->stats().waits == waits && Clock::now() < start + patience) std::this_thread::yield();
        std::vector<std::future<CloseReason>> others;
        for (int i = 0; i < 3; ++i) {
            others.push_back(std::async(std::launch::async, [&] {
                return cache->release(cache->acquire(key_of(server), within(2s)), {});
            }));
        }
        while (Clock::now() < start + coming_back.at()) {
        }
        cache->release(std::move(held), {});
        const auto code = thrown_by([&] { cache->release(first.get(), {}); }).first;
        if (code == Errc::timeout) {
            coming_back.came_second();
        } else {
            CHECK(code == Errc{});
            coming_back.came_first();
        }
        for (auto& other : others) REQUIRE(other.get() == CloseReason::none);
        REQUIRE(cache->stats().waiting == 0);
        REQUIRE(cache->stats().idle == 1);
    }
    CHECK(coming_back.met());
    CHECK(server.accepts() == 1);
}

TEST_CASE("acquire_timeout ends the wait and says what is the matter", "[cache][C047]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections_per_host = 1, .acquire_timeout = 50ms});
    Lease held = lend(cache, server);
    const auto before = Clock::now();
    const auto [code, text] = thrown_by([&] { cache->acquire(key_of(server), within(10s)); });
    const auto took = Clock::now() - before;
    CHECK(code == Errc::acquire_timeout);
    CHECK(took >= 50ms);
    CHECK(took < 250ms);
    CHECK(text.find(origin_of(server)) != std::string::npos);
    CHECK(text.find("1 open (limit 1: 1 leased") != std::string::npos);
    CHECK(text.find("acquire_timeout is 50 ms") != std::string::npos);
    CHECK(server.request_count() == 1);
    const auto stats = cache->stats();
    CHECK(stats.acquire_timeouts == 1);
    CHECK(stats.waiting == 0);
    CHECK(stats.waits == 1);
    CHECK(stats.requests == 1);
    cache->release(std::move(held), {});
    CHECK(request(cache, server) == CloseReason::none);
}

TEST_CASE("the request's own deadline ends the wait as a timeout", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1, .acquire_timeout = 10s});
    Lease held = lend(cache, server);
    CHECK(thrown_by([&] { cache->acquire(key_of(server), within(30ms)); }).first == Errc::timeout);
    CHECK(thrown_by([&] { cache->acquire(key_of(server), within(-1ms)); }).first == Errc::timeout);
    CHECK(cache->stats().acquire_timeouts == 0);
    CHECK(cache->stats().waiting == 0);
}

TEST_CASE("acquire_timeout 0 never waits", "[cache][C048]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1, .acquire_timeout = Duration{}});
    request(cache, server);
    Lease held = lend(cache, server);  // the idle one
    CHECK(held.reused());
    const auto before = Clock::now();
    CHECK(thrown_by([&] { cache->acquire(key_of(server)); }).first == Errc::acquire_timeout);
    CHECK(Clock::now() - before < 50ms);
    cache->release(std::move(held), {});
    // Making room for another key is no wait.
    Lease other = lend(cache, server, {}, key_of(server, "isolation=b"));
    CHECK(server.accepts() == 2);
    CHECK(server.peak_open() == 1);
}

TEST_CASE("at the total limit the least recently used idle lane gives way", "[cache][C054]") {
    Origin a(respond_with(reply("a"))), b(respond_with(reply("b")));
    const auto cache = make_cache({.max_connections = 2});
    {
        Lease one = lend(cache, a), two = lend(cache, a);
        cache->release(std::move(one), {});
        cache->release(std::move(two), {});
    }
    CHECK(request(cache, b) == CloseReason::none);
    CHECK(a.wait_for_ends(1));
    CHECK(cache->stats().closed_by[CloseReason::over_limit] == 1);
    CHECK(request(cache, a) == CloseReason::none);
    CHECK(a.accepts() == 2);
    CHECK(cache->stats().open == 2);
}

TEST_CASE("a waiter of another origin is not starved", "[cache][C054]") {
    Origin a(respond_with(reply("a"))), b(respond_with(reply("b")));
    const auto cache = make_cache({.max_connections = 2});
    Lease one = lend(cache, a), two = lend(cache, a);
    Requester other(cache, key_of(b));
    wait_for_waiting(cache, 1);
    Requester same(cache, key_of(a));
    wait_for_waiting(cache, 2);
    CHECK(cache->release(std::move(one), {}) == CloseReason::over_limit);
    REQUIRE(other.done_within(5s));
    CHECK_FALSE(same.done_within(0s));
    CHECK(cache->release(std::move(two), {}) == CloseReason::none);
    REQUIRE(same.done_within(5s));
    CHECK(same.get().reused());
}

TEST_CASE("the server never sees more connections than the limit", "[cache][C162]") {
    Origin server(respond_with(reply("x")), {.record_requests = false});
    const std::uint64_t max_idle = GENERATE(0, 128);
    const auto cache = make_cache({.max_connections = 5, .max_idle = max_idle});
    std::vector<std::jthread> threads;
    for (int t = 0; t < 10; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50; ++i) {
                const auto tag = "isolation=" + std::to_string((t + i) % 3);
                Lease lease = lend(cache, server, {}, key_of(server, tag));
                if (i % 4 == 0) continue;
                cache->release(std::move(lease), {});
            }
        });
    }
    threads.clear();
    CHECK(server.peak_open() <= 5);
    const auto stats = cache->stats();
    CHECK(stats.requests == 500);
    CHECK(stats.leased == 0);
    CHECK(stats.waiting == 0);
    CHECK(stats.opened - stats.closed == stats.open);
    CHECK(stats.open == stats.idle);
}

TEST_CASE("a host limit overrides the common one", "[cache]") {
    Origin a(respond_with(reply("a"))), b(respond_with(reply("b")));
    CacheSettings settings{.max_connections_per_host = 1, .acquire_timeout = Duration{}};
    settings.host_limits.emplace(origin_of(a), 2);
    const auto cache = make_cache(settings);
    Lease a1 = lend(cache, a), a2 = lend(cache, a), b1 = lend(cache, b);
    CHECK(thrown_by([&] { cache->acquire(key_of(a)); }).first == Errc::acquire_timeout);
    CHECK(thrown_by([&] { cache->acquire(key_of(b)); }).first == Errc::acquire_timeout);
}

TEST_CASE("who keeps its lane from request to request lets go of it when somebody waits", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    Lease kept = lend(cache, server);
    CHECK(cache->renew(kept) == CloseReason::none);
    Requester other(cache, key_of(server));
    REQUIRE(eventually([&] { return cache->stats().waiting == 1; }));
    CHECK(cache->is_wanted(kept));
    CHECK(cache->renew(kept) == CloseReason::over_limit);
    CHECK(cache->release(std::move(kept), {.close = CloseReason::over_limit}) == CloseReason::over_limit);
    REQUIRE(other.done_within(5s));
    Lease lease = other.get();
    CHECK_FALSE(cache->is_wanted(lease));
    CHECK(cache->stats().requests == 3);
}

TEST_CASE("opening ahead of need is no request that waits", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    const Lease held = lend(cache, server);
    AcquireLimits ahead;
    ahead.prewarm = true;
    CHECK(thrown_by([&] { cache->acquire(key_of(server), ahead); }).first == Errc::acquire_timeout);
    const auto stats = cache->stats();
    CHECK(stats.requests == 1);
    CHECK(stats.waits == 0);
    CHECK(stats.acquire_timeouts == 0);
}
