// Cache: executes the policy's answers, under a mutex; joins policy and lanes.
#pragma once

#include "base/fork.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "cache/cached_lane.hpp"
#include "cache/crowd.hpp"
#include "cache/fork_guard.hpp"
#include "cache/key_table.hpp"
#include "cache/lease.hpp"
#include "cache/settings.hpp"
#include "cache/standby.hpp"
#include "cache/teller.hpp"
#include "lane/lane.hpp"
#include "lane/share.hpp"
#include "policy/policy.hpp"
#include "ringlet/connection_cache.hpp"
#include "ringlet/error.hpp"
#include "ringlet/events.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet::detail {

class Janitor;
using Clock = std::chrono::steady_clock;

/// How acquire() may go about it. The cache's own acquire_timeout is applied by the cache.
struct AcquireLimits {
    Clock::time_point deadline =
        Clock::time_point::max();  // the request's own: Errc::timeout when it ends the wait
    std::stop_token stop;          // Errc::cancelled
    bool fresh = false;            // a new connection, never an idle one (a replay)
    bool continuation = false;  // the request holds a Continuation: also while the cache is being shut down
    bool prewarm = false;  // fresh, for no request: it neither waits (Errc::acquire_timeout) nor evicts, and
                           // is not counted
};

/// How a request left its lane: what the policy's Outcome is made of.
struct Verdict {
    CloseReason close = CloseReason::none;                  // none: keep it if the policy agrees
    std::optional<std::chrono::seconds> keep_alive_hint{};  // Keep-Alive: timeout=N
    bool served = true;  // false: the connection carried no request (prewarm)
};

/// Thread-safe. Held by shared_ptr: a lease keeps it alive, or its holder does, so the cache outlives its
/// lanes.
///
/// Every step has the same shape: under the mutex ask the policy, and take out what it orders closed; after
/// it close, log and notify. Nothing that can block or call the user happens under the mutex. Only a lane on
/// standby is lent and given back without it: see Standby.
class Cache : public std::enable_shared_from_this<Cache> {
  public:
    /// Settings have been validated.
    static std::shared_ptr<Cache> create(CacheSettings settings);
    ~Cache();
    Cache(const Cache&) = delete;
    Cache& operator=(const Cache&) = delete;

    const CacheSettings& settings() const noexcept { return settings_; }
    Log& log() noexcept { return log_; }

    /// Lends an idle lane that passed its check, or a new one; waits for a slot in turn. Throws Error:
    /// acquire_timeout, timeout, cancelled, cache_closed; phase acquire. The server is not contacted by it.
    /// With a claim it is the lane that its holder had last, if that came back a moment ago: see Standby.
    /// Such a lease does not keep the cache alive: that is up to the holder (Lease::keep_cache()).
    Lease acquire(const LaneKey& key, const AcquireLimits& limits = {}, Claim* claim = nullptr);
    /// As acquire(), for one who has had a lane of that key before: the same, if it is idle still. Nothing:
    /// ask for any.
    Lease acquire_again(const LaneKey& key, LaneId slot, std::uint64_t connection_id);
    /// The lane's connection is established: connecting -> leased; counts and tells of `opened`. Once for
    /// each new lane (a lane whose connection is replaced inside libcurl says so again: closed with
    /// peer_closed, then opened).
    void connected(Lease& lease) noexcept;
    void reconnected(Lease& lease, CloseReason why) noexcept;
    /// The loan's request is over, and its holder has another one for it: as a release and another acquire,
    /// but the lane is nobody else's in between. none, or why it has to come back: somebody may be waiting
    /// for its place.
    CloseReason renew(Lease& lease) noexcept;
    /// Somebody waits who needs that place.
    bool is_wanted(const Lease& lease) const noexcept;
    /// Called by each one who has to wait, before it sleeps, with no lock held: whoever holds leases without
    /// need can give them back. One who does not want to wait is still one who has to.
    void when_somebody_waits(void (*look)() noexcept) noexcept { look_for_a_place_.store(look); }
    /// Ends the loan. What became of the lane: none (it is kept idle or was handed to a waiter) or why it was
    /// closed.
    CloseReason release(Lease&& lease, const Verdict& verdict, Claim* claim = nullptr) noexcept;
    /// Counts and tells of a replay / of a response dropped unread.
    void count_replay(const Lease& lease) noexcept;
    void count_dropped(const Lease& lease) noexcept;

