#include "cache/key_table.hpp"

namespace ringlet::detail {

KeyTable::Taken KeyTable::take(const LaneKey& key) {
    const auto found = key_ids_.find(key);
    if (found == key_ids_.end()) return add(key);
    Key& record = keys_[found->second];
    ++record.holders;
    return {found->second, record.origin, false};
}

KeyTable::Taken KeyTable::add(const LaneKey& key) {
    bool new_origin = false;
    const OriginId origin = take_origin(key.origin(), new_origin);
    try {
        const KeyId id = keys_.take();
        try {
            key_ids_.emplace(key, id);
        } catch (...) {
            keys_.give_back(id);
            throw;
        }
        keys_[id] = {key, origin, 1};
        return {id, origin, new_origin};
    } catch (...) {
        release_origin(origin);
        throw;
    }
}

void KeyTable::release(KeyId key) noexcept {
    Key& record = keys_[key];
    if (--record.holders != 0) return;
    const OriginId origin = record.origin;
    key_ids_.erase(record.key);
    record = Key{};
    keys_.give_back(key);
    release_origin(origin);
}

OriginId KeyTable::take_origin(std::string_view name, bool& is_new) {
    if (const auto known = find_origin(name)) {
        ++origins_[*known].keys;
        return *known;
    }
    const OriginId id = origins_.take();
    try {
        origins_[id] = {std::string(name), 1};
        origin_ids_.emplace(name, id);
    } catch (...) {
        origins_.give_back(id);
        throw;
    }
    is_new = true;
    return id;
}

void KeyTable::release_origin(OriginId origin) noexcept {
    Origin& record = origins_[origin];
    if (--record.keys != 0) return;
    origin_ids_.erase(record.name);
    record = Origin{};
    origins_.give_back(origin);
}

std::optional<KeyId> KeyTable::find(const LaneKey& key) const noexcept {
    const auto found = key_ids_.find(key);
    return found == key_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<OriginId> KeyTable::find_origin(std::string_view origin) const noexcept {
    const auto found = origin_ids_.find(origin);
    return found == origin_ids_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace ringlet::detail
