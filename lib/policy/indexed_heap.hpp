// IndexedHeap: a priority queue from which any member can be taken.
#pragma once

#include "policy/ids.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ringlet::detail {

/// The smallest key first. prepare() may allocate; nothing else does. An insertion at the end of the order
/// and its removal, which is what a busy connection does, move nothing.
template <class Id, class Key>
class IndexedHeap {
  public:
    /// Makes room for that id.
    void prepare(Id id) {
        if (index_of(id) < places_.size()) return;
        places_.reserve(std::max(index_of(id) + 1, 2 * places_.size()));
        items_.reserve(places_.capacity());
        places_.resize(index_of(id) + 1, absent);
    }
    bool empty() const noexcept { return items_.empty(); }
    std::size_t size() const noexcept { return items_.size(); }
    bool contains(Id id) const noexcept {
        return index_of(id) < places_.size() && places_[index_of(id)] != absent;
    }
    Id top() const noexcept { return items_.front().id; }
    const Key& top_key() const noexcept { return items_.front().key; }

    void insert(Id id, Key key) noexcept {
        items_.push_back({std::move(key), id});
        places_[index_of(id)] = static_cast<std::uint32_t>(items_.size() - 1);
        sift_up(items_.size() - 1);
    }
    void erase(Id id) noexcept {
        const std::size_t at = places_[index_of(id)];
        places_[index_of(id)] = absent;
        const Item last = items_.back();
        items_.pop_back();
        if (at == items_.size()) return;
        put(at, last);
        sift_down(sift_up(at));
    }

  private:
    struct Item {
        Key key;
        Id id;
    };
    static constexpr std::uint32_t absent = static_cast<std::uint32_t>(no_id<Id>);

    void put(std::size_t at, Item item) noexcept {
        places_[index_of(item.id)] = static_cast<std::uint32_t>(at);
        items_[at] = item;
    }
    std::size_t sift_up(std::size_t at) noexcept {
        const Item item = items_[at];
        for (; at > 0 && item.key < items_[(at - 1) / 2].key; at = (at - 1) / 2)
            put(at, items_[(at - 1) / 2]);
        put(at, item);
        return at;
    }
    void sift_down(std::size_t at) noexcept {
        const Item item = items_[at];
        for (std::size_t child = 2 * at + 1; child < items_.size(); child = 2 * at + 1) {
            if (child + 1 < items_.size() && items_[child + 1].key < items_[child].key) ++child;
            if (!(items_[child].key < item.key)) break;
            put(at, items_[child]);
            at = child;
        }
        put(at, item);
    }

    std::vector<Item> items_;
    std::vector<std::uint32_t> places_;  // by id: its index in items_, or absent
};

}  // namespace ringlet::detail
