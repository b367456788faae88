// A loan from its connection's establishment to its end.
#include "cache/cache.hpp"
#include "cache/waiter.hpp"

#include <utility>

namespace ringlet::detail {

Lease& Lease::operator=(Lease&& other) noexcept {
    if (lane_ != nullptr) {
        const Lease old(std::move(*this));
    }
    cache_ = std::move(other.cache_);
    lane_ = std::exchange(other.lane_, nullptr);
    slot_ = other.slot_;
    reused_ = other.reused_;
    waited_ = other.waited_;
    return *this;
}

void Lease::keep_cache() noexcept {
    cache_ = cache_->shared_from_this();
}

Lease::~Lease() {
    if (lane_ != nullptr) cache_->release(std::move(*this), {.close = CloseReason::transfer_error});
}

void Cache::connected(Lease& lease) noexcept {
    if (!note_connected(lease, CloseReason::none)) return;
    tell_of(lease, Event::Kind::opened);
    tell_of(lease, Event::Kind::leased);
}

void Cache::reconnected(Lease& lease, CloseReason why) noexcept {
    if (!note_connected(lease, why)) return;
    tell_of(lease, Event::Kind::closed, why);
    tell_of(lease, Event::Kind::opened);
}

/// False for a lease that the cache does not know (any more): it was inherited through fork().
bool Cache::note_connected(const Lease& lease, CloseReason old_one) noexcept {
    const Lock lock(mutex_);
    notice_fork();
    CachedLane* const held = held_locked(lease.lane_, lease.slot_);
    if (held == nullptr) return false;
    settle_locked(lease.slot_);
    if (held->connected) {
        // Lent as one that had served: the request has another one now.
        if (policy_.lane(lease.slot_).requests > 0) --totals_.reused;
        count_closed_locked(old_one);
        wake_janitor_locked();
    }
    policy_.connected(lease.slot_, Clock::now(), jitter_locked());
    held->connected = true;
    ++totals_.opened;
    held->protocol = lease->protocol();
    try {
        held->local_address = lease->local_address();
        held->remote_address = lease->remote_address();
    } catch (...) {
        held->remote_address.clear();  // no memory: a snapshot lacks it
    }
    return true;
}

CloseReason Cache::renew(Lease& lease) noexcept {
    {
        const Lock lock(mutex_);
        notice_fork();
        if (held_locked(lease.lane_, lease.slot_) == nullptr) return CloseReason::forked;
        settle_locked(lease.slot_);
        if (closed()) return CloseReason::shutdown;
        const CloseReason why = policy_.renew(lease.slot_, Clock::now());
        if (why != CloseReason::none) return why;
        ++totals_.requests;
        ++totals_.reused;
        lease.reused_ = true;
    }
    for (const auto kind : {Event::Kind::released, Event::Kind::leased, Event::Kind::reused}) {
        tell_of(lease, kind);
    }
    return CloseReason::none;
}

bool Cache::is_wanted(const Lease& lease) const noexcept {
    const Lock lock(mutex_);
    notice_fork();
    return held_locked(lease.lane_, lease.slot_) != nullptr && policy_.is_wanted(lease.slot_);
}

CloseReason Cache::release(Lease&& lease, const Verdict& verdict, Claim* claim) noexcept {
    const auto self = std::move(lease.cache_);  // perhaps the last owner of the cache
    Lane* const lane = std::exchange(lease.lane_, nullptr);
    const LaneId slot = lease.slot_;
    const auto id = lane->id();
    const auto key =
        teller_.heard() ? lane->key() : LaneKey{};  // once released the lane may go at any moment
    CloseReason why = CloseReason::none;
    Doomed doomed;
    if (claim == nullptr || !return_to_standby(lane, verdict, *claim)) {
        const Lock lock(mutex_);
        notice_fork();
        CachedLane* const held = held_locked(lane, slot);
        if (held == nullptr) {
            bury_inherited_locked(lane);
            return CloseReason::forked;
        }
        held->protocol = lane->protocol();
        settle_locked(slot);
        settle_before_keeping_locked(slot);
        const auto now = Clock::now();
        why = policy_.release(slot, outcome_of(verdict, *held), now);
        deliver_grants_locked();
        watch_idle_locked(slot);
        doomed = take_doomed_locked();
        if (claim != nullptr && claim->worth_standby(held)) begin_standby_locked(slot, *claim, now);
    }
    if (why == CloseReason::none && !key.empty()) {
        teller_.tell({.kind = Event::Kind::released, .connection_id = id, .origin = key.origin()});
    }
    carry_out(std::move(doomed));
    return why;
}

Outcome Cache::outcome_of(const Verdict& verdict, const CachedLane& held) const noexcept {
    Outcome outcome{.close = verdict.close, .served = verdict.served};
    if (outcome.close == CloseReason::none && !held.connected) outcome.close = CloseReason::transfer_error;
    outcome.idle_limit = idle_limit_of(verdict);
    return outcome;
}

std::chrono::nanoseconds Cache::idle_limit_of(const Verdict& verdict) const noexcept {
    const bool told = verdict.keep_alive_hint && settings_.honour_keep_alive_hint;
    return told ? Duration(*verdict.keep_alive_hint).value() : std::chrono::nanoseconds::max();
}

void Cache::count_replay(const Lease& lease) noexcept {
    {
        const Lock lock(mutex_);
        notice_fork();
        ++totals_.replays;
    }
    tell_of(lease, Event::Kind::replayed);
}

void Cache::count_dropped(const Lease& lease) noexcept {
    {
        const Lock lock(mutex_);
        notice_fork();
        ++totals_.dropped_unread;
    }
    tell_of(lease, Event::Kind::dropped);
}

void Cache::tell_of(const Lease& lease, Event::Kind kind, CloseReason reason) noexcept {
    teller_.tell(
        {.kind = kind, .connection_id = lease->id(), .origin = lease->key().origin(), .reason = reason});
}

CachedLane* Cache::held_locked(const Lane* lane, LaneId slot) const noexcept {
    if (index_of(slot) >= entries_.size()) return nullptr;
    CachedLane* const held = entries_[index_of(slot)].held.get();
    return held != nullptr && &held->lane == lane ? held : nullptr;
}

double Cache::jitter_locked() noexcept {
    if (settings_.max_lifetime.is_unlimited()) return 0;
    return std::uniform_real_distribution<double>(0, 1)(random_);
}

}  // namespace ringlet::detail