    CacheStats stats() const;
    std::vector<ConnectionInfo> connections() const;
    Explanation explain(const LaneKey& key) const;
    std::size_t close_idle(Duration idle_for);   // zero: all, and leased ones when they come back
    std::size_t evict(std::string_view origin);  // normalised
    /// Closes the idle lanes of that key, for one who has it alone and has no more use for them.
    std::size_t close_idle_of(const LaneKey& key) noexcept;
    /// There is a lane of that key, or somebody waits for one.
    bool knows(const LaneKey& key) const noexcept;
    /// See ConnectionCache::shutdown(). Waits for leases in flight; those that are left when the grace is
    /// over are interrupted (Lane::interrupt()) and given a second to come back.
    void shutdown(Duration grace);
    bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
    /// Set when shutdown()'s grace is over.
    std::stop_token shutdown_token() const noexcept { return stopping_.get_token(); }
    std::size_t idle_for(const LaneKey& key) const;
    /// For Continuation.
    void begin_continuation() noexcept;
    void end_continuation() noexcept;

    /// The last user-facing handle is gone: idle connections are closed now, leased ones when they come back.
    void abandon() noexcept;

  private:
    friend class Janitor;
    struct Waiter;
    struct Waker;
    struct Entry {
        std::uint64_t id = 0;  // of the connection; set with the policy's decision to open it
        std::uint64_t epoch =
            0;  // counts loans, and never falls: tells the janitor's view of a lane from a later one
        KeyId key = no_id<KeyId>;          // held in keys_
        std::unique_ptr<CachedLane> held;  // null: being made, or closed
    };
    /// What acquire() has got so far.
    struct Turn {
        Answer::Kind kind = Answer::Kind::refuse;
        LaneId slot = no_id<LaneId>;
        CachedLane* held = nullptr;  // null: to be made
        std::uint64_t id = 0;
        bool served_before = false;
        Share* share = nullptr;
    };
    struct Wait {
        std::optional<Turn> turn;  // nullopt: in vain
        Errc end{};                // ... for this reason
        std::chrono::nanoseconds took{};
        Crowd crowd;  // as it was then; not filled for cache_closed
    };
    /// What the janitor polls.
    struct Watched {
        int fd = -1;
        Protocol protocol = Protocol::unknown;
        LaneId slot = no_id<LaneId>;
        std::uint64_t epoch = 0;
    };
    struct Round {
        Instant next_expiry = never;
        bool again = false;  // some idle lanes were too young to be watched
    };

    explicit Cache(CacheSettings settings);

