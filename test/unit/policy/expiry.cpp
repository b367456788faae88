// What expires when, by a fake clock.
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("an idle lane expires at its timeout, not before", "[policy]") {
    Bench b({.idle_timeout = 100ns});
    const Instant start = b.now;
    CHECK(b.policy.next_expiry() == detail::never);
    const LaneId lane = b.open_idle(1);
    CHECK(b.policy.next_expiry() == start + 100ns);
    b.now = start + 99ns;
    b.expire();
    CHECK(b.closings.empty());
    b.now = start + 100ns;
    b.expire();
    CHECK(b.only_closing(lane) == CloseReason::expired);
    CHECK(b.policy.next_expiry() == detail::never);
}

TEST_CASE("the earliest expiry is asked for next", "[policy][C066]") {
    Bench b({.idle_timeout = 100ms});
    const Instant start = b.now;
    const LaneId a = b.open(1);
    const LaneId c = b.open(1);
    b.now = start + 50ms;
    b.release(c);
    b.now = start + 75ms;
    b.release(a);
    CHECK(b.policy.next_expiry() == start + 150ms);
    b.now = start + 150ms;
    b.expire();
    CHECK(b.only_closing(c) == CloseReason::expired);
    CHECK(b.policy.next_expiry() == start + 175ms);
    b.close_all();
    b.now = start + 175ms;
    b.expire();
    CHECK(b.only_closing(a) == CloseReason::expired);
}

TEST_CASE("close_idle closes only those idle for long enough", "[policy][C066]") {
    Bench b;
    const LaneId old = b.open_idle(1);
    b.now += 25ms;
    const LaneId young = b.open_idle(11);
    b.now += 30ms;
    CHECK(b.policy.close_idle(b.now - 50ms) == 1);
    b.collect();
    CHECK(b.only_closing(old) == CloseReason::evicted);
    CHECK(b.acquire(11).lane == young);
}

TEST_CASE("close_idle closes those of one key", "[policy]") {
    Bench b;
    const LaneId one = b.open_idle(1);
    const LaneId other = b.open_idle(2);
    CHECK(b.policy.close_idle(KeyId{1}) == 1);
    b.collect();
    CHECK(b.only_closing(one) == CloseReason::evicted);
    CHECK(b.policy.close_idle(KeyId{7}) == 0);
    CHECK(b.acquire(2).lane == other);
}

TEST_CASE("expired lanes of a key are discarded when it is asked for, all of them", "[policy][C074]") {
    Bench b({.idle_timeout = 100ms});
    const LaneId lanes[] = {b.open(1), b.open(1), b.open(1)};
    for (const LaneId lane : lanes) b.release(lane);
    b.now += 100ms;
    CHECK(b.acquire(1).kind == Kind::open);
    CHECK(b.closings.size() == 3);
    for (const auto& closing : b.closings) CHECK(closing.reason == CloseReason::expired);
}

TEST_CASE("expired lanes of a key are discarded from between those that are not", "[policy][C074]") {
    Bench b({.idle_timeout = 100ms});
    const LaneId lanes[] = {b.open(1), b.open(1), b.open(1), b.open(1), b.open(2)};
    for (const std::size_t hinted : {1U, 2U, 4U})
        b.policy.release(lanes[hinted], {.idle_limit = 10ms}, b.now);
    for (const std::size_t kept : {0U, 3U}) b.release(lanes[kept]);
    b.now += 10ms;
    CHECK(b.acquire(1).lane == lanes[3]);
    REQUIRE(b.closings.size() == 2);
    for (const auto& closing : b.closings) CHECK(closing.reason == CloseReason::expired);
    CHECK(b.count(ConnectionState::idle) == 2);  // another key's is discarded when that is asked for
}

TEST_CASE("an expired lane gives its place to whoever asks", "[policy][C059]") {
    Bench b({.total = 1, .idle_timeout = 1ms});
    const LaneId lane = b.open_idle(1);
    b.now += 20ms;
    const Answer answer = b.acquire(1);
    CHECK(answer.kind == Kind::evict_then_open);
    CHECK(b.only_closing(lane) == CloseReason::expired);
    CHECK(b.grants.empty());
    b.closed(lane);
    const auto grant = b.next_grant();
    REQUIRE(grant);
    CHECK(grant->ticket == answer.ticket);
    CHECK_FALSE(grant->used);
}

TEST_CASE("a lane past its lifetime is closed when its request ends, never before", "[policy][C064]") {
    Bench b({.idle_timeout = 100ms, .max_lifetime = 200ms});
    const LaneId lane = b.open(1);
    b.now += 1s;
    b.expire();
    CHECK(b.closings.empty());
    CHECK(b.release(lane) == CloseReason::lifetime);
}

TEST_CASE("a lane that gets too old while idle is closed for that", "[policy][C065]") {
    Bench b({.idle_timeout = 1h, .max_lifetime = 1s});
    const Instant start = b.now;
    const LaneId lane = b.open(1);
    b.now += 400ms;
    b.release(lane);
    CHECK(b.policy.next_expiry() == start + 1s);
    b.now = start + 1s;
    CHECK(b.acquire(1).kind == Kind::open);
    CHECK(b.only_closing(lane) == CloseReason::lifetime);
}

TEST_CASE("jitter takes at most a tenth off a lifetime", "[policy]") {
    const auto lifetime = [](double jitter) {
        Bench b({.max_lifetime = 1000s});
        const Answer answer = b.acquire(1);
        b.policy.connected(answer.lane, b.now, jitter);
        return b.policy.lane(answer.lane).lifetime_end - b.now;
    };
    CHECK(lifetime(0) == 1000s);
    CHECK(lifetime(0.5) == 950s);
    CHECK(lifetime(0.999) > 900s);
}

TEST_CASE("a peer's hint shortens the idle timeout and never lengthens it", "[policy]") {
    Bench b({.idle_timeout = 10s});
    const LaneId lane = b.open(1);
    b.release(lane, {.idle_limit = 3s});
    CHECK(b.policy.next_expiry() == b.now + 3s);
    b.acquire(1);
    b.release(lane, {.idle_limit = 60s});
    CHECK(b.policy.next_expiry() == b.now + 10s);
    b.acquire(1);
    CHECK(b.release(lane, {.idle_limit = 0s}) == CloseReason::expired);
}

TEST_CASE("a hint stays in force until the peer gives another", "[policy]") {
    Bench b({.idle_timeout = 10s});
    const LaneId lane = b.open(1);
    b.release(lane, {.idle_limit = 3s});
    b.acquire(1);
    b.release(lane);
    CHECK(b.policy.next_expiry() == b.now + 3s);
}

TEST_CASE("without timeouts nothing expires", "[policy]") {
    Bench b({.idle_timeout = std::chrono::nanoseconds::max()});
    b.open_idle(1);
    CHECK(b.policy.next_expiry() == detail::never);
    b.now += std::chrono::hours(24 * 365 * 100);
    b.expire();
    CHECK(b.closings.empty());
}
