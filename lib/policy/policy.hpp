// Policy: which lane serves whom, who waits, and what is closed when. Pure decisions: no lock, thread, clock,
// libcurl, I/O.
#pragma once

#include "policy/admission.hpp"
#include "policy/idle_set.hpp"
#include "policy/ids.hpp"
#include "policy/policy_limits.hpp"
#include "policy/slots.hpp"
#include "ringlet/events.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace ringlet::detail {

/// What a request asks for.
struct Want {
    KeyId key = no_id<KeyId>;
    OriginId origin = no_id<OriginId>;
    UserId user = UserId::unknown;
    bool fresh = false;     // a new lane, never a used one
    bool may_wait = true;   // false: only for lanes that are being closed anyway
    bool may_evict = true;  // false: no idle lane is closed for it
};

struct Answer {
    enum class Kind : std::uint8_t {
        reuse,            // `lane`, which was idle, is leased
        open,             // `lane` is a new one, to be connected
        evict_then_open,  // `ticket` gets a new lane as soon as lanes ordered closed (for it or before) are
                          // closed
        wait,             // `ticket` stands in the order
        refuse,           // it would have to wait, and may not
    };
    Kind kind = Kind::refuse;
    LaneId lane = no_id<LaneId>;
    Ticket ticket = no_id<Ticket>;
};

/// A waiter's turn has come. `used`: the lane has a connection; else it is a new one, to be connected.
struct Grant {
    Ticket ticket = no_id<Ticket>;
    LaneId lane = no_id<LaneId>;
    bool used = false;
};

/// An order to close a lane. Its place stays taken until closed() reports that it has been done.
struct Closing {
    LaneId lane = no_id<LaneId>;
    CloseReason reason = CloseReason::none;
};

/// What a request's end says of its lane.
struct Outcome {
    CloseReason close = CloseReason::none;  // none: fit for another request as far as the request knows
    bool served = true;                     // a request was served; false: it was only held
    std::chrono::nanoseconds idle_limit =
        std::chrono::nanoseconds::max();  // the peer's wish, if it told one: can only
                                          // shorten the idle timeout
};

/// The rules of the cache. Its answers come in three ways: as a return value; as grants to waiters; as orders
/// to close. The caller collects the last two by take_grant() and take_closing() after each call.
///
/// Once a lane, a key and an origin are known, nothing allocates and nothing throws. The functions marked
/// "may allocate" may throw std::bad_alloc: then nothing was opened, leased or queued.
class Policy {
  public:
    explicit Policy(const PolicyLimits& limits);

    /// Before the first use of an origin's id, and again when another origin gets it (which is allowed once
    /// no lane or waiter bears it). `limit` overrides PolicyLimits::per_origin. May allocate.
    void define_origin(OriginId origin, std::optional<std::uint64_t> limit = std::nullopt);

    // --- requests
    /// May allocate.
    Answer acquire(const Want& want, Instant now);
    /// That very lane, if it is idle and has not expired: leased. Then as `reuse`.
    bool acquire_again(LaneId lane, Instant now) noexcept;
    /// An idle lane served its last user without the policy's knowledge: so many requests, and perhaps it is
    /// leased for another. If not it has been idle since `since`; idle_limit as in Outcome.
    struct Unseen {
        std::uint64_t served = 0;
        bool leased = false;
        Instant since{};
        std::chrono::nanoseconds idle_limit = std::chrono::nanoseconds::max();
    };
    void catch_up(LaneId lane, const Unseen& unseen) noexcept;
    /// A lane that is to be connected now is: its age counts from here. `jitter` in [0, 1) takes up to 10 %
    /// off its lifetime.
    void connected(LaneId lane, Instant now, double jitter) noexcept;
    /// A leased lane whose holder has served one request and has another: none (it is leased on) or why it
    /// has to come back instead (nothing has changed): also over_limit, while somebody waits for its place.
    CloseReason renew(LaneId lane, Instant now) noexcept;
    /// Somebody waits whom the place of that lane would help in, and none that is being freed.
    bool is_wanted(LaneId lane) const noexcept;
    /// A leased lane: none (it is idle now, or granted to a waiter) or why it was ordered closed.
    CloseReason release(LaneId lane, const Outcome& outcome, Instant now) noexcept;
    /// A lane that was lent but not used yet turned out to be dead. Its holder keeps its place: the answer is
    /// `reuse` of the key's next idle lane, or `open` of the same lane id, to be connected after closed() has
    /// been called for it.
    Answer dead(LaneId lane, CloseReason why, Instant now) noexcept;
    /// A waiter gives up before its turn.
    void cancel(Ticket ticket) noexcept;
    /// One whose turn had come gives up: the grant goes on to the next.
    void hand_on(LaneId lane, bool used, Instant now) noexcept;

