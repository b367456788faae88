// What a forked child does with the cache it inherits: its connections are the parent's.
#include "cache/cache.hpp"
#include "cache/janitor.hpp"

#include <algorithm>

namespace ringlet::detail {

// The threads that waited, watched or held leases do not exist in the child, but for the one that forked: its
// leases come back one day. Whatever those threads may have been changing is left alone: lanes in use, and
// the share. A child in which there is no memory for the few small objects made here ends (std::terminate):
// it has nothing that it could go on with.
void Cache::drop_inherited_locked() noexcept {
    settle_all_locked();
    generation_ = fork_generation();
    for (auto& entry : entries_) {
        if (!entry.held) continue;
        if (entry.held->connected) {
            count_closed_locked(CloseReason::forked);
            if (teller_.heard())
                forked_.push_back({.reason = CloseReason::forked,
                                   .id = entry.id,
                                   .key = entry.held->lane.key(),
                                   .was_connected = true});
        }
        const bool idle =
            policy_.lane(static_cast<LaneId>(&entry - entries_.data())).state == ConnectionState::idle;
        if (!idle) inherited_.push_back(std::move(entry.held));
    }
    entries_.clear();  // idle lanes: ~Lane closes the descriptors and says nothing on them
    waiters_.clear();
    blocked_ = 0;
    continuations_ = 0;
    keys_ = KeyTable{};
    const bool retired = policy_.retired();
    policy_ = Policy(limits_of(settings_));
    if (retired) policy_.retire();
    // Destroying these would wait for threads that were using them.
    (void)share_.release();
    (void)quiet_.release();
    share_ = std::make_unique<Share>();
    quiet_ = std::make_unique<std::condition_variable>();
    stopping_ = std::stop_source{};
    Janitor::leave_to_parent(std::move(janitor_));
    janitor_told_ = false;
}

void Cache::bury_inherited_locked(const Lane* lane) noexcept {
    std::erase_if(inherited_, [lane](const auto& held) { return &held->lane == lane; });
}

}  // namespace ringlet::detail
