// Lease: the exclusive loan of one lane to one request.
#pragma once

#include "policy/ids.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace ringlet::detail {

class Cache;
class Lane;

/// Move-only. Ended by Cache::release(); one that is dropped instead closes its lane (transfer_error), so
/// that no path can lose a slot.
class Lease {
  public:
    Lease() = default;
    Lease(std::shared_ptr<Cache> cache, Lane* lane, LaneId slot, bool reused) noexcept
        : cache_(std::move(cache)), lane_(lane), slot_(slot), reused_(reused) {}
    Lease(Lease&& other) noexcept
        : cache_(std::move(other.cache_)),
          lane_(std::exchange(other.lane_, nullptr)),
          slot_(other.slot_),
          reused_(other.reused_),
          waited_(other.waited_) {}
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

    explicit operator bool() const noexcept { return lane_ != nullptr; }
    Lane& operator*() const noexcept { return *lane_; }
    Lane* operator->() const noexcept { return lane_; }
    const std::shared_ptr<Cache>& cache() const noexcept { return cache_; }
    /// For one who was acquired with a claim, and goes where its cache may not be kept otherwise.
    void keep_cache() noexcept;
    /// The lane has served a request before this one.
    bool reused() const noexcept { return reused_; }
    LaneId slot() const noexcept { return slot_; }
    /// How long it took to get it, where its turn had to be waited for.
    std::chrono::nanoseconds waited() const noexcept { return waited_; }

  private:
    friend class Cache;
    std::shared_ptr<Cache> cache_;
    Lane* lane_ = nullptr;  // owned by the cache
    LaneId slot_ = no_id<LaneId>;
    bool reused_ = false;
    std::chrono::nanoseconds waited_{};
};

}  // namespace ringlet::detail