    // --- closing
    /// The next order to close, if any.
    std::optional<Closing> take_closing() noexcept;
    bool has_closings() const noexcept { return !closings_.empty(); }
    std::optional<Grant> take_grant() noexcept;
    bool has_grants() const noexcept { return !grants_.empty(); }
    /// An order to close has been carried out; or a lane that was to be connected never got a socket.
    void closed(LaneId lane) noexcept;

    // --- idle lanes
    /// Orders closed whatever has expired by `now`.
    void expire(Instant now) noexcept;
    /// When expire() will have something to do; `never` if nothing is idle.
    Instant next_expiry() const noexcept;
    /// An idle lane must not be lent any more.
    void discard(LaneId lane, CloseReason why) noexcept;
    /// Closes idle lanes that have been idle since `latest` or longer; how many.
    std::size_t close_idle(Instant latest) noexcept;
    std::size_t close_idle(OriginId origin) noexcept;
    std::size_t close_idle(KeyId key) noexcept;
    /// Leased lanes, and those being connected, are closed when they come back (reason: evicted).
    void outdate() noexcept { ++generation_; }
    void outdate(OriginId origin) noexcept { ++generations_[index_of(origin)]; }
    /// From now on no lane becomes idle (reason: shutdown); waiters are still served. Closes what is idle.
    void retire() noexcept;
    bool retired() const noexcept { return retired_; }

    // --- what there is
    std::uint64_t count(ConnectionState state) const noexcept {
        return counts_[static_cast<std::size_t>(state)];
    }
    /// In any state.
    std::uint64_t open() const noexcept { return admission_.held(); }
    std::uint64_t open(OriginId origin) const noexcept { return admission_.held(origin); }
    std::uint64_t limit(OriginId origin) const noexcept { return admission_.limit(origin); }
    std::size_t waiting() const noexcept { return admission_.waiting(); }
    std::size_t waiting(OriginId origin) const noexcept { return admission_.waiting(origin); }
    const IdleSet& idle() const noexcept { return idle_; }
    /// Which idle lane acquire() would lend to that user.
    std::optional<LaneId> choose(KeyId key, UserId user, Instant now) const noexcept;

    struct Lane {
        bool in_use = false;  // the rest means something
        ConnectionState state = ConnectionState::connecting;
        bool replaced = false;  // being closed to be connected anew by its holder, who keeps the place
        CloseReason reason = CloseReason::none;  // why it is closing
        KeyId key = no_id<KeyId>;
        OriginId origin = no_id<OriginId>;
        UserId user = UserId::unknown;        // the last to ask for it
        std::uint64_t generation = 0;         // of the cache and
        std::uint64_t origin_generation = 0;  // of the origin when it was opened
        std::uint64_t requests = 0;           // served
        Instant created{};
        Instant lifetime_end = never;
        std::chrono::nanoseconds idle_limit = std::chrono::nanoseconds::max();
        Links<LaneId> closing_links;
    };
    const Lane& lane(LaneId lane) const noexcept { return lanes_[lane]; }
    /// Lane ids are below this.
    std::size_t lanes() const noexcept { return lanes_.size(); }

  private:
    LaneId open_lane(KeyId key, OriginId origin);
    void start(Lane& lane) noexcept;
    void set_state(Lane& lane, ConnectionState state) noexcept;
    Answer lease(LaneId lane, UserId user) noexcept;
    void discard_expired(KeyId key, Instant now) noexcept;
    void make_room(OriginId origin, Instant now) noexcept;
    void order_closed(LaneId lane, CloseReason why) noexcept;
    void evict(LaneId lane, Instant now) noexcept;
    CloseReason unfit(const Lane& lane, Instant now) const noexcept;
    bool crowded(OriginId origin) const noexcept;
    CloseReason place(LaneId lane, Instant now) noexcept;
    void insert_idle(LaneId lane, Instant since) noexcept;
    void keep(LaneId lane, Instant now) noexcept;
    void grant(Ticket ticket, LaneId lane, bool used) noexcept;
    void serve_waiters() noexcept;
    CloseReason expiry_reason(LaneId lane) const noexcept;

    PolicyLimits limits_;
    Admission admission_;
    IdleSet idle_;
    Slots<LaneId, Lane> lanes_;
    std::array<std::uint64_t, 4> counts_{};   // lanes by ConnectionState
    std::vector<std::uint64_t> generations_;  // by OriginId
    std::uint64_t generation_ = 0;
    bool retired_ = false;                                // once true stays true
    SlotList<LaneId, &Lane::closing_links> closings_;     // ordered, not yet collected
    SlotList<Ticket, &Admission::Waiter::links> grants_;  // granted, not yet collected
};

}  // namespace ringlet::detail
