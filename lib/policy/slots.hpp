// Slots: a table of records whose places are given out again. SlotList: a list through such a table.
#pragma once

#include "policy/ids.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace ringlet::detail {

/// take() may allocate; nothing else does.
template <class Id, class Record>
class Slots {
  public:
    /// A place with a default record. Throws std::bad_alloc, nothing changed.
    Id take() {
        if (free_.empty()) {
            records_.emplace_back();
            try {
                free_.reserve(records_.capacity());  // so that give_back() never allocates
            } catch (...) {
                records_.pop_back();
                throw;
            }
            return static_cast<Id>(records_.size() - 1);
        }
        const Id id = free_.back();
        free_.pop_back();
        records_[index_of(id)] = Record{};
        return id;
    }
    void give_back(Id id) noexcept { free_.push_back(id); }

    Record& operator[](Id id) noexcept { return records_[index_of(id)]; }
    const Record& operator[](Id id) const noexcept { return records_[index_of(id)]; }
    /// Places, in use or not.
    std::size_t size() const noexcept { return records_.size(); }

  private:
    std::vector<Record> records_;
    std::vector<Id> free_;  // capacity >= records_.size()
};

/// The links of one record in one list.
template <class Id>
struct Links {
    Id prev = no_id<Id>;
    Id next = no_id<Id>;
};

/// A doubly linked list; the links stand in the records: `Member` names them. Nothing allocates.
template <class Id, auto Member>
class SlotList {
  public:
    bool empty() const noexcept { return front_ == no_id<Id>; }
    std::size_t size() const noexcept { return size_; }
    std::optional<Id> front() const noexcept { return empty() ? std::nullopt : std::optional(front_); }
    std::optional<Id> back() const noexcept { return empty() ? std::nullopt : std::optional(back_); }

    template <class Table>
    void push_back(Table& table, Id id) noexcept {
        auto& links = table[id].*Member;
        links.prev = back_;
        links.next = no_id<Id>;
        (empty() ? front_ : (table[back_].*Member).next) = id;
        back_ = id;
        ++size_;
    }
    /// In front of those at the end of the list that `follows` says are to come after it.
    template <class Table, class Follows>
    void insert_before_last(Table& table, Id id, Follows follows) noexcept {
        Id next = no_id<Id>, prev = back_;
        while (prev != no_id<Id> && follows(prev)) {
            next = prev;
            prev = (table[prev].*Member).prev;
        }
        table[id].*Member = {prev, next};
        (prev == no_id<Id> ? front_ : (table[prev].*Member).next) = id;
        (next == no_id<Id> ? back_ : (table[next].*Member).prev) = id;
        ++size_;
    }
    template <class Table>
    void erase(Table& table, Id id) noexcept {
        const auto links = table[id].*Member;
        (id == front_ ? front_ : (table[links.prev].*Member).next) = links.next;
        (id == back_ ? back_ : (table[links.next].*Member).prev) = links.prev;
        --size_;
    }
    template <class Table>
    std::optional<Id> pop_front(Table& table) noexcept {
        const auto id = front();
        if (id) erase(table, *id);
        return id;
    }

  private:
    Id front_ = no_id<Id>;
    Id back_ = no_id<Id>;
    std::size_t size_ = 0;
};

}  // namespace ringlet::detail
