// Admission: how many lanes each origin holds, who waits for one, and whose turn it is.
#pragma once

#include "policy/ids.hpp"
#include "policy/indexed_heap.hpp"
#include "policy/slots.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace ringlet::detail {

/// Terms: an origin *holds* its lanes from the decision to open them until they are reported closed. Those
/// that are being closed are *leaving*, the others *live*. Waiters are served in the order in which they
/// came, except that one whose own origin is at its limit does not hold up the others.
class Admission {
  public:
    struct Waiter {
        KeyId key = no_id<KeyId>;
        OriginId origin = no_id<OriginId>;
        UserId user = UserId::unknown;
        bool fresh = false;              // takes no used lane
        std::uint64_t seq = 0;           // place in the order of all waiters
        LaneId granted = no_id<LaneId>;  // set when its turn has come
        bool granted_used = false;       // that lane has a connection already
        Links<Ticket> links;
    };

    Admission(std::uint64_t total_limit, std::uint64_t origin_limit) noexcept
        : total_limit_(total_limit), default_limit_(origin_limit) {}

    /// Before the first use of an origin's id, and again when another origin gets it. May allocate.
    void define(OriginId origin, std::optional<std::uint64_t> limit);

    std::uint64_t held() const noexcept { return held_; }
    std::uint64_t held(OriginId origin) const noexcept { return at(origin).held; }
    std::uint64_t limit(OriginId origin) const noexcept { return at(origin).limit; }
    std::size_t waiting() const noexcept { return waiting_; }
    std::size_t waiting(OriginId origin) const noexcept { return at(origin).queue.size(); }

    /// A lane may be opened for it at once.
    bool room(OriginId origin) const noexcept;
    /// Even when all that leaves has left, the origin's limit keeps some of its waiters out.
    bool short_of(OriginId origin) const noexcept;
    /// ... the total limit keeps some waiters out that their origins' limits would let in.
    bool short_of_total() const noexcept;

    void opened(OriginId origin) noexcept;
    void leaves(OriginId origin) noexcept;
    /// It had been leaving or not.
    void closed(OriginId origin, bool had_been_leaving) noexcept;

    /// May allocate.
    Ticket enqueue(KeyId key, OriginId origin, bool fresh);
    /// Takes it out of the order; the ticket stays valid until forget().
    void dequeue(Ticket ticket) noexcept;
    void forget(Ticket ticket) noexcept { waiters_.give_back(ticket); }
    std::optional<Ticket> head(OriginId origin) const noexcept { return at(origin).queue.front(); }
    /// The first whom a place among all lanes would serve (its origin has one to give).
    std::optional<Ticket> first_without_place() const noexcept;
    /// The one to be served now with a lane of its own.
    std::optional<Ticket> next_to_serve() const noexcept;

    Waiter& operator[](Ticket ticket) noexcept { return waiters_[ticket]; }
    const Waiter& operator[](Ticket ticket) const noexcept { return waiters_[ticket]; }
    Slots<Ticket, Waiter>& waiters() noexcept { return waiters_; }

  private:
    struct Origin {
        std::uint64_t limit = 0;
        std::uint64_t held = 0;
        std::uint64_t leaving = 0;  // of held
        std::uint64_t need =
            0;  // its part of need_: waiters whom its own limit lets in once all that leaves has left
        SlotList<Ticket, &Waiter::links> queue;
    };
    Origin& at(OriginId origin) noexcept { return origins_[index_of(origin)]; }
    const Origin& at(OriginId origin) const noexcept { return origins_[index_of(origin)]; }
    /// After every change of an origin.
    void refresh(OriginId id) noexcept;

    std::uint64_t total_limit_;
    std::uint64_t default_limit_;
    std::uint64_t held_ = 0;  // sum over the origins, as are the next three
    std::uint64_t leaving_ = 0;
    std::uint64_t need_ = 0;
    std::size_t waiting_ = 0;
    std::uint64_t next_seq_ = 0;
    std::vector<Origin> origins_;  // by OriginId
    Slots<Ticket, Waiter> waiters_;
    IndexedHeap<OriginId, std::uint64_t>
        eligible_;  // origins with waiters and below their limit, by their head's seq
};

}  // namespace ringlet::detail
