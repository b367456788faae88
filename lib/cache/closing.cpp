// Closing lanes: taken out under the mutex, closed after it, and then reported.
#include "cache/cache.hpp"
#include "cache/janitor.hpp"
#include "cache/waiter.hpp"

namespace ringlet::detail {

Doomed Cache::take_doomed_locked() noexcept {
    Doomed doomed;
    while (policy_.has_closings()) {
        const auto closing = policy_.take_closing();
        doomed.add(std::move(entries_[index_of(closing->lane)].held), closing->lane, closing->reason);
    }
    return doomed;
}

void Cache::carry_out(Doomed&& doomed) noexcept {
    while (!doomed.empty()) {
        const Closed closed = doomed.close_first();
        {
            const Lock lock(mutex_);
            report_closed_locked(closed);
        }
        if (closed.was_connected) tell_closed(closed);
    }
}

void Cache::tell_closed(const Closed& closed) noexcept {
    teller_.tell({.kind = Event::Kind::closed,
                  .connection_id = closed.id,
                  .origin = closed.key.origin(),
                  .reason = closed.reason});
}

void Cache::report_closed_locked(const Closed& closed) noexcept {
    const KeyId key = entries_[index_of(closed.slot)].key;
    const bool replaced = policy_.lane(closed.slot).replaced;
    if (closed.was_connected) {
        count_closed_locked(closed.reason);
        wake_janitor_locked();
    }
    policy_.closed(closed.slot);
    if (replaced) {
        register_locked(closed.slot, key);
    } else {
        keys_.release(key);
    }
    deliver_grants_locked();
    if (this->closed()) quiet_->notify_all();
}

void Cache::count_closed_locked(CloseReason why) noexcept {
    ++totals_.closed;
    ++totals_.closed_by[why];
}

std::size_t Cache::close_idle(Duration idle_for) {
    const bool all = idle_for <= Duration{};
    if (idle_for.is_unlimited()) return 0;
    std::size_t n = 0;
    Doomed doomed;
    {
        const Lock lock(mutex_);
        catch_up_locked();
        if (all) policy_.outdate();
        n = policy_.close_idle(all ? never : Clock::now() - idle_for.value());
        doomed = take_doomed_locked();
    }
    carry_out(std::move(doomed));
    return n;
}

std::size_t Cache::evict(std::string_view origin) {
    std::size_t n = 0;
    Doomed doomed;
    {
        const Lock lock(mutex_);
        catch_up_locked();
        if (const auto id = keys_.find_origin(origin)) {
            policy_.outdate(*id);
            n = policy_.close_idle(*id);
            doomed = take_doomed_locked();
        }
    }
    carry_out(std::move(doomed));
    return n;
}

std::size_t Cache::close_idle_of(const LaneKey& key) noexcept {
    std::size_t n = 0;
    Doomed doomed;
    {
        const Lock lock(mutex_);
        catch_up_locked();
        if (const auto id = keys_.find(key)) {
            n = policy_.close_idle(*id);
            doomed = take_doomed_locked();
        }
    }
    carry_out(std::move(doomed));
    return n;
}

void Cache::abandon() noexcept {
    std::unique_ptr<Janitor> janitor;
    Doomed doomed;
    {
        const Lock lock(mutex_);
        catch_up_locked();
        policy_.retire();
        doomed = take_doomed_locked();
        janitor = std::move(janitor_);
    }
    janitor.reset();  // its thread may be waiting for the mutex
    carry_out(std::move(doomed));
}

}  // namespace ringlet::detail
