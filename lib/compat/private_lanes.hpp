// PrivateLanes: the lanes that one of the program's easy handles has to itself.
#pragma once

#include "cache/cache.hpp"
#include "cache/lease.hpp"
#include "lane/lane_key.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringlet::detail {

/// They count in the cache as others do, and end with their handle. Used by one thread at a time, as the
/// handle itself.
class PrivateLanes {
  public:
    PrivateLanes() noexcept;

    /// Unique in the process. A line of each of their keys: so nobody else asks for one.
    std::uint64_t id() const noexcept { return id_; }
    /// A lane of that key is about to be lent. Throws std::bad_alloc.
    void remember(const LaneKey& key, const Cache& cache);
    bool has(const LaneKey& key) const noexcept;

    /// Keeps a lane lent between two transfers, as many as an easy handle keeps connections: for those that
    /// no other thread may close. Not where a limit could have somebody wait for its place.
    void keep(Lease&& lease) noexcept;
    /// The latest of that key that was kept and can serve another transfer. Those that cannot are set aside.
    Lease take_kept(const LaneKey& key) noexcept;
    /// Closes those that were set aside.
    void close_unfit() noexcept;

    /// Closes those that were kept.
    void close_kept() noexcept;
    /// Closes all that are not in use, those that lie in the cache too.
    void close(Cache& cache) noexcept;
    /// Gives back those that were kept, with their descriptors closed and no function of the program's
    /// called.
    void abandon() noexcept;

  private:
    struct Kept {
        Lease lease;
        Clock::time_point since{};
        CloseReason unfit = CloseReason::none;  // known to be, and why
    };
    static CloseReason judge(Kept& kept) noexcept;
    Lease take(std::size_t index) noexcept;

    const std::uint64_t id_;
    std::vector<LaneKey> keys_;  // of all lanes there may be
    std::array<Kept, 5> kept_;   // the oldest first, then empty ones
};

}  // namespace ringlet::detail
