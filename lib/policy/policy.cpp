#include "policy/policy.hpp"

#include <algorithm>

namespace ringlet::detail {

Policy::Policy(const PolicyLimits& limits) : limits_(limits), admission_(limits.total, limits.per_origin) {}

void Policy::define_origin(OriginId origin, std::optional<std::uint64_t> limit) {
    grow_to_hold(generations_, origin);
    admission_.define(origin, limit);
}

// --- requests

// An idle lane is there only when no waiter needs it (see place() and make_room()), and a place only when no
// waiter may have it (see serve_waiters()): whoever finds one overtakes nobody.
Answer Policy::acquire(const Want& want, Instant now) {
    idle_.prepare(want.key, want.origin);
    discard_expired(want.key, now);
    if (!want.fresh) {
        if (const auto lane = choose(want.key, want.user, now)) return lease(*lane, want.user);
    }
    if (admission_.room(want.origin)) {
        const LaneId lane = open_lane(want.key, want.origin);
        lanes_[lane].user = want.user;
        return {.kind = Answer::Kind::open, .lane = lane};
    }
    const Ticket ticket = admission_.enqueue(want.key, want.origin, want.fresh);
    admission_[ticket].user = want.user;
    if (want.may_evict) make_room(want.origin, now);
    const bool soon = !crowded(want.origin);
    if (!soon && !want.may_wait) {
        cancel(ticket);
        return {};
    }
    return {.kind = soon ? Answer::Kind::evict_then_open : Answer::Kind::wait, .ticket = ticket};
}

bool Policy::acquire_again(LaneId lane, Instant now) noexcept {
    if (lanes_[lane].state != ConnectionState::idle || idle_.until(lane) <= now) return false;
    lease(lane, lanes_[lane].user);
    return true;
}

void Policy::catch_up(LaneId lane, const Unseen& unseen) noexcept {
    Lane& l = lanes_[lane];
    l.requests += unseen.served;
    if (unseen.idle_limit != std::chrono::nanoseconds::max()) l.idle_limit = unseen.idle_limit;
    idle_.erase(lane);
    if (unseen.leased) {
        set_state(l, ConnectionState::leased);
    } else {
        insert_idle(lane, unseen.since);
    }
}

void Policy::connected(LaneId lane, Instant now, double jitter) noexcept {
    Lane& l = lanes_[lane];
    if (l.state == ConnectionState::connecting) set_state(l, ConnectionState::leased);
    l.created = now;
    l.requests = 0;
    if (limits_.max_lifetime == std::chrono::nanoseconds::max()) return;
    const double nanoseconds = static_cast<double>(limits_.max_lifetime.count()) * (1.0 - 0.1 * jitter);
    l.lifetime_end = later(now, std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds)));
}

CloseReason Policy::renew(LaneId lane, Instant now) noexcept {
    Lane& l = lanes_[lane];
    ++l.requests;
    CloseReason why = unfit(l, now);
    if (why == CloseReason::none && is_wanted(lane)) why = CloseReason::over_limit;
    if (why != CloseReason::none) --l.requests;
    return why;
}

bool Policy::is_wanted(LaneId lane) const noexcept {
    return crowded(lanes_[lane].origin);
}

bool Policy::crowded(OriginId origin) const noexcept {
    return admission_.short_of(origin) || admission_.short_of_total();
}

CloseReason Policy::release(LaneId lane, const Outcome& outcome, Instant now) noexcept {
    Lane& l = lanes_[lane];
    if (outcome.served) ++l.requests;
    if (outcome.idle_limit != std::chrono::nanoseconds::max()) l.idle_limit = outcome.idle_limit;
    CloseReason why = outcome.close != CloseReason::none ? outcome.close : unfit(l, now);
    if (why == CloseReason::none) why = place(lane, now);
    if (why != CloseReason::none) order_closed(lane, why);
    return why;
}

Answer Policy::dead(LaneId lane, CloseReason why, Instant now) noexcept {
    discard_expired(lanes_[lane].key, now);
    const UserId user = lanes_[lane].user;
    if (const auto next = choose(lanes_[lane].key, user, now)) {
        order_closed(lane, why);
        return lease(*next, user);
    }
    Lane& l = lanes_[lane];
    l.replaced = true;
    order_closed(lane, why);
    return {.kind = Answer::Kind::open, .lane = lane};
}

void Policy::cancel(Ticket ticket) noexcept {
    admission_.dequeue(ticket);
    admission_.forget(ticket);
}

void Policy::hand_on(LaneId lane, bool used, Instant now) noexcept {
    if (used) {
        release(lane, {.served = false}, now);
    } else {
        closed(lane);
    }
}

// --- closing

