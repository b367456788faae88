// Limits, eviction, and who gets a place that becomes free.
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("the total limit counts lanes in every state", "[policy]") {
    Bench b({.total = 3});
    const Answer connecting = b.acquire(1);
    CHECK(connecting.kind == Kind::open);
    b.open(11);
    const LaneId closing = b.open(21);
    b.close(closing, CloseReason::transfer_error);
    CHECK(b.acquire_now(31).kind == Kind::evict_then_open);  // it is being closed already
    CHECK(b.acquire_now(31).kind == Kind::refuse);
    CHECK(b.acquire(31).kind == Kind::wait);
    CHECK(b.policy.open() == 3);
}

TEST_CASE("an origin's limit keeps only that origin's requests", "[policy][C044]") {
    Bench b({.per_origin = 1});
    b.open(1);
    CHECK(b.acquire(1).kind == Kind::wait);
    CHECK(b.acquire(2).kind == Kind::wait);
    CHECK(b.acquire(11).kind == Kind::open);
}

TEST_CASE("an origin may have a limit of its own", "[policy]") {
    Bench b({.per_origin = 1});
    b.policy.define_origin(OriginId{0}, 3);
    for (int i = 0; i < 3; ++i) CHECK(b.acquire(1).kind == Kind::open);
    CHECK(b.acquire(1).kind == Kind::wait);
    CHECK(b.acquire(11).kind == Kind::open);
    CHECK(b.acquire(11).kind == Kind::wait);
}

TEST_CASE("who may not wait is refused at once, but not when an idle lane is there", "[policy][C048]") {
    Bench b({.total = 1});
    const LaneId lane = b.open_idle(1);
    CHECK(b.acquire_now(1).lane == lane);
    CHECK(b.acquire_now(1).kind == Kind::refuse);
    CHECK(b.policy.waiting() == 0);
}

TEST_CASE("at the total limit the least recently used idle lane makes room", "[policy][C054]") {
    Bench b({.total = 2});
    const LaneId first = b.open(1);
    const LaneId second = b.open(1);
    b.release(first);
    b.release(second);
    const Answer answer = b.acquire(11);
    CHECK(answer.kind == Kind::evict_then_open);
    CHECK(b.only_closing(first) == CloseReason::over_limit);
    CHECK(b.policy.open() == 2);
    CHECK(b.policy.open(OriginId{0}) == 2);  // an evicted lane counts for its own origin until it is closed
    CHECK(b.grants.empty());
    b.closed(first);
    CHECK(b.next_grant()->ticket == answer.ticket);
    CHECK(b.policy.open() == 2);
    CHECK(b.acquire(1).kind == Kind::reuse);
}

TEST_CASE("at an origin's limit an idle lane with another key makes room, in that origin only", "[policy]") {
    Bench b({.per_origin = 2});
    const LaneId elsewhere = b.open_idle(11);
    const LaneId old = b.open_idle(1);
    const LaneId recent = b.open_idle(2);
    CHECK(b.acquire(3).kind == Kind::evict_then_open);
    CHECK(b.only_closing(old) == CloseReason::over_limit);
    CHECK(b.acquire(11).lane == elsewhere);
    CHECK(b.acquire(2).lane == recent);
}

TEST_CASE("who may not evict is refused where only an eviction would help", "[policy]") {
    Bench b({.total = 1});
    b.open_idle(1);
    CHECK(b.ask({.key = KeyId{11}, .origin = OriginId{1}, .may_wait = false, .may_evict = false}).kind ==
          Kind::refuse);
    CHECK(b.closings.empty());
}

TEST_CASE("waiters of an origin are served in the order they came, newcomers after them", "[policy][C051]") {
    Bench b({.per_origin = 1});
    const LaneId lane = b.open(1);
    const Ticket w1 = b.acquire(1).ticket, w2 = b.acquire(1).ticket, w3 = b.acquire(1).ticket;
    b.release(lane);
    const Answer newcomer = b.acquire(1);
    CHECK(newcomer.kind == Kind::wait);
    for (const Ticket ticket : {w1, w2, w3, newcomer.ticket}) {
        const auto grant = b.next_grant();
        REQUIRE(grant);
        CHECK(grant->ticket == ticket);
        CHECK(grant->lane == lane);
        CHECK(grant->used);
        CHECK_FALSE(b.next_grant());
        b.release(lane);
    }
    CHECK(b.count(ConnectionState::idle) == 1);
}

TEST_CASE("a waiter is served when a lane is closed instead of kept", "[policy][C050]") {
    Bench b({.total = 1});
    const LaneId lane = b.open(1);
    const Ticket waiter = b.acquire(1).ticket;
    b.close(lane, CloseReason::unread_body);
    CHECK(b.grants.empty());
    b.closed(lane);
    const auto grant = b.next_grant();
    REQUIRE(grant);
    CHECK(grant->ticket == waiter);
    CHECK_FALSE(grant->used);
}

