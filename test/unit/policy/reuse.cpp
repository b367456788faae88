// Which lane a request gets when nobody waits.
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("a first request opens a lane, the next reuses it", "[policy]") {
    Bench b;
    const LaneId lane = b.open(1);
    CHECK(b.count(ConnectionState::leased) == 1);
    CHECK(b.release(lane) == CloseReason::none);
    CHECK(b.count(ConnectionState::idle) == 1);
    const Answer again = b.acquire(1);
    CHECK(again.kind == Kind::reuse);
    CHECK(again.lane == lane);
    CHECK(b.policy.lane(lane).requests == 1);
}

TEST_CASE("the last lane to become idle is the first to be reused", "[policy]") {
    Bench b;
    const LaneId lanes[] = {b.open(1), b.open(1), b.open(1)};
    b.release(lanes[1]);
    b.release(lanes[2]);
    b.release(lanes[0]);
    CHECK(b.acquire(1).lane == lanes[0]);
    CHECK(b.acquire(1).lane == lanes[2]);
    CHECK(b.acquire(1).lane == lanes[1]);
    CHECK(b.acquire(1).kind == Kind::open);
}

TEST_CASE("of lanes that come back together each user gets its own again", "[policy]") {
    Bench b;
    const auto ask = [&](unsigned user) {
        return b.ask({.key = KeyId{1}, .origin = Bench::origin(1), .user = UserId{user}}).lane;
    };
    const LaneId first = ask(1), second = ask(2);
    for (const LaneId lane : {first, second}) b.policy.connected(lane, b.now, 0);
    b.release(first);
    SECTION("within a millisecond") {
        b.now += 1ms;
        b.release(second);
        CHECK(ask(1) == first);
        CHECK(ask(2) == second);
    }
    SECTION("later the newest is the first, so that what is not needed can expire") {
        b.now += 1001us;
        b.release(second);
        CHECK(ask(1) == second);
        CHECK(ask(2) == first);
        b.release(first);
        b.release(second);
        CHECK(ask(2) == first);  // its own by now
    }
    SECTION("a stranger gets the newest") {
        b.release(second);
        CHECK(ask(3) == second);
        CHECK(ask(3) == first);
    }
    SECTION("not one that has expired by its peer's wish") {
        CHECK(ask(1) == first);
        const LaneId oldest = ask(3);
        b.policy.connected(oldest, b.now, 0);
        b.release(oldest);
        b.release(first, {.idle_limit = 1ms});
        b.release(second);
        b.now += 1ms;
        CHECK(ask(1) == second);
    }
}

TEST_CASE("a lane that went to a waiter is the waiter's own", "[policy]") {
    Bench b({.per_origin = 2});
    const auto ask = [&](unsigned user) {
        return b.ask({.key = KeyId{1}, .origin = Bench::origin(1), .user = UserId{user}});
    };
    const LaneId first = ask(1).lane, second = ask(2).lane;
    for (const LaneId lane : {first, second}) b.policy.connected(lane, b.now, 0);
    const bool used = GENERATE(true, false);
    const Ticket waiter = ask(3).ticket;
    if (used) {
        b.release(first);
    } else {
        b.close(first, CloseReason::evicted);
        b.close_all();
    }
    const auto grant = b.next_grant();
    REQUIRE(grant);
    CHECK(grant->ticket == waiter);
    CHECK(grant->used == used);
    b.release(grant->lane);
    b.release(second);
    CHECK(ask(3).lane == grant->lane);
    CHECK(ask(1).lane == second);
}

TEST_CASE("a user's own lane is looked for among the last eight", "[policy]") {
    const unsigned lanes = GENERATE(8U, 9U);
    Bench b;
    std::vector<LaneId> opened;
    for (unsigned user = 1; user <= lanes; ++user) {
        opened.push_back(b.ask({.key = KeyId{1}, .origin = Bench::origin(1), .user = UserId{user}}).lane);
        b.policy.connected(opened.back(), b.now, 0);
    }
    for (const LaneId lane : opened) b.release(lane);
    const LaneId got = b.ask({.key = KeyId{1}, .origin = Bench::origin(1), .user = UserId{1}}).lane;
    CHECK(got == (lanes == 8 ? opened.front() : opened.back()));
}

