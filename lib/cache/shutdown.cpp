// Cache::shutdown(): from the last new request to the last closed socket.
#include "base/callback_scope.hpp"
#include "cache/cache.hpp"
#include "cache/janitor.hpp"
#include "cache/reasons.hpp"
#include "cache/waiter.hpp"

namespace ringlet::detail {
namespace {

// Requests that are interrupted react within 100 ms. A response that nobody reads cannot: it is not waited
// for longer.
constexpr std::chrono::seconds patience_with_interrupted(1);

}  // namespace

void Cache::shutdown(Duration grace) {
    if (CallbackScope::active()) {
        throw Error(
            Errc::invalid_argument,
            "shutdown() inside an observer or a callback would wait for that very function to return");
    }
    const auto now = Clock::now();
    const Instant deadline = later(now, grace.negative() ? std::chrono::nanoseconds{} : grace.value());
    {
        const Lock lock(mutex_);
        catch_up_locked();
        closed_.store(true, std::memory_order_release);
        policy_.retire();  // whoever has seen closed() and returns a connection has it closed
    }
    abandon();
    if (wait_quiet(deadline)) return;
    interrupt_all();
    if (wait_quiet(later(Clock::now(), patience_with_interrupted))) return;
    log_.warn(
        "shutdown: some connections are still held, by responses that nobody reads or by curl handles that "
        "have them to themselves; each is closed when its holder is destroyed");
}

bool Cache::wait_quiet(Instant until) {
    Lock lock(mutex_);
    while (!quiet_locked()) {
        if (!lock.wait(*quiet_, until)) return quiet_locked();
    }
    return true;
}

void Cache::begin_continuation() noexcept {
    const Lock lock(mutex_);
    notice_fork();
    ++continuations_;
}

void Cache::end_continuation() noexcept {
    const Lock lock(mutex_);
    notice_fork();
    --continuations_;
    if (closed()) quiet_->notify_all();
}

/// Waiting requests get cache_closed; those in flight are told to end.
void Cache::interrupt_all() {
    {
        const Lock lock(mutex_);
        interrupting_ = true;
        for (Waiter* const waiter : waiters_) {  // dropping one leaves its place
            if (waiter == nullptr) continue;
            policy_.cancel(waiter->ticket);
            drop_waiter_locked(*waiter);
            waiter->state = Waiter::State::refused;
            waiter->wake.notify_one();
        }
        for (const auto& entry : entries_) {
            if (entry.held) entry.held->lane.interrupt();
        }
    }
    stopping_.request_stop();
}

}  // namespace ringlet::detail