TEST_CASE("a waiter is served when a lane fails to connect", "[policy][C046]") {
    Bench b({.total = 1});
    const Answer dial = b.acquire(1);
    const Ticket waiter = b.acquire(11).ticket;
    SECTION("with a socket to close") {
        b.close(dial.lane, CloseReason::transfer_error);
        b.closed(dial.lane);
    }
    SECTION("before it had a socket") {
        b.closed(dial.lane);
    }
    CHECK(b.next_grant()->ticket == waiter);
}

TEST_CASE("a waiter that wants another key, or a fresh lane, gets the place of the one that came back",
          "[policy]") {
    Bench b({.per_origin = 1});
    const LaneId lane = b.open(1);
    SECTION("another key") {
        b.acquire(2);
    }
    SECTION("a fresh lane") {
        b.acquire(1, true);
    }
    const Ticket behind = b.acquire(1).ticket;
    CHECK(b.release(lane) == CloseReason::over_limit);
    b.closed(lane);
    const auto grant = b.next_grant();
    REQUIRE(grant);
    CHECK(grant->ticket != behind);
    CHECK_FALSE(grant->used);
}

TEST_CASE("at the total limit waiters of all origins are served in the order they came", "[policy][C054]") {
    Bench b({.total = 2});
    const LaneId lanes[] = {b.open(1), b.open(1)};
    const Ticket other = b.acquire(11).ticket;
    const Ticket same = b.acquire(1).ticket;
    CHECK(b.release(lanes[0]) == CloseReason::over_limit);  // not to `same`: `other` was first
    b.closed(lanes[0]);
    CHECK(b.next_grant()->ticket == other);
    CHECK(b.release(lanes[1]) == CloseReason::none);
    CHECK(b.next_grant()->ticket == same);
}

TEST_CASE("a waiter kept by its own origin's limit does not hold up the others", "[policy]") {
    Bench b({.total = 2, .per_origin = 1});
    const LaneId a = b.open(1);
    const LaneId c = b.open(11);
    const Ticket blocked = b.acquire(1).ticket;
    const Ticket free = b.acquire(21).ticket;
    b.close(c, CloseReason::connection_close);
    b.closed(c);
    CHECK(b.next_grant()->ticket == free);
    CHECK_FALSE(b.next_grant());
    b.release(a);
    CHECK(b.next_grant()->ticket == blocked);
}

TEST_CASE("no more lanes are closed than there are waiters to serve", "[policy]") {
    Bench b({.total = 3});
    const LaneId idle = b.open(1);
    const LaneId busy = b.open(1);
    b.open(1);
    b.release(idle);
    const Answer waiter = b.acquire(11);
    CHECK(waiter.kind == Kind::evict_then_open);
    CHECK(b.only_closing(idle).has_value());
    CHECK(b.release(busy) == CloseReason::none);  // the place of `idle` is on its way
    CHECK(b.count(ConnectionState::idle) == 1);
    b.closed(idle);
    CHECK(b.next_grant()->ticket == waiter.ticket);
}

TEST_CASE("one who gives up while waiting leaves no trace", "[policy][C052]") {
    Bench b({.total = 1});
    const LaneId lane = b.open(1);
    const Ticket first = b.acquire(1).ticket;
    const Ticket second = b.acquire(1).ticket;
    b.policy.cancel(first);
    b.release(lane);
    CHECK(b.next_grant()->ticket == second);
    b.release(lane);
    CHECK(b.count(ConnectionState::idle) == 1);
    CHECK(b.policy.waiting() == 0);
}

TEST_CASE("one who gives up after its turn had come hands it on", "[policy][C052]") {
    Bench b({.total = 1});
    const LaneId lane = b.open(1);
    b.acquire(1);
    const Ticket second = b.acquire(1).ticket;
    SECTION("a used lane, to the next") {
        b.release(lane);
        const auto first = b.next_grant();
        b.policy.hand_on(first->lane, first->used, b.now);
        b.collect();
        CHECK(b.next_grant()->ticket == second);
    }
    SECTION("a used lane nobody else wants becomes idle") {
        b.policy.cancel(second);
        b.release(lane);
        const auto first = b.next_grant();
        b.policy.hand_on(first->lane, first->used, b.now);
        b.collect();
        CHECK(b.count(ConnectionState::idle) == 1);
        CHECK(b.policy.lane(lane).requests == 1);
    }
    SECTION("a place, to the next") {
        b.close(lane, CloseReason::cancelled);
        b.closed(lane);
        const Grant first = b.grants.front();
        b.grants.pop_front();
        b.policy.hand_on(first.lane, first.used, b.now);
        b.collect();
        CHECK(b.next_grant()->ticket == second);
    }
}

TEST_CASE("ten thousand origins in turn need no more than max_idle places", "[policy]") {
    // Ids are given out again, as the cache does when the last lane of a key is gone.
    constexpr unsigned ids = 130;
    Bench b({.max_idle = 128}, ids);
    std::deque<LaneId> idle;
    for (unsigned i = 0; i < 10'000; ++i) {
        idle.push_back(b.open_idle(10 * (i % ids)));
        if (b.closings.empty()) continue;
        REQUIRE(b.only_closing(idle.front()) == CloseReason::over_limit);
        idle.pop_front();
        b.close_all();
    }
    CHECK(b.policy.lanes() == 129);
    CHECK(b.count(ConnectionState::idle) == 128);
}