TEST_CASE("a lane serves its own key only", "[policy]") {
    Bench b;
    b.open_idle(1);
    CHECK(b.acquire(2).kind == Kind::open);
    CHECK(b.acquire(11).kind == Kind::open);
}

TEST_CASE("who asks for a fresh lane gets no used one", "[policy]") {
    Bench b;
    b.open_idle(1);
    CHECK(b.acquire(1, true).kind == Kind::open);
    CHECK(b.policy.open() == 2);
}

TEST_CASE("what the request says of its lane is why it is closed", "[policy]") {
    Bench b;
    const LaneId lane = b.open(1);
    CHECK(b.close(lane, CloseReason::unread_body) == CloseReason::unread_body);
    CHECK(b.only_closing(lane) == CloseReason::unread_body);
    CHECK(b.count(ConnectionState::closing) == 1);
    CHECK(b.policy.open() == 1);
    b.closed(lane);
    CHECK(b.policy.open() == 0);
}

TEST_CASE("max_idle 0 means no reuse at all", "[policy]") {
    Bench b({.total = 1, .max_idle = 0});
    const LaneId lane = b.open(1);
    CHECK(b.acquire(1).kind == Kind::wait);
    CHECK(b.release(lane) == CloseReason::over_limit);  // not handed to the waiter either
    CHECK(b.grants.empty());
    b.closed(lane);
    const auto grant = b.next_grant();
    REQUIRE(grant);
    CHECK_FALSE(grant->used);
}

TEST_CASE("the idle lane over max_idle is the least recently used of all", "[policy][C056]") {
    Bench b({.max_idle = 4});
    LaneId lanes[5];
    for (unsigned host = 0; host < 5; ++host) lanes[host] = b.open_idle(10 * host);
    CHECK(b.only_closing(lanes[0]) == CloseReason::over_limit);
    CHECK(b.count(ConnectionState::idle) == 4);
    for (unsigned host = 1; host < 5; ++host) CHECK(b.acquire(10 * host).lane == lanes[host]);
}

TEST_CASE("the idle lane over max_idle_per_host is the least recently used of that host", "[policy][C055]") {
    Bench b({.max_idle_per_origin = 2});
    const LaneId other = b.open_idle(10);
    const LaneId lanes[] = {b.open(1), b.open(1), b.open(2)};
    for (const LaneId lane : lanes) CHECK(b.release(lane) == CloseReason::none);
    CHECK(b.only_closing(lanes[0]) == CloseReason::over_limit);
    CHECK(b.acquire(10).lane == other);
}

TEST_CASE("ten dead lanes in a row cost one fresh dial on the same place", "[policy][C069]") {
    Bench b({.total = 10});
    std::vector<LaneId> lanes;
    for (int i = 0; i < 10; ++i) lanes.push_back(b.open(1));
    for (const LaneId lane : lanes) b.release(lane);

    Answer answer = b.acquire(1);
    int dead = 0;
    while (answer.kind == Kind::reuse) {
        ++dead;
        answer = b.policy.dead(answer.lane, CloseReason::peer_closed, b.now);
    }
    b.collect();
    CHECK(dead == 10);
    CHECK(answer.kind == Kind::open);
    CHECK(b.closings.size() == 10);
    CHECK(b.count(ConnectionState::closing) == 10);
    b.close_all();
    CHECK(b.policy.open() == 1);
    CHECK(b.count(ConnectionState::connecting) == 1);
    CHECK(b.policy.lane(answer.lane).requests == 0);
    b.policy.connected(answer.lane, b.now, 0);
    CHECK(b.release(answer.lane) == CloseReason::none);
}

TEST_CASE("the holder of a dead lane keeps its place before those who wait", "[policy]") {
    Bench b({.total = 1});
    b.open_idle(1);
    const Answer first = b.acquire(1);
    CHECK(b.acquire(1).kind == Kind::wait);
    const Answer redial = b.policy.dead(first.lane, CloseReason::unsolicited_data, b.now);
    b.collect();
    CHECK(redial.kind == Kind::open);
    b.closed(redial.lane);
    CHECK(b.grants.empty());
    CHECK(b.policy.waiting() == 1);
    b.policy.connected(redial.lane, b.now, 0);
    b.release(redial.lane);
    CHECK(b.next_grant()->used);
}

