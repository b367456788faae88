// IdleSet: the idle lanes, in the orders in which they are asked for.
#pragma once

#include "policy/ids.hpp"
#include "policy/indexed_heap.hpp"
#include "policy/slots.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace ringlet::detail {

/// Newest first for reuse, oldest first for eviction, earliest deadline first for expiry. prepare() may
/// allocate; nothing else does, and no cost but that of a deadline in an unusual order depends on how many
/// lanes there are.
class IdleSet {
  public:
    /// Make room for a lane, a key and an origin, before they are first used in insert().
    void prepare(LaneId lane);
    void prepare(KeyId key, OriginId origin);
    /// Where it belongs by `since`: a walk past the lanes that are younger.
    void insert(LaneId lane, KeyId key, OriginId origin, Instant since, Instant until) noexcept;
    void erase(LaneId lane) noexcept;

    std::size_t size() const noexcept { return by_age_.size(); }
    std::size_t size(OriginId origin) const noexcept;
    std::size_t size(KeyId key) const noexcept;
    std::optional<LaneId> newest(KeyId key) const noexcept;
    std::optional<LaneId> oldest(KeyId key) const noexcept;
    std::optional<LaneId> oldest(OriginId origin) const noexcept;
    std::optional<LaneId> oldest() const noexcept { return by_age_.front(); }
    /// The one before it, of its key.
    std::optional<LaneId> older_of_key(LaneId lane) const noexcept;
    /// The one after it in age, of all.
    std::optional<LaneId> younger(LaneId lane) const noexcept;
    /// The first to expire.
    std::optional<LaneId> earliest() const noexcept;

    Instant since(LaneId lane) const noexcept { return nodes_[index_of(lane)].since; }
    Instant until(LaneId lane) const noexcept { return nodes_[index_of(lane)].until; }

  private:
    struct Node {
        Links<LaneId> key_links, origin_links, age_links;
        KeyId key = no_id<KeyId>;
        OriginId origin = no_id<OriginId>;
        Instant since{};
        Instant until{};
    };
    /// Indexes nodes by id, as SlotList wants it.
    struct Table {
        std::vector<Node>& nodes;
        Node& operator[](LaneId lane) noexcept { return nodes[index_of(lane)]; }
    };

    std::vector<Node> nodes_;                                       // by LaneId
    std::vector<SlotList<LaneId, &Node::key_links>> by_key_;        // by KeyId; oldest in front
    std::vector<SlotList<LaneId, &Node::origin_links>> by_origin_;  // by OriginId; oldest in front
    SlotList<LaneId, &Node::age_links> by_age_;                     // oldest in front
    IndexedHeap<LaneId, Instant> by_deadline_;
};

}  // namespace ringlet::detail
