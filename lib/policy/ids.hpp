// Ids: the small integers by which the policy knows lanes, keys, origins and waiting requests.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace ringlet::detail {

// Each is an index into a table: dense, and given out again once nothing bears it.
enum class LaneId : std::uint32_t {};
enum class KeyId : std::uint32_t {};
enum class OriginId : std::uint32_t {};
enum class Ticket : std::uint32_t {};

/// Who asks, as far as it matters which of several idle lanes it gets: a thread. A hint.
enum class UserId : std::uint32_t { unknown };

template <class Id>
constexpr std::size_t index_of(Id id) noexcept {
    return static_cast<std::size_t>(id);
}

/// Makes room in a table for that id.
template <class Table, class Id>
void grow_to_hold(Table& table, Id id) {
    if (index_of(id) >= table.size()) table.resize(index_of(id) + 1);
}

template <class Id>
inline constexpr Id no_id = static_cast<Id>(std::numeric_limits<std::uint32_t>::max());

/// A moment, as told to the policy: it never reads a clock.
using Instant = std::chrono::steady_clock::time_point;
inline constexpr Instant never = Instant::max();

/// `from` + `span`, never past the end of time. `span` is not negative.
constexpr Instant later(Instant from, std::chrono::nanoseconds span) noexcept {
    return span >= never - from && from >= Instant{} ? never : from + span;
}

}  // namespace ringlet::detail
