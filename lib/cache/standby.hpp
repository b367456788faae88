// Standby: an idle lane that its last holder may take again without the cache's mutex; Claim: that holder's
// side of it. Header only.
#pragma once

#include "lane/lane_key.hpp"
#include "policy/ids.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace ringlet::detail {

struct CachedLane;

/// One for each lane. To the tables of the cache a lane on standby is idle, and so it counts for every limit;
/// whether it is lent at the moment, and how often it was, stands in one word of its own. Whoever wants to
/// decide about idle lanes ends all standbys first, under the cache's mutex, and has the tables learn what
/// they missed (Cache::settle_locked()). A word that was changed under a holder sends it to the mutex too.
class Standby {
  public:
    /// What the tables missed.
    struct Missed {
        std::uint64_t loans = 0;
        bool lent = false;                              // the last of them has not ended
        std::chrono::steady_clock::time_point since{};  // else: when it did
        std::chrono::nanoseconds idle_limit{};          // as Policy::Unseen has it
    };

    // --- under the cache's mutex
    /// By the thread that gives the lane back. The number is its claim's.
    std::uint32_t begin(std::chrono::steady_clock::time_point now) noexcept {
        since_ = now;
        idle_limit_.store(std::chrono::nanoseconds::max(), std::memory_order_relaxed);
        word_.store(word(++number_, 0, idle), std::memory_order_release);
        return number_;
    }
    /// From now on only the cache lends it.
    Missed end() noexcept {
        const auto last = word_.exchange(off, std::memory_order_acq_rel);
        const bool is_lent = (last & states) == lent;
        return {.loans = loans_of(last),
                .lent = is_lent,
                .since = is_lent ? std::chrono::steady_clock::time_point{} : since_,
                .idle_limit = idle_limit_.load(std::memory_order_relaxed)};
    }

    // --- by the holder of the claim, with nothing held
    /// False: it is no standby any more.
    bool lend(std::uint32_t number, std::uint32_t loans) noexcept {
        auto expected = word(number, loans, idle);
        return word_.compare_exchange_strong(expected, word(number, loans + 1, lent),
                                             std::memory_order_acquire, std::memory_order_relaxed);
    }
    bool give_back(std::uint32_t number, std::uint32_t loans, std::chrono::steady_clock::time_point now,
                   std::chrono::nanoseconds idle_limit) noexcept {
        since_ = now;  // nobody else looks at it while the lane is lent
        if (idle_limit != std::chrono::nanoseconds::max())
            idle_limit_.store(idle_limit, std::memory_order_relaxed);
        auto expected = word(number, loans, lent);
        return word_.compare_exchange_strong(expected, word(number, loans, idle), std::memory_order_release,
                                             std::memory_order_relaxed);
    }

    static constexpr std::uint32_t most_loans = (std::uint32_t{1} << 30) - 1;

  private:
    static constexpr std::uint64_t off = 0, idle = 1, lent = 2, states = 3;
    static std::uint64_t word(std::uint32_t number, std::uint32_t loans, std::uint64_t state) noexcept {
        return std::uint64_t{number} << 32 | std::uint64_t{loans} << 2 | state;
    }
    static std::uint64_t loans_of(std::uint64_t word) noexcept { return (word >> 2) & most_loans; }

    std::atomic<std::uint64_t> word_{off};  // number, loans, state
    std::uint32_t number_ = 0;              // of standbys begun
    std::chrono::steady_clock::time_point since_{};
    std::atomic<std::chrono::nanoseconds> idle_limit_{std::chrono::nanoseconds::max()};
};

/// What one who had a lane knows of it, to have it again. Used by one thread at a time. It may outlive the
/// lane, and the cache.
class Claim {
  public:
    /// What holds while its lane is on standby.
    struct Terms {
        UserId user = UserId::unknown;
        std::uint64_t fork_generation = 0;
        std::uint64_t loans = 0;                      // at most so many
        std::chrono::nanoseconds window{};            // between two of them at most
        std::chrono::steady_clock::time_point end{};  // of lending, and of giving back
    };

    /// Its holder has been lent that lane: by the cache, or by take().
    void bind(const void* cache, const std::shared_ptr<Standby>& standby, CachedLane* held, LaneId slot,
              std::uint64_t id, const LaneKey& key) noexcept {
        again_ = standby_ == standby;
        if (!again_) {
            lent_ = false;
            cache_ = cache;
            standby_ = standby;
            held_ = held;
            slot_ = slot;
            id_ = id;
            key_ = key;
        }
        if (!lent_) standing_ = false;
    }
    /// The lane was lent to the claim's holder twice in a row: such a one will want it again.
    bool worth_standby(const CachedLane* held) const noexcept { return again_ && held == held_; }
    void begin(const Terms& terms, std::chrono::steady_clock::time_point now) noexcept {
        terms_ = terms;
        number_ = standby_->begin(now);
        loans_ = 0;
        since_ = now;
        standing_ = true;
        lent_ = false;
    }

    /// False: ask the cache for a lane.
    bool take(const void* cache, const LaneKey& key, UserId user, std::uint64_t fork_generation,
              std::chrono::steady_clock::time_point now) noexcept {
        const bool stands = std::exchange(standing_, false);
        lent_ = false;
        if (!stands || cache != cache_ || user != terms_.user || fork_generation != terms_.fork_generation)
            return false;
        if (now - since_ >= terms_.window || now >= terms_.end || loans_ >= terms_.loans) return false;
        lent_ = key == key_ && standby_->lend(number_, loans_);
        standing_ = lent_;
        if (lent_) ++loans_;
        return lent_;
    }
    /// False: the cache has to know.
    bool give_back(std::uint64_t fork_generation, std::chrono::steady_clock::time_point now,
                   std::chrono::nanoseconds idle_limit) noexcept {
        lent_ = false;
        standing_ = fork_generation == terms_.fork_generation && now < terms_.end &&
                    idle_limit > std::chrono::nanoseconds::zero() &&
                    standby_->give_back(number_, loans_, now, idle_limit);
        since_ = now;
        return standing_;
    }

    /// take() lent it, and it has not been given back.
    bool lent() const noexcept { return lent_; }
    CachedLane* held() const noexcept { return held_; }
    LaneId slot() const noexcept { return slot_; }
    std::uint64_t id() const noexcept { return id_; }

  private:
    const void* cache_ = nullptr;  // compared only
    std::shared_ptr<Standby> standby_;
    CachedLane* held_ = nullptr;  // there only while it is lent to the holder
    LaneId slot_ = no_id<LaneId>;
    std::uint64_t id_ = 0;  // of the connection
    LaneKey key_;
    bool again_ = false;
    bool standing_ = false;  // the rest means something
    bool lent_ = false;      // ... by take()
    Terms terms_;
    std::uint32_t number_ = 0, loans_ = 0;
    std::chrono::steady_clock::time_point since_{};
};

}  // namespace ringlet::detail
