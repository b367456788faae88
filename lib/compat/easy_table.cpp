#include "compat/easy_table.hpp"

#include "base/made_once.hpp"
#include "cache/cache.hpp"

#include <atomic>
#include <mutex>
#include <new>
#include <utility>

namespace ringlet::detail {

EasyTable& EasyTable::instance() {
    static constinit std::atomic<EasyTable*> table{nullptr};
    return made_once(table, [] { return new EasyTable; });
}

EasyTable::Shard& EasyTable::shard_of(CURL* easy) noexcept {
    // Handles are some kilobytes in size: the lower bits say nothing.
    const auto bits = reinterpret_cast<std::uintptr_t>(easy) >> 4;
    return shards_[(bits ^ (bits >> 8)) % shard_count];
}

EasyRecord* EasyTable::find(CURL* easy) noexcept {
    auto& shard = shard_of(easy);
    const Lock lock(shard.mutex);
    const auto found = shard.records.find(easy);
    return found == shard.records.end() ? nullptr : found->second.get();
}

EasyRecord* EasyTable::insert(CURL* easy, std::shared_ptr<EasyRecord> record) {
    auto* const added = record.get();
    auto& shard = shard_of(easy);
    {
        const Lock lock(shard.mutex);
        shard.records[easy].swap(record);
    }
    // One that was there is of a handle which ended unseen, and with it what the program's functions need.
    if (record && record->private_lanes) record->private_lanes->abandon();
    return added;
}

EasyRecord* EasyTable::add(CURL* easy) noexcept {
    try {
        return insert(easy, std::make_shared<EasyRecord>());
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

EasyRecord* EasyTable::add(CURL* easy, const EasyRecord& like) noexcept {
    try {
        return insert(easy, std::make_shared<EasyRecord>(like));
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

std::shared_ptr<EasyRecord> EasyTable::remove(CURL* easy) noexcept {
    auto& shard = shard_of(easy);
    const Lock lock(shard.mutex);
    auto node = shard.records.extract(easy);
    return node.empty() ? nullptr : std::move(node.mapped());
}

void EasyTable::close_one_that_is_wanted() noexcept {
    const auto is_wanted = [](const EasyRecord& record) {
        return record.parked && record.parked.cache()->is_wanted(record.parked);
    };
    const auto holder = [&](Shard& shard) -> std::shared_ptr<EasyRecord> {
        const Lock lock(shard.mutex);
        for (const auto& [easy, record] : shard.records) {
            const std::unique_lock parked(record->park_lock, std::try_to_lock);
            if (parked && is_wanted(*record)) return record;
        }
        return nullptr;
    };
    for (auto& shard : shards_) {
        const auto record = holder(shard);
        if (!record) continue;
        // Its handle waits until the connection is gone: the two share objects without locks. If it runs by
        // now it must not be waited for.
        const std::unique_lock parked(record->park_lock, std::try_to_lock);
        if (!parked || !is_wanted(*record)) continue;
        const auto cache = record->parked.cache();
        cache->release(std::move(record->parked), {.close = CloseReason::over_limit});
        return;
    }
}

void EasyTable::add_share(CURLSH* share) noexcept {
    try {
        const Lock lock(share_mutex_);
        shares_.insert_or_assign(share, Shared{++last_share_id_, false});
    } catch (const std::bad_alloc&) {
        return;  // unknown: its handles go their own way
    }
}

void EasyTable::remove_share(CURLSH* share) noexcept {
    const Lock lock(share_mutex_);
    shares_.erase(share);
}

void EasyTable::set_shares_connections(CURLSH* share, bool on) noexcept {
    const Lock lock(share_mutex_);
    const auto found = shares_.find(share);
    if (found != shares_.end()) found->second.connections = on;
}

EasyShare EasyTable::share(CURLSH* share) noexcept {
    if (share == nullptr) return {};
    const Lock lock(share_mutex_);
    const auto found = shares_.find(share);
    if (found == shares_.end() || found->second.connections) return {EasyShare::Kind::own_way, 0};
    return {EasyShare::Kind::known, found->second.id};
}

}  // namespace ringlet::detail
