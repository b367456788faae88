// Loans that need no mutex, and what the tables have to learn of them.
#include "cache/standby.hpp"

#include "cache/cache.hpp"
#include "cache/this_thread.hpp"

#include <algorithm>

namespace ringlet::detail {
namespace {

// Of lanes that came back so shortly before, a thread gets the one it had, whatever others did meanwhile:
// see Policy::choose().
constexpr std::chrono::milliseconds a_moment(1);
// So often, at least, a holder comes by the tables and does what falls due with each loan: without a janitor
// nobody else may.
constexpr std::chrono::seconds longest_standby(1);

}  // namespace

/// The count of a cache's owners is one place that all its threads would write to with each request.
std::shared_ptr<Cache> Cache::owner_for(const Claim* claim) noexcept {
    return claim != nullptr ? std::shared_ptr<Cache>(std::shared_ptr<void>(), this) : shared_from_this();
}

/// Nothing: ask for any.
Lease Cache::lend_again(const LaneKey& key, Claim& claim, Instant now) {
    if (!claim.take(this, key, this_thread(), fork_generation(), now)) return {};
    return take_lease({Answer::Kind::reuse, claim.slot(), claim.held(), claim.id(), true, nullptr}, key,
                      &claim);
}

/// False: release it under the mutex.
bool Cache::return_to_standby(const Lane* lane, const Verdict& verdict, Claim& claim) noexcept {
    const bool keeps = verdict.close == CloseReason::none && verdict.served;
    return keeps && claim.lent() && lane == &claim.held()->lane &&
           claim.give_back(fork_generation(), Clock::now(), idle_limit_of(verdict));
}

/// A lane has become idle. There is none on standby while somebody waits: whoever is about to has the tables
/// learn of all that are, and none begins before the waiting is over.
void Cache::begin_standby_locked(LaneId slot, Claim& claim, Instant now) noexcept {
    const auto& lane = policy_.lane(slot);
    if (!lane.in_use || lane.state != ConnectionState::idle || policy_.waiting() != 0 || closed()) return;
    if (settings_.watch_idle && !janitor_) return;  // it has yet to be started, by a release under the mutex
    const auto left = settings_.max_requests_per_connection.value() - lane.requests;
    CachedLane& held = *entries_[index_of(slot)].held;
    held.on_standby = standbys_.size();
    standbys_.push_back(slot);  // there is room: see open_locked()
    claim.begin({.user = lane.user,
                 .fork_generation = generation_,
                 .loans = std::min<std::uint64_t>(left - 1, Standby::most_loans),
                 .window = std::min<std::chrono::nanoseconds>(a_moment, settings_.idle_timeout.value()),
                 .end = std::min(lane.lifetime_end, now + longest_standby)},
                now);
}

/// That lane's standby, if it is on one, ends.
void Cache::settle_locked(LaneId slot) noexcept {
    CachedLane& held = *entries_[index_of(slot)].held;
    if (held.on_standby == CachedLane::nowhere) return;
    const LaneId last = standbys_.back();
    standbys_[held.on_standby] = last;
    entries_[index_of(last)].held->on_standby = held.on_standby;
    standbys_.pop_back();
    note_missed_locked(slot, held);
}

/// One idle lane more may be one too many: then the oldest goes.
void Cache::settle_before_keeping_locked(LaneId slot) noexcept {
    const auto& idle = policy_.idle();
    if (idle.size() >= settings_.max_idle.value() ||
        idle.size(policy_.lane(slot).origin) >= settings_.max_idle_per_host.value())
        settle_all_locked();
}

void Cache::settle_all_locked() noexcept {
    for (const LaneId slot : standbys_) note_missed_locked(slot, *entries_[index_of(slot)].held);
    standbys_.clear();
}

void Cache::note_missed_locked(LaneId slot, CachedLane& held) noexcept {
    held.on_standby = CachedLane::nowhere;
    const auto missed = held.standby->end();
    if (missed.loans == 0) return;
    totals_.requests += missed.loans;
    totals_.reused += missed.loans;
    entries_[index_of(slot)].epoch += missed.loans;
    policy_.catch_up(slot, {.served = missed.loans - (missed.lent ? 1 : 0),
                            .leased = missed.lent,
                            .since = missed.since,
                            .idle_limit = missed.idle_limit});
}

}  // namespace ringlet::detail