TEST_CASE("max_requests: the lane is closed after so many", "[policy][C072]") {
    Bench b({.max_requests = 2});
    const LaneId lane = b.open(1);
    CHECK(b.release(lane) == CloseReason::none);
    CHECK(b.acquire(1).lane == lane);
    CHECK(b.release(lane) == CloseReason::requests);
}

TEST_CASE("a renewed loan counts its requests, and ends as a released one would", "[policy]") {
    Bench b({.max_requests = 3, .max_lifetime = 10s});
    const LaneId lane = b.open(1);
    CHECK(b.policy.renew(lane, b.now) == CloseReason::none);
    CHECK(b.policy.count(ConnectionState::leased) == 1);
    CHECK(b.policy.renew(lane, b.now + 10s) == CloseReason::lifetime);
    CHECK(b.policy.renew(lane, b.now) == CloseReason::none);
    CHECK(b.policy.renew(lane, b.now) == CloseReason::requests);
    CHECK(b.policy.renew(lane, b.now) == CloseReason::requests);
    CHECK(b.release(lane) == CloseReason::requests);
    const LaneId other = b.open(1);
    b.policy.outdate();
    CHECK(b.policy.renew(other, b.now) == CloseReason::evicted);
}

TEST_CASE("a loan is not renewed while somebody waits for its place", "[policy]") {
    const bool in_all = GENERATE(true, false);
    Bench b(in_all ? PolicyLimits{.total = 1} : PolicyLimits{.per_origin = 1});
    const unsigned other = in_all ? 11 : 2;  // another origin's key, or the same origin's
    const LaneId lane = b.open(1);
    const auto waiter = b.acquire(other);
    CHECK(waiter.kind == Kind::wait);
    CHECK(b.policy.is_wanted(lane));
    CHECK(b.policy.renew(lane, b.now) == CloseReason::over_limit);
    b.policy.cancel(waiter.ticket);
    CHECK_FALSE(b.policy.is_wanted(lane));
    CHECK(b.policy.renew(lane, b.now) == CloseReason::none);
}

TEST_CASE("a loan is renewed while another place is on its way to whoever waits", "[policy]") {
    Bench b({.total = 2});
    const LaneId lane = b.open(1);
    b.close(b.open(2), CloseReason::connection_close);
    CHECK(b.acquire(1).kind == Kind::evict_then_open);
    CHECK(b.policy.renew(lane, b.now) == CloseReason::none);
}

TEST_CASE("a loan that served no request does not count", "[policy]") {
    Bench b({.max_requests = 1});
    const LaneId lane = b.open(1);
    CHECK(b.release(lane, {.served = false}) == CloseReason::none);
    CHECK(b.acquire(1).lane == lane);
    CHECK(b.release(lane) == CloseReason::requests);
}

TEST_CASE("outdated lanes are closed when they come back, later ones are kept", "[policy][C177]") {
    Bench b;
    const LaneId leased = b.open(1);
    const LaneId elsewhere = b.open(11);
    const Answer connecting = b.acquire(1);
    const LaneId idle = b.open_idle(2);
    CHECK(b.policy.close_idle(OriginId{0}) == 1);
    b.policy.outdate(OriginId{0});
    b.collect();
    CHECK(b.only_closing(idle) == CloseReason::evicted);
    CHECK(b.release(leased) == CloseReason::evicted);
    b.policy.connected(connecting.lane, b.now, 0);
    CHECK(b.release(connecting.lane) == CloseReason::evicted);
    CHECK(b.release(elsewhere) == CloseReason::none);
    b.close_all();
    CHECK(b.release(b.open(1)) == CloseReason::none);

    const LaneId last = b.open(21);
    b.policy.outdate();
    CHECK(b.release(last) == CloseReason::evicted);
}

TEST_CASE("a retired policy keeps nothing idle but serves those who wait", "[policy]") {
    Bench b({.total = 2});
    const LaneId busy = b.open(1);
    const LaneId idle = b.open_idle(2);
    b.policy.retire();
    b.collect();
    CHECK(b.only_closing(idle) == CloseReason::shutdown);
    b.close_all();
    const LaneId second = b.open(3);
    CHECK(b.acquire(1).kind == Kind::wait);
    CHECK(b.release(busy) == CloseReason::none);
    REQUIRE(b.next_grant());
    CHECK(b.release(busy) == CloseReason::shutdown);
    CHECK(b.release(second) == CloseReason::shutdown);
}