    // acquire.cpp
    Turn ask(const LaneKey& key, const AcquireLimits& limits, Waiter& waiter);
    Turn ask_locked(const Want& want, Waiter& waiter) RINGLET_REQUIRES(mutex_);
    void define_origin_locked(OriginId origin, std::string_view name) RINGLET_REQUIRES(mutex_);
    Turn lend_locked(LaneId slot) RINGLET_REQUIRES(mutex_);
    Turn open_locked(LaneId slot, KeyId key) RINGLET_REQUIRES(mutex_);
    Turn queue_locked(const Answer& answer, Waiter& waiter) RINGLET_REQUIRES(mutex_);
    Turn replace_dead(const Turn& turn, CloseReason why);
    Lease take_lease(Turn turn, const LaneKey& key, Claim* claim);
    Lease open_lane(const Turn& turn, const LaneKey& key, Claim* claim);
    void register_locked(LaneId slot, KeyId key) noexcept RINGLET_REQUIRES(mutex_);
    void put_back_locked(LaneId slot, bool used) noexcept RINGLET_REQUIRES(mutex_);
    void tell_lent(const Turn& turn, const LaneKey& key) noexcept;
    // standby.cpp
    std::shared_ptr<Cache> owner_for(const Claim* claim) noexcept;
    Lease lend_again(const LaneKey& key, Claim& claim, Instant now);
    bool return_to_standby(const Lane* lane, const Verdict& verdict, Claim& claim) noexcept;
    void begin_standby_locked(LaneId slot, Claim& claim, Instant now) noexcept RINGLET_REQUIRES(mutex_);
    void settle_locked(LaneId slot) noexcept RINGLET_REQUIRES(mutex_);
    void settle_before_keeping_locked(LaneId slot) noexcept RINGLET_REQUIRES(mutex_);
    void settle_all_locked() noexcept RINGLET_REQUIRES(mutex_);
    void note_missed_locked(LaneId slot, CachedLane& held) noexcept RINGLET_REQUIRES(mutex_);
    std::chrono::nanoseconds idle_limit_of(const Verdict& verdict) const noexcept;
    // wait.cpp
    Turn wait_turn(Waiter& waiter, const LaneKey& key, const AcquireLimits& limits, bool soon);
    std::optional<Turn> turn_that_came(Waiter& waiter);
    static Errc end_of(const Waiter& waiter, bool by_deadline) noexcept;
    Wait wait_until_turn(Waiter& waiter, const AcquireLimits& limits, Instant until);
    std::optional<Turn> taken_up_locked(Waiter& waiter) RINGLET_REQUIRES(mutex_);
    void sleep_locked(Waiter& waiter, Instant until, Lock& lock) RINGLET_REQUIRES(mutex_);
    void leave_locked(Waiter& waiter) noexcept RINGLET_REQUIRES(mutex_);
    void drop_waiter_locked(Waiter& waiter) noexcept RINGLET_REQUIRES(mutex_);
    void deliver_grants_locked() noexcept RINGLET_REQUIRES(mutex_);
    // crowd.cpp
    Crowd crowd_locked(KeyId key) const RINGLET_REQUIRES(mutex_);
    [[noreturn]] void refuse(Errc code, const LaneKey& key, std::chrono::nanoseconds waited,
                             const Crowd& crowd) const;

    // lend.cpp
    bool note_connected(const Lease& lease, CloseReason old_one) noexcept;
    Outcome outcome_of(const Verdict& verdict, const CachedLane& held) const noexcept;
    CachedLane* held_locked(const Lane* lane, LaneId slot) const noexcept RINGLET_REQUIRES(mutex_);
    double jitter_locked() noexcept RINGLET_REQUIRES(mutex_);
    void tell_of(const Lease& lease, Event::Kind kind, CloseReason reason = CloseReason::none) noexcept;
    // closing.cpp
    Doomed take_doomed_locked() noexcept RINGLET_REQUIRES(mutex_);
    void carry_out(Doomed&& doomed) noexcept RINGLET_EXCLUDES(mutex_);
    void tell_closed(const Closed& closed) noexcept RINGLET_EXCLUDES(mutex_);
    void report_closed_locked(const Closed& closed) noexcept RINGLET_REQUIRES(mutex_);
    void count_closed_locked(CloseReason why) noexcept RINGLET_REQUIRES(mutex_);
    // shutdown.cpp
    bool quiet_locked() const RINGLET_REQUIRES(mutex_) {
        return policy_.open() == 0 && policy_.waiting() == 0 && continuations_ == 0;
    }
    bool wait_quiet(Instant until) RINGLET_EXCLUDES(mutex_);
    void interrupt_all() RINGLET_EXCLUDES(mutex_);
    // snapshot.cpp, explain.cpp
    ConnectionInfo info_locked(LaneId slot, Instant now) const RINGLET_REQUIRES(mutex_);
    std::string why_not_locked(LaneId slot, const LaneKey& key, Instant now) const RINGLET_REQUIRES(mutex_);
    std::string without_reuse_locked(const LaneKey& key) const RINGLET_REQUIRES(mutex_);
    // watch.cpp: the last two are for the janitor
    void watch_idle_locked(LaneId slot) noexcept RINGLET_REQUIRES(mutex_);
    bool start_janitor_locked() noexcept RINGLET_REQUIRES(mutex_);
    void wake_janitor_locked() noexcept RINGLET_REQUIRES(mutex_);
    Round idle_round(std::vector<Watched>& watched, Instant now, std::chrono::nanoseconds young)
        RINGLET_EXCLUDES(mutex_);
    /// True: some of them had been lent meanwhile.
    bool lanes_ready(std::span<const Watched> ready) noexcept RINGLET_EXCLUDES(mutex_);
    // inherited.cpp
    /// After each taking of the mutex: a forked child begins with an empty cache.
    void notice_fork() const noexcept RINGLET_REQUIRES(mutex_) {
        if (generation_ != fork_generation()) const_cast<Cache*>(this)->drop_inherited_locked();
    }
    /// As notice_fork(), for one who is going to look at idle lanes, or lanes in general.
    void catch_up_locked() const noexcept RINGLET_REQUIRES(mutex_) {
        notice_fork();
        if (!standbys_.empty()) const_cast<Cache*>(this)->settle_all_locked();
    }
    void drop_inherited_locked() noexcept RINGLET_REQUIRES(mutex_);
    void bury_inherited_locked(const Lane* lane) noexcept RINGLET_REQUIRES(mutex_);
    // cache.cpp
    static PolicyLimits limits_of(const CacheSettings& settings) noexcept;

