#include "policy/idle_set.hpp"

namespace ringlet::detail {

void IdleSet::prepare(LaneId lane) {
    grow_to_hold(nodes_, lane);
    by_deadline_.prepare(lane);
}

void IdleSet::prepare(KeyId key, OriginId origin) {
    grow_to_hold(by_key_, key);
    grow_to_hold(by_origin_, origin);
}

void IdleSet::insert(LaneId lane, KeyId key, OriginId origin, Instant since, Instant until) noexcept {
    Table table{nodes_};
    Node& node = table[lane];
    node.key = key;
    node.origin = origin;
    node.since = since;
    node.until = until;
    const auto younger = [&](LaneId other) { return table[other].since > since; };
    by_key_[index_of(key)].insert_before_last(table, lane, younger);
    by_origin_[index_of(origin)].insert_before_last(table, lane, younger);
    by_age_.insert_before_last(table, lane, younger);
    by_deadline_.insert(lane, until);
}

void IdleSet::erase(LaneId lane) noexcept {
    Table table{nodes_};
    const Node& node = table[lane];
    by_key_[index_of(node.key)].erase(table, lane);
    by_origin_[index_of(node.origin)].erase(table, lane);
    by_age_.erase(table, lane);
    by_deadline_.erase(lane);
}

std::size_t IdleSet::size(OriginId origin) const noexcept {
    return index_of(origin) < by_origin_.size() ? by_origin_[index_of(origin)].size() : 0;
}

std::size_t IdleSet::size(KeyId key) const noexcept {
    return index_of(key) < by_key_.size() ? by_key_[index_of(key)].size() : 0;
}

std::optional<LaneId> IdleSet::newest(KeyId key) const noexcept {
    return index_of(key) < by_key_.size() ? by_key_[index_of(key)].back() : std::nullopt;
}

std::optional<LaneId> IdleSet::oldest(KeyId key) const noexcept {
    return index_of(key) < by_key_.size() ? by_key_[index_of(key)].front() : std::nullopt;
}

std::optional<LaneId> IdleSet::oldest(OriginId origin) const noexcept {
    return index_of(origin) < by_origin_.size() ? by_origin_[index_of(origin)].front() : std::nullopt;
}

std::optional<LaneId> IdleSet::older_of_key(LaneId lane) const noexcept {
    const LaneId before = nodes_[index_of(lane)].key_links.prev;
    return before == no_id<LaneId> ? std::nullopt : std::optional(before);
}

std::optional<LaneId> IdleSet::younger(LaneId lane) const noexcept {
    const LaneId next = nodes_[index_of(lane)].age_links.next;
    return next == no_id<LaneId> ? std::nullopt : std::optional(next);
}

std::optional<LaneId> IdleSet::earliest() const noexcept {
    return by_deadline_.empty() ? std::nullopt : std::optional(by_deadline_.top());
}

}  // namespace ringlet::detail
