// Waiting for a turn.
#include "cache/cache.hpp"
#include "cache/reasons.hpp"
#include "cache/waiter.hpp"

#include <algorithm>

namespace ringlet::detail {

/// `soon`: its place is about to be free, since a connection is being closed for it: that is no wait for
/// anybody's answer.
Cache::Turn Cache::wait_turn(Waiter& waiter, const LaneKey& key, const AcquireLimits& limits, bool soon) {
    const bool bounded = settings_.acquire_timeout != Duration{} || !soon;
    const Instant own_limit = bounded ? later(waiter.since, settings_.acquire_timeout.value()) : never;
    if (const auto turn = turn_that_came(waiter)) return *turn;

    Wait wait;
    {
        // Its destructor waits for a call in progress, which takes the mutex.
        std::optional<std::stop_callback<Waker>> on_stop;
        if (limits.stop.stop_possible()) on_stop.emplace(limits.stop, Waker{*this, waiter});
        wait = wait_until_turn(waiter, limits, std::min(limits.deadline, own_limit));
    }
    if (wait.turn) {
        if (teller_.heard()) {
            teller_.tell({.kind = Event::Kind::waited,
                          .connection_id = wait.turn->id,
                          .origin = key.origin(),
                          .waited = wait.took});
        }
        return *wait.turn;
    }
    if (wait.end == Errc::cache_closed) fail_acquire(wait.end, "the cache was shut down");
    if (wait.end == Errc::cancelled) fail_acquire(wait.end, "stopped while it waited for a connection");
    refuse(wait.end, key, wait.took, wait.crowd);
}

std::optional<Cache::Turn> Cache::turn_that_came(Waiter& waiter) {
    const Lock lock(mutex_);
    return taken_up_locked(waiter);
}

/// Why a wait was in vain.
Errc Cache::end_of(const Waiter& waiter, bool by_deadline) noexcept {
    if (waiter.state == Waiter::State::refused) return Errc::cache_closed;
    if (waiter.stopped) return Errc::cancelled;
    return by_deadline ? Errc::timeout : Errc::acquire_timeout;
}

/// One who gives up has left the order, and handed on what had been granted at the last moment.
Cache::Wait Cache::wait_until_turn(Waiter& waiter, const AcquireLimits& limits, Instant until) {
    Wait wait;
    Doomed doomed;
    {
        Lock lock(mutex_);
        sleep_locked(waiter, until, lock);
        const auto now = Clock::now();
        wait.took = now - waiter.since;
        if (!waiter.stopped && now < limits.deadline) wait.turn = taken_up_locked(waiter);
        if (!wait.turn) {
            wait.end = end_of(waiter, limits.deadline <= until);
            if (wait.end == Errc::acquire_timeout && waiter.counts) ++totals_.acquire_timeouts;
            catch_up_locked();
            if (wait.end != Errc::cache_closed) wait.crowd = crowd_locked(waiter.key);
            leave_locked(waiter);
            doomed = take_doomed_locked();
        }
    }
    carry_out(std::move(doomed));
    return wait;
}

void Cache::sleep_locked(Waiter& waiter, Instant until, Lock& lock) {
    if (waiter.state != Waiter::State::waiting) return;
    ++blocked_;
    if (waiter.counts) ++totals_.waits;
    while (waiter.state == Waiter::State::waiting && !waiter.stopped) {
        if (!lock.wait(waiter.wake, until)) break;
    }
    --blocked_;
}

std::optional<Cache::Turn> Cache::taken_up_locked(Waiter& waiter) {
    if (waiter.state != Waiter::State::granted) return std::nullopt;
    if (waiter.counts) ++totals_.requests;
    if (waiter.used) return lend_locked(waiter.slot);
    return Turn{Answer::Kind::open, waiter.slot, nullptr, entries_[index_of(waiter.slot)].id, false,
                share_.get()};
}

void Cache::leave_locked(Waiter& waiter) noexcept {
    if (waiter.state == Waiter::State::granted) {
        put_back_locked(waiter.slot, waiter.used);
    } else if (waiter.state == Waiter::State::waiting) {
        policy_.cancel(waiter.ticket);
        drop_waiter_locked(waiter);
    }
}

/// It is in the order no more.
void Cache::drop_waiter_locked(Waiter& waiter) noexcept {
    waiters_[index_of(waiter.ticket)] = nullptr;
    keys_.release(waiter.key);
    if (closed()) quiet_->notify_all();
}

/// After each call of the policy that may have granted something.
void Cache::deliver_grants_locked() noexcept {
    while (policy_.has_grants()) {
        const auto grant = policy_.take_grant();
        Waiter& waiter = *waiters_[index_of(grant->ticket)];
        waiters_[index_of(grant->ticket)] = nullptr;
        if (grant->used) {
            keys_.release(waiter.key);
        } else {
            register_locked(grant->lane, waiter.key);
        }
        waiter.slot = grant->lane;
        waiter.used = grant->used;
        waiter.state = Waiter::State::granted;
        waiter.wake.notify_one();  // under the mutex: once it is free the waiter may be gone
    }
}

}  // namespace ringlet::detail