std::optional<Closing> Policy::take_closing() noexcept {
    const auto lane = closings_.pop_front(lanes_);
    if (!lane) return std::nullopt;
    return Closing{*lane, lanes_[*lane].reason};
}

std::optional<Grant> Policy::take_grant() noexcept {
    const auto ticket = grants_.pop_front(admission_.waiters());
    if (!ticket) return std::nullopt;
    const auto& waiter = admission_[*ticket];
    const Grant grant{*ticket, waiter.granted, waiter.granted_used};
    admission_.forget(*ticket);
    return grant;
}

void Policy::closed(LaneId lane) noexcept {
    Lane& l = lanes_[lane];
    if (l.replaced) {
        start(l);
        return;
    }
    --counts_[static_cast<std::size_t>(l.state)];
    l.in_use = false;
    lanes_.give_back(lane);
    admission_.closed(l.origin, l.state == ConnectionState::closing);
    serve_waiters();
}

void Policy::order_closed(LaneId lane, CloseReason why) noexcept {
    Lane& l = lanes_[lane];
    if (l.state == ConnectionState::idle) idle_.erase(lane);
    l.reason = why;
    set_state(l, ConnectionState::closing);
    closings_.push_back(lanes_, lane);
    if (!l.replaced) admission_.leaves(l.origin);
}

// --- idle lanes

void Policy::expire(Instant now) noexcept {
    for (auto lane = idle_.earliest(); lane && idle_.until(*lane) <= now; lane = idle_.earliest()) {
        order_closed(*lane, expiry_reason(*lane));
    }
}

Instant Policy::next_expiry() const noexcept {
    const auto lane = idle_.earliest();
    return lane ? idle_.until(*lane) : never;
}

void Policy::discard(LaneId lane, CloseReason why) noexcept {
    order_closed(lane, why);
}

std::size_t Policy::close_idle(Instant latest) noexcept {
    std::size_t n = 0;
    for (auto lane = idle_.oldest(); lane && idle_.since(*lane) <= latest; lane = idle_.oldest(), ++n) {
        order_closed(*lane, CloseReason::evicted);
    }
    return n;
}

std::size_t Policy::close_idle(OriginId origin) noexcept {
    std::size_t n = 0;
    for (auto lane = idle_.oldest(origin); lane; lane = idle_.oldest(origin), ++n) {
        order_closed(*lane, CloseReason::evicted);
    }
    return n;
}

std::size_t Policy::close_idle(KeyId key) noexcept {
    std::size_t n = 0;
    for (auto lane = idle_.oldest(key); lane; lane = idle_.oldest(key), ++n) {
        order_closed(*lane, CloseReason::evicted);
    }
    return n;
}

void Policy::retire() noexcept {
    retired_ = true;
    for (auto lane = idle_.oldest(); lane; lane = idle_.oldest()) order_closed(*lane, CloseReason::shutdown);
}

/// All of that key, wherever a peer's hint or a lifetime has put their ends.
void Policy::discard_expired(KeyId key, Instant now) noexcept {
    if (next_expiry() > now) return;
    for (auto lane = idle_.newest(key); lane;) {
        const LaneId looked_at = *lane;
        lane = idle_.older_of_key(looked_at);
        if (idle_.until(looked_at) <= now) order_closed(looked_at, expiry_reason(looked_at));
    }
}

/// Closes idle lanes until every waiter that they keep out has a place coming.
void Policy::make_room(OriginId origin, Instant now) noexcept {
    while (admission_.short_of(origin)) {
        const auto victim = idle_.oldest(origin);
        if (!victim) break;
        evict(*victim, now);
    }
    while (admission_.short_of_total()) {
        const auto victim = idle_.oldest();
        if (!victim) break;
        evict(*victim, now);
    }
}

void Policy::evict(LaneId lane, Instant now) noexcept {
    order_closed(lane, idle_.until(lane) <= now ? expiry_reason(lane) : CloseReason::over_limit);
}

CloseReason Policy::expiry_reason(LaneId lane) const noexcept {
    return lanes_[lane].lifetime_end <= idle_.until(lane) ? CloseReason::lifetime : CloseReason::expired;
}

// --- steps

LaneId Policy::open_lane(KeyId key, OriginId origin) {
    const LaneId lane = lanes_.take();
    try {
        idle_.prepare(lane);
    } catch (...) {
        lanes_.give_back(lane);
        throw;
    }
    Lane& l = lanes_[lane];
    l.in_use = true;
    l.key = key;
    l.origin = origin;
    ++counts_[static_cast<std::size_t>(ConnectionState::connecting)];
    start(l);
    admission_.opened(origin);
    return lane;
}

