// Bench: a policy with what a test needs around it: fake time, names for ids, and the orders collected.
#pragma once

#include "policy/policy.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ringlet::test {

using namespace std::chrono_literals;
using detail::Answer;
using detail::Closing;
using detail::Grant;
using detail::Instant;
using detail::KeyId;
using detail::LaneId;
using detail::OriginId;
using detail::PolicyLimits;
using detail::Ticket;
using detail::UserId;
using Kind = detail::Answer::Kind;

// Keys 0 to 9 belong to origin 0, 10 to 19 to origin 1, and so on.
class Bench {
  public:
    explicit Bench(PolicyLimits limits = {}, unsigned origins = 8) : policy(limits) {
        for (unsigned i = 0; i < origins; ++i) policy.define_origin(OriginId{i});
    }

    Answer acquire(unsigned key, bool fresh = false) {
        return ask({.key = KeyId{key}, .origin = origin(key), .fresh = fresh});
    }
    Answer acquire_now(unsigned key) {
        return ask({.key = KeyId{key}, .origin = origin(key), .may_wait = false});
    }
    Answer ask(const detail::Want& want) {
        const Answer answer = policy.acquire(want, now);
        collect();
        return answer;
    }
    // A new, connected lane for that key: nothing idle may be there for it, and there must be room.
    LaneId open(unsigned key) {
        const Answer answer = acquire(key);
        if (answer.kind != Kind::open) throw std::logic_error("no new lane");
        policy.connected(answer.lane, now, 0);
        return answer.lane;
    }
    CloseReason release(LaneId lane, const detail::Outcome& outcome = {}) {
        const CloseReason why = policy.release(lane, outcome, now);
        collect();
        return why;
    }
    CloseReason close(LaneId lane, CloseReason why) { return release(lane, {.close = why}); }
    LaneId open_idle(unsigned key) {
        const LaneId lane = open(key);
        release(lane);
        return lane;
    }
    void closed(LaneId lane) {
        std::erase_if(closings, [&](const Closing& c) { return c.lane == lane; });
        policy.closed(lane);
        collect();
    }
    void close_all() {
        while (!closings.empty()) closed(closings.front().lane);
    }
    void expire() {
        policy.expire(now);
        collect();
    }
    void collect() {
        while (const auto closing = policy.take_closing()) closings.push_back(*closing);
        while (const auto grant = policy.take_grant()) grants.push_back(*grant);
    }
    std::optional<Grant> next_grant() {
        if (grants.empty()) return std::nullopt;
        const Grant grant = grants.front();
        grants.pop_front();
        if (!grant.used) policy.connected(grant.lane, now, 0);
        return grant;
    }
    // The one lane ordered closed so far, and why; nothing but it.
    std::optional<CloseReason> only_closing(LaneId lane) const {
        if (closings.size() != 1 || closings.front().lane != lane) return std::nullopt;
        return closings.front().reason;
    }
    std::uint64_t count(ConnectionState state) const { return policy.count(state); }
    static OriginId origin(unsigned key) { return OriginId{key / 10}; }

    detail::Policy policy;
    Instant now{1h};
    std::deque<Closing> closings;
    std::deque<Grant> grants;
};

}  // namespace ringlet::test
