// CachedLane: a lane with what the cache knows of it; Doomed: lanes to be closed.
#pragma once

#include "cache/standby.hpp"
#include "lane/lane.hpp"
#include "policy/ids.hpp"
#include "ringlet/events.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace ringlet::detail {

/// Everything but `lane` is guarded by the cache's mutex until it is doomed. The lane itself belongs to
/// whoever leased it, to the cache while it is idle, and to one closing thread at last.
struct CachedLane {
    CachedLane(std::uint64_t id, const LaneKey& key, Share& share, const LaneSettings& settings)
        : lane(id, key, share, settings) {}

    Lane lane;
    const std::shared_ptr<Standby> standby = std::make_shared<Standby>();
    static constexpr std::size_t nowhere = SIZE_MAX;
    std::size_t on_standby = nowhere;  // its place among those that are
    bool connected = false;            // once true stays true: counted as opened, to be counted as closed
    // As of the last connected() or release(): a snapshot must not read the lane of a request in flight.
    Protocol protocol = Protocol::unknown;
    std::string local_address;
    std::string remote_address;

    // of Doomed
    LaneId slot = no_id<LaneId>;
    CloseReason reason = CloseReason::none;
    std::unique_ptr<CachedLane> next;
};

/// What became of a lane that has been closed.
struct Closed {
    LaneId slot = no_id<LaneId>;
    CloseReason reason = CloseReason::none;
    std::uint64_t id = 0;
    LaneKey key;
    bool was_connected = false;
};

/// A chain of lanes taken out of the cache, in order. Allocates nothing.
class Doomed {
  public:
    Doomed() = default;
    Doomed(Doomed&& other) noexcept
        : first_(std::move(other.first_)), last_(std::exchange(other.last_, nullptr)) {}
    Doomed& operator=(Doomed&& other) noexcept {
        while (!empty()) close_first();
        first_ = std::move(other.first_);
        last_ = std::exchange(other.last_, nullptr);
        return *this;
    }
    ~Doomed() {
        while (!empty()) close_first();  // one by one: a long chain must not recurse
    }

    bool empty() const noexcept { return first_ == nullptr; }
    void add(std::unique_ptr<CachedLane> lane, LaneId slot, CloseReason reason) noexcept {
        lane->slot = slot;
        lane->reason = reason;
        CachedLane* const added = lane.get();
        (first_ ? last_->next : first_) = std::move(lane);
        last_ = added;
    }
    /// Closes its connection.
    Closed close_first() noexcept {
        const auto lane = std::move(first_);
        first_ = std::move(lane->next);
        return {lane->slot, lane->reason, lane->lane.id(), lane->lane.key(), lane->connected};
    }

  private:
    std::unique_ptr<CachedLane> first_;
    CachedLane* last_ = nullptr;  // of a chain that is not empty
};

}  // namespace ringlet::detail