    const CacheSettings settings_;
    Log log_;
    Teller teller_;
    LaneSettings lane_settings_;
    std::atomic<void (*)() noexcept> look_for_a_place_{nullptr};

    mutable Mutex mutex_;
    std::unique_ptr<Share> share_ RINGLET_GUARDED_BY(mutex_);  // another one in a forked child
    Policy policy_ RINGLET_GUARDED_BY(mutex_);
    KeyTable keys_ RINGLET_GUARDED_BY(mutex_);
    std::vector<Entry> entries_ RINGLET_GUARDED_BY(mutex_);    // by LaneId
    std::vector<LaneId> standbys_ RINGLET_GUARDED_BY(mutex_);  // lanes; none while somebody waits
    std::vector<Waiter*> waiters_ RINGLET_GUARDED_BY(mutex_);  // by Ticket; on the stacks of their threads
    std::size_t blocked_ RINGLET_GUARDED_BY(mutex_) = 0;       // waiters that sleep
    CacheStats totals_ RINGLET_GUARDED_BY(mutex_);             // only the counters since the start
    std::minstd_rand random_ RINGLET_GUARDED_BY(mutex_);
    std::size_t continuations_ RINGLET_GUARDED_BY(mutex_) = 0;
    std::unique_ptr<std::condition_variable> quiet_
        RINGLET_GUARDED_BY(mutex_);                         // once closed_: something has ended
    std::atomic<bool> closed_{false};                       // written under mutex_; once true stays true
    bool interrupting_ RINGLET_GUARDED_BY(mutex_) = false;  // once true stays true: the grace is over
    std::stop_source stopping_;
    std::unique_ptr<Janitor> janitor_ RINGLET_GUARDED_BY(mutex_);
    bool janitor_told_ RINGLET_GUARDED_BY(mutex_) = false;  // it will look again without being told
    Instant next_janitor_ RINGLET_GUARDED_BY(mutex_){};     // starting one failed: not before this

    std::uint64_t generation_ RINGLET_GUARDED_BY(mutex_);  // of fork(), that all of this belongs to
    /// Of the parent process, in a child: lent when it forked. They are kept until their leases come back, if
    /// ever.
    std::vector<std::unique_ptr<CachedLane>> inherited_ RINGLET_GUARDED_BY(mutex_);
    std::vector<Closed> forked_ RINGLET_GUARDED_BY(mutex_);  // to be told of with the next request

    ForkGuard fork_guard_{mutex_};
};

}  // namespace ringlet::detail
