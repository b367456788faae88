// Cache::acquire(): from a lane key to a lease.
#include "cache/cache.hpp"
#include "cache/reasons.hpp"
#include "cache/this_thread.hpp"
#include "cache/waiter.hpp"
#include "ringlet/error.hpp"

namespace ringlet::detail {
namespace {

std::uint64_t next_connection_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

Lease Cache::acquire(const LaneKey& key, const AcquireLimits& limits, Claim* claim) {
    const auto now = Clock::now();
    if (limits.stop.stop_requested()) fail_acquire(Errc::cancelled, "stopped before it had a connection");
    if (limits.deadline <= now) fail_acquire(Errc::timeout, "the deadline passed before it had a connection");
    if (claim != nullptr && !limits.fresh) {
        if (auto again = lend_again(key, *claim, now)) return again;
    }
    Waiter waiter;
    waiter.since = now;
    waiter.counts = !limits.prewarm;
    Turn turn = ask(key, limits, waiter);
    const bool waits = turn.kind == Answer::Kind::wait || turn.kind == Answer::Kind::evict_then_open;
    if (const auto look = waits ? look_for_a_place_.load() : nullptr) look();
    if (waits) turn = wait_turn(waiter, key, limits, turn.kind == Answer::Kind::evict_then_open);
    const auto waited = waits ? Clock::now() - waiter.since : Clock::duration{};
    Lease lease = take_lease(turn, key, claim);
    lease.waited_ = waited;
    return lease;
}

Lease Cache::acquire_again(const LaneKey& key, LaneId slot, std::uint64_t connection_id) {
    Turn turn;
    {
        const Lock lock(mutex_);
        catch_up_locked();
        if (closed() || index_of(slot) >= entries_.size()) return {};
        const Entry& entry = entries_[index_of(slot)];
        if (entry.id != connection_id || entry.held == nullptr) return {};
        if (!policy_.acquire_again(slot, Clock::now())) return {};
        ++totals_.requests;
        turn = lend_locked(slot);
    }
    return take_lease(turn, key, nullptr);
}

/// The lane of a turn that has come, if it is alive; else the next one, at last a new one.
Lease Cache::take_lease(Turn turn, const LaneKey& key, Claim* claim) {
    while (turn.held != nullptr) {
        Lane& lane = turn.held->lane;
        const CloseReason dead = reason_of(lane.check());
        if (dead == CloseReason::none) {
            tell_lent(turn, key);
            if (claim != nullptr) claim->bind(this, turn.held->standby, turn.held, turn.slot, turn.id, key);
            return {owner_for(claim), &lane, turn.slot, turn.served_before};
        }
        turn = replace_dead(turn, dead);
    }
    return open_lane(turn, key, claim);
}

/// What was ordered closed for it has been closed when this returns. A refusal is thrown.
Cache::Turn Cache::ask(const LaneKey& key, const AcquireLimits& limits, Waiter& waiter) {
    Turn turn;
    Crowd crowd;
    Doomed doomed;
    std::vector<Closed> forked;
    try {
        const Lock lock(mutex_);
        catch_up_locked();
        if (closed() && (!limits.continuation || interrupting_))
            fail_acquire(Errc::cache_closed, "the cache has been shut down");
        const auto taken = keys_.take(key);
        waiter.key = taken.key;
        try {
            if (taken.new_origin) define_origin_locked(taken.origin, key.origin());
            turn = ask_locked({.key = taken.key,
                               .origin = taken.origin,
                               .user = this_thread(),
                               .fresh = limits.fresh || limits.prewarm,
                               .may_wait = !limits.prewarm && (settings_.acquire_timeout > Duration{} ||
                                                               look_for_a_place_.load() != nullptr),
                               .may_evict = !limits.prewarm},
                              waiter);
        } catch (...) {  // no memory
            keys_.release(taken.key);
            doomed = take_doomed_locked();
            throw;
        }
        doomed = take_doomed_locked();
        if (!forked_.empty()) forked.swap(forked_);
        if (turn.kind == Answer::Kind::refuse) {
            crowd = crowd_locked(taken.key);
            if (waiter.counts) ++totals_.acquire_timeouts;
            keys_.release(taken.key);
        }
    } catch (...) {
        carry_out(std::move(doomed));
        throw;
    }
    for (const auto& closed : forked) tell_closed(closed);
    carry_out(std::move(doomed));
    if (turn.kind == Answer::Kind::refuse) refuse(Errc::acquire_timeout, key, {}, crowd);
    return turn;
}

/// The hold on the key passes to the lane or the waiter, unless it is refused.
Cache::Turn Cache::ask_locked(const Want& want, Waiter& waiter) {
    const Answer answer = policy_.acquire(want, waiter.since);
    if (waiter.counts && answer.lane != no_id<LaneId>) ++totals_.requests;
    switch (answer.kind) {
        case Answer::Kind::reuse:
            keys_.release(want.key);
            return lend_locked(answer.lane);
        case Answer::Kind::open:
            return open_locked(answer.lane, want.key);
        case Answer::Kind::refuse:
            return {};
        case Answer::Kind::evict_then_open:
        case Answer::Kind::wait:
            return queue_locked(answer, waiter);
    }
    return {};
}

void Cache::define_origin_locked(OriginId origin, std::string_view name) {
    const auto own = settings_.host_limits.find(std::string(name));
    policy_.define_origin(
        origin, own == settings_.host_limits.end() ? std::nullopt : std::optional(own->second.value()));
}

Cache::Turn Cache::lend_locked(LaneId slot) {
    Entry& entry = entries_[index_of(slot)];
    ++entry.epoch;
    const bool served_before = policy_.lane(slot).requests > 0;
    if (served_before) ++totals_.reused;
    return {Answer::Kind::reuse, slot, entry.held.get(), entry.id, served_before, nullptr};
}

Cache::Turn Cache::open_locked(LaneId slot, KeyId key) {
    try {
        grow_to_hold(entries_, slot);
        standbys_.reserve(entries_.capacity());
    } catch (...) {
        policy_.closed(slot);
        throw;
    }
    register_locked(slot, key);
    return {Answer::Kind::open, slot, nullptr, entries_[index_of(slot)].id, false, share_.get()};
}

Cache::Turn Cache::queue_locked(const Answer& answer, Waiter& waiter) {
    try {
        grow_to_hold(waiters_, answer.ticket);
    } catch (...) {
        policy_.cancel(answer.ticket);
        throw;
    }
    waiter.ticket = answer.ticket;
    waiters_[index_of(answer.ticket)] = &waiter;
    return {.kind = answer.kind};
}

/// A slot begins to mean a new connection. It takes over a hold on the key.
void Cache::register_locked(LaneId slot, KeyId key) noexcept {
    Entry& entry = entries_[index_of(slot)];
    entry.id = next_connection_id();
    ++entry.epoch;
    entry.key = key;
}

/// The next idle lane, or the same slot with nothing in it.
Cache::Turn Cache::replace_dead(const Turn& turn, CloseReason why) {
    Answer answer;
    Turn next;
    Doomed doomed;
    {
        const Lock lock(mutex_);
        catch_up_locked();
        if (turn.served_before) --totals_.reused;
        answer = policy_.dead(turn.slot, why, Clock::now());
        if (answer.kind == Answer::Kind::reuse) next = lend_locked(answer.lane);
        doomed = take_doomed_locked();
    }
    carry_out(std::move(doomed));
    if (answer.kind == Answer::Kind::reuse) return next;
    const Lock lock(mutex_);
    return {Answer::Kind::open, answer.lane, nullptr, entries_[index_of(answer.lane)].id, false,
            share_.get()};
}

Lease Cache::open_lane(const Turn& turn, const LaneKey& key, Claim* claim) {
    try {
        auto made = std::make_unique<CachedLane>(turn.id, key, *turn.share, lane_settings_);
        Lane* const lane = &made->lane;
        if (claim != nullptr) claim->bind(this, made->standby, made.get(), turn.slot, turn.id, key);
        const Lock lock(mutex_);
        if (interrupting_) lane->interrupt();
        entries_[index_of(turn.slot)].held = std::move(made);
        return {owner_for(claim), lane, turn.slot, false};
    } catch (...) {
        const Lock lock(mutex_);
        put_back_locked(turn.slot, false);
        throw;
    }
}

/// A loan that never began ends: the lane goes on to the next.
void Cache::put_back_locked(LaneId slot, bool used) noexcept {
    const KeyId key = entries_[index_of(slot)].key;
    settle_before_keeping_locked(slot);
    policy_.hand_on(slot, used, Clock::now());
    if (!used) keys_.release(key);
    deliver_grants_locked();
    watch_idle_locked(slot);
    if (closed()) quiet_->notify_all();
}

void Cache::tell_lent(const Turn& turn, const LaneKey& key) noexcept {
    if (!teller_.heard()) return;
    teller_.tell({.kind = Event::Kind::leased, .connection_id = turn.id, .origin = key.origin()});
    if (!turn.served_before) return;
    teller_.tell({.kind = Event::Kind::reused, .connection_id = turn.id, .origin = key.origin()});
}

}  // namespace ringlet::detail