/// Its place is taken, and nothing has happened on it yet.
void Policy::start(Lane& lane) noexcept {
    set_state(lane, ConnectionState::connecting);
    lane.replaced = false;
    lane.reason = CloseReason::none;
    lane.generation = generation_;
    lane.origin_generation = generations_[index_of(lane.origin)];
    lane.requests = 0;
    lane.created = {};
    lane.lifetime_end = never;
    lane.idle_limit = std::chrono::nanoseconds::max();
}

void Policy::set_state(Lane& lane, ConnectionState state) noexcept {
    --counts_[static_cast<std::size_t>(lane.state)];
    ++counts_[static_cast<std::size_t>(state)];
    lane.state = state;
}

/// The newest; but of those that came back at about the same time, the one that this user had last: threads
/// that come by every few microseconds would else swap their connections again and again, and with them
/// memory and the processor on which the other side is served.
std::optional<LaneId> Policy::choose(KeyId key, UserId user, Instant now) const noexcept {
    constexpr std::chrono::milliseconds about_the_same(1);
    constexpr int most_looked_at = 8;
    auto newest = idle_.newest(key);
    while (newest && idle_.until(*newest) <= now) newest = idle_.older_of_key(*newest);
    if (!newest || lanes_[*newest].user == user) return newest;
    auto lane = idle_.older_of_key(*newest);
    for (int i = 1; i < most_looked_at && lane; ++i, lane = idle_.older_of_key(*lane)) {
        if (idle_.since(*newest) - idle_.since(*lane) > about_the_same) break;
        if (lanes_[*lane].user == user && idle_.until(*lane) > now) return lane;
    }
    return newest;
}

Answer Policy::lease(LaneId lane, UserId user) noexcept {
    idle_.erase(lane);
    lanes_[lane].user = user;
    set_state(lanes_[lane], ConnectionState::leased);
    return {.kind = Answer::Kind::reuse, .lane = lane};
}

/// Why no further request may have it, whoever is waiting.
CloseReason Policy::unfit(const Lane& lane, Instant now) const noexcept {
    if (lane.generation != generation_ || lane.origin_generation != generations_[index_of(lane.origin)]) {
        return CloseReason::evicted;
    }
    if (now >= lane.lifetime_end) return CloseReason::lifetime;
    if (lane.requests >= limits_.max_requests) return CloseReason::requests;
    if (lane.idle_limit <= std::chrono::nanoseconds::zero()) return CloseReason::expired;
    if (limits_.max_idle == 0) return retired_ ? CloseReason::shutdown : CloseReason::over_limit;
    return CloseReason::none;
}

/// Gives a lane that is fit to the first waiter it can serve, or keeps it idle; else says why it has to be
/// closed.
CloseReason Policy::place(LaneId lane, Instant now) noexcept {
    const Lane& l = lanes_[lane];
    const auto head = admission_.head(l.origin);
    const bool short_of_total = admission_.short_of_total();
    if (head && admission_[*head].key == l.key && !admission_[*head].fresh) {
        const auto first = short_of_total ? admission_.first_without_place() : std::nullopt;
        if (!first || admission_[*head].seq <= admission_[*first].seq) {
            grant(*head, lane, true);
            return CloseReason::none;
        }
    }
    if (short_of_total || admission_.short_of(l.origin)) return CloseReason::over_limit;
    if (retired_) return CloseReason::shutdown;
    keep(lane, now);
    return CloseReason::none;
}

void Policy::keep(LaneId lane, Instant now) noexcept {
    Lane& l = lanes_[lane];
    insert_idle(lane, now);
    set_state(l, ConnectionState::idle);
    if (idle_.size() > limits_.max_idle) evict(*idle_.oldest(), now);
    if (idle_.size(l.origin) > limits_.max_idle_per_origin) evict(*idle_.oldest(l.origin), now);
}

void Policy::insert_idle(LaneId lane, Instant since) noexcept {
    const Lane& l = lanes_[lane];
    const Instant timeout = later(since, std::min(limits_.idle_timeout, l.idle_limit));
    idle_.insert(lane, l.key, l.origin, since, std::min(timeout, l.lifetime_end));
}

void Policy::grant(Ticket ticket, LaneId lane, bool used) noexcept {
    admission_.dequeue(ticket);
    if (used) set_state(lanes_[lane], ConnectionState::leased);
    lanes_[lane].user = admission_[ticket].user;
    admission_[ticket].granted = lane;
    admission_[ticket].granted_used = used;
    grants_.push_back(admission_.waiters(), ticket);
}

/// A place has become free. The new lane takes the id just given back: nothing allocates.
void Policy::serve_waiters() noexcept {
    for (auto ticket = admission_.next_to_serve(); ticket; ticket = admission_.next_to_serve()) {
        const LaneId lane = open_lane(admission_[*ticket].key, admission_[*ticket].origin);
        grant(*ticket, lane, false);
    }
}

}  // namespace ringlet::detail
