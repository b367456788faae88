// What the janitor and the cache have to do with each other.
#include "cache/cache.hpp"
#include "cache/janitor.hpp"
#include "cache/reasons.hpp"

namespace ringlet::detail {

// At most one write to the janitor's pipe between two of its rounds, whatever the traffic: once told it
// looks again by itself, until a round finds nothing new.
void Cache::watch_idle_locked(LaneId slot) noexcept {
    const auto& lane = policy_.lane(slot);
    const bool became_idle = lane.in_use && lane.state == ConnectionState::idle;
    if (!became_idle || janitor_told_ || !settings_.watch_idle) return;
    if (!janitor_ && !start_janitor_locked()) return;
    wake_janitor_locked();
}

/// Also when a connection was closed: the kernel keeps what a poll() waits for, so that the peer would not be
/// told before the janitor comes back from it.
void Cache::wake_janitor_locked() noexcept {
    if (!janitor_ || janitor_told_) return;
    janitor_told_ = true;
    janitor_->notify();
}

/// Without a janitor, idle lanes are checked when they are about to be lent, as with watch_idle(false).
bool Cache::start_janitor_locked() noexcept {
    constexpr std::chrono::seconds before_another_attempt(1);
    const auto now = Clock::now();
    if (now < next_janitor_) return false;
    janitor_ = Janitor::start(weak_from_this(), settings_.idle_timeout.value());
    if (!janitor_) next_janitor_ = now + before_another_attempt;
    return janitor_ != nullptr;
}

Cache::Round Cache::idle_round(std::vector<Watched>& watched, Instant now, std::chrono::nanoseconds young) {
    Round round;
    Doomed doomed;
    watched.clear();
    {
        const Lock lock(mutex_);
        catch_up_locked();
        const auto& idle = policy_.idle();
        watched.reserve(idle.size());  // may throw: nothing is ordered closed yet
        policy_.expire(now);
        doomed = take_doomed_locked();
        for (auto slot = idle.oldest(); slot; slot = idle.younger(*slot)) {
            // A lane in the middle of traffic is not worth watching: the next round sees whether it has come
            // to rest.
            if (now - idle.since(*slot) < young) {
                round.again = true;
                break;
            }
            const Entry& entry = entries_[index_of(*slot)];
            watched.push_back({entry.held->lane.socket(), entry.held->lane.protocol(), *slot, entry.epoch});
        }
        round.next_expiry = policy_.next_expiry();
        janitor_told_ = round.again;
    }
    carry_out(std::move(doomed));
    return round;
}

/// Something happened on these sockets, if they still belong to the lanes they were listed for.
bool Cache::lanes_ready(std::span<const Watched> ready) noexcept {
    bool lent = false;
    Doomed doomed;
    {
        const Lock lock(mutex_);
        notice_fork();
        for (const auto& watched : ready) {
            if (index_of(watched.slot) >= entries_.size()) continue;
            Entry& entry = entries_[index_of(watched.slot)];
            const auto& lane = policy_.lane(watched.slot);
            const bool same =
                entry.epoch == watched.epoch && lane.in_use && lane.state == ConnectionState::idle;
            lent = lent || !same;
            if (!same) continue;
            const CloseReason why = reason_of(entry.held->lane.check());
            if (why != CloseReason::none) policy_.discard(watched.slot, why);
        }
        doomed = take_doomed_locked();
    }
    carry_out(std::move(doomed));
    return lent;
}

}  // namespace ringlet::detail
