// What the cache looks like at one moment.
#include "cache/cache.hpp"

#include <algorithm>

namespace ringlet::detail {

CacheStats Cache::stats() const {
    const Lock lock(mutex_);
    catch_up_locked();
    CacheStats stats = totals_;
    stats.open = policy_.open();
    stats.connecting = policy_.count(ConnectionState::connecting);
    stats.leased = policy_.count(ConnectionState::leased);
    stats.idle = policy_.count(ConnectionState::idle);
    stats.waiting = blocked_;
    return stats;
}

std::vector<ConnectionInfo> Cache::connections() const {
    const auto now = Clock::now();
    std::vector<ConnectionInfo> all;
    const Lock lock(mutex_);
    catch_up_locked();
    for (std::uint32_t i = 0; i < policy_.lanes(); ++i) {
        if (policy_.lane(LaneId{i}).in_use) all.push_back(info_locked(LaneId{i}, now));
    }
    return all;
}

ConnectionInfo Cache::info_locked(LaneId slot, Instant now) const {
    const auto& lane = policy_.lane(slot);
    const Entry& entry = entries_[index_of(slot)];
    ConnectionInfo info;
    info.id = entry.id;
    info.origin = keys_.key(entry.key).origin();
    info.state = lane.state;
    info.requests_served = lane.requests;
    // A moment read before the mutex was taken may be earlier than what happened meanwhile.
    if (lane.created != Instant{}) info.age = std::max(now - lane.created, Clock::duration{});
    if (lane.state == ConnectionState::idle) {
        info.idle_time = std::max(now - policy_.idle().since(slot), Clock::duration{});
    }
    if (entry.held == nullptr) return info;
    info.protocol = entry.held->protocol;
    info.local_address = entry.held->local_address;
    info.remote_address = entry.held->remote_address;
    return info;
}

bool Cache::knows(const LaneKey& key) const noexcept {
    const Lock lock(mutex_);
    catch_up_locked();
    return keys_.find(key).has_value();
}

std::size_t Cache::idle_for(const LaneKey& key) const {
    const Lock lock(mutex_);
    catch_up_locked();
    const auto id = keys_.find(key);
    return id ? policy_.idle().size(*id) : 0;
}

}  // namespace ringlet::detail
