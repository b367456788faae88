#include "reference.hpp"

#include <algorithm>

namespace ringlet::test {

namespace {

constexpr auto unlimited_count = PolicyLimits::none;

}  // namespace

Walk::Walk(const PolicyLimits& limits, std::uint64_t seed) : limits_(limits), policy_(limits), random_(seed) {
    for (unsigned i = 0; i < origins; ++i) policy_.define_origin(OriginId{i}, own_limit(i));
}

std::optional<std::uint64_t> Walk::own_limit(unsigned origin) {
    if (origin == 1) return 2;
    if (origin == 2) return unlimited_count;
    return std::nullopt;
}

std::optional<std::string> Walk::step() {
    switch (draw(19)) {
        case 0:
        case 1:
        case 2:
        case 3:
            acquire();
            break;
        case 4:
        case 5:
            connect();
            break;
        case 6:
        case 7:
        case 8:
            release();
            break;
        case 9:
            report_closed();
            report_closed();
            break;
        case 10:
            cancel();
            break;
        case 11:
            hand_on();
            break;
        case 12:
            dead();
            break;
        case 13:
            pass_time();
            break;
        case 14:
            draw(4) == 0 ? evict() : report_closed();
            break;
        case 15:
            renew();
            break;
        case 16:
            acquire_again();
            break;
        case 17:
            catch_up();
            break;
        default:
            draw(2) == 0 ? fail_to_connect() : discard_idle();
            break;
    }
    collect();
    check();
    return broken_;
}

std::optional<std::string> Walk::finish() {
    for (int i = 0; i < 100'000 && !broken_; ++i) {
        if (!closing_.empty()) {
            report_closed();
        } else if (!granted_.empty()) {
            granted_.erase(granted_.begin());
        } else if (!held_.empty()) {
            const auto [lane, state] = *held_.begin();
            if (state == Held::connecting) policy_.connected(lane, now_, 0);
            give_back(lane, {});
        } else {
            break;
        }
        collect();
        check();
    }
    require(waiting_.empty(), "somebody is left waiting");
    require(policy_.open() == policy_.count(ConnectionState::idle), "a lane is lost");
    return broken_;
}

LaneId Walk::draw_held(Held state) {
    std::vector<LaneId> candidates;
    for (const auto& [lane, s] : held_) {
        const bool granted =
            std::any_of(granted_.begin(), granted_.end(), [&](auto& g) { return g.lane == lane; });
        if (s == state && !granted) candidates.push_back(lane);
    }
    return candidates.empty() ? detail::no_id<LaneId> : candidates[draw(candidates.size())];
}

void Walk::acquire() {
    const unsigned origin = static_cast<unsigned>(draw(origins));
    const unsigned key = 10 * origin + static_cast<unsigned>(draw(keys_per_origin));
    const UserId user{static_cast<std::uint32_t>(1 + draw(3))};
    const bool fresh = draw(8) == 0;
    const bool may_evict = draw(6) != 0;
    const bool may_wait = may_evict && waiting_.size() < 12 && draw(5) != 0;
    const auto before = waiting_;
    const auto closing_before = closing_.size();
    const Answer answer = policy_.acquire({.key = KeyId{key},
                                           .origin = OriginId{origin},
                                           .user = user,
                                           .fresh = fresh,
                                           .may_wait = may_wait,
                                           .may_evict = may_evict},
                                          now_);
    require(may_wait || answer.kind != Kind::wait, "one who may not wait waits");
    took(answer, key, user, fresh, before);
    collect();
    for (auto i = closing_before; i < closing_.size() && !may_evict; ++i) {
        const auto why = policy_.lane(closing_[i]).reason;
        require(why == CloseReason::expired || why == CloseReason::lifetime,
                "an idle lane closed for one who may evict none");
    }
}

void Walk::renew() {
    const LaneId lane = draw_held(Held::leased);
    if (lane == detail::no_id<LaneId>) return;
    const auto kept_out = who_is_kept_out();
    const bool wanted = kept_out.by_all || kept_out.by_origin.contains(origin_of(key_[lane]));
    const auto requests = policy_.lane(lane).requests;
    const auto why = policy_.renew(lane, now_);
    require(policy_.lane(lane).requests == requests + (why == CloseReason::none), "a renewal's count");
    require(why != CloseReason::none || !wanted, "a loan was renewed though somebody waits for its place");
    require(why != CloseReason::over_limit || wanted || limits_.max_idle == 0, "a loan was ended for nobody");
}

void Walk::acquire_again() {
    if (policy_.lanes() == 0) return;
    const LaneId lane{static_cast<std::uint32_t>(draw(policy_.lanes()))};
    const bool idle = key_.contains(lane) && policy_.lane(lane).state == ConnectionState::idle;
    const bool there = idle && policy_.idle().until(lane) > now_;
    require(policy_.acquire_again(lane, now_) == there, "that very lane");
    if (!there) return;
    std::erase(idle_[key_[lane]], lane);
    held_[lane] = Held::leased;
}

// An idle lane served on without the policy. Nobody may have waited for it.
void Walk::catch_up() {
    std::vector<LaneId> idle;
    for (auto lane = policy_.idle().oldest(); lane; lane = policy_.idle().younger(*lane))
        idle.push_back(*lane);
    if (idle.empty() || policy_.waiting() != 0) return;
    const LaneId lane = idle[draw(idle.size())];
    const std::uint64_t served = draw(3), before = policy_.lane(lane).requests;
    if (before + served >= limits_.max_requests) return;
    const bool leased = draw(2) == 0;
    const Instant since = since_[lane] + (now_ - since_[lane]) * static_cast<int>(draw(5)) / 4;
    policy_.catch_up(lane, {.served = served, .leased = leased, .since = since});
    require(policy_.lane(lane).requests == before + served, "the requests that were not seen");
    std::erase(idle_[key_[lane]], lane);
    if (leased) {
        held_[lane] = Held::leased;
    } else {
        enter_in_order(lane, since);
    }
}

void Walk::enter_in_order(LaneId lane, Instant since) {
    auto& idle = idle_[key_[lane]];
    since_[lane] = since;
    idle.insert(std::find_if(idle.begin(), idle.end(), [&](LaneId other) { return since_[other] > since; }),
                lane);
}

void Walk::retire() {
    policy_.retire();
    retired_ = true;
    collect();
}

void Walk::took(const Answer& answer, unsigned key, UserId user, bool fresh,
                const std::vector<Waiting>& before) {
    if (answer.kind == Kind::reuse) {
        require(!fresh, "one who wants a fresh lane got a used one");
        collect();  // those discarded as expired are no longer idle
        check_choice(idle_[key], answer.lane, user);
        std::erase(idle_[key], answer.lane);
        held_[answer.lane] = Held::leased;
        user_[answer.lane] = user;
    } else if (answer.kind == Kind::open) {
        require(!key_.contains(answer.lane), "a lane id is given twice");
        key_[answer.lane] = key;
        held_[answer.lane] = Held::connecting;
        user_[answer.lane] = user;
        for (const auto& w : before)
            require(origin_of(w.key) != origin_of(key), "a newcomer overtook a waiter");
    } else if (answer.kind != Kind::refuse) {
        waiting_.push_back({answer.ticket, key, user, fresh});
    }
}

// The user's own among the last eight that became idle within a millisecond of the last one; else that one.
void Walk::check_choice(const std::vector<LaneId>& idle, LaneId chosen, UserId user) {
    require(!idle.empty(), "a lane that was not idle");
    if (idle.empty()) return;
    LaneId expected = idle.back();
    const auto first = idle.size() > 8 ? idle.size() - 8 : 0;
    for (auto i = first; i < idle.size(); ++i) {
        const bool recent = since_[idle[i]] + std::chrono::milliseconds(1) >= since_[idle.back()];
        if (recent && user_[idle[i]] == user && policy_.idle().until(idle[i]) > now_) expected = idle[i];
    }
    require(chosen == expected, "another lane than the rule says");
}

void Walk::becomes_idle(LaneId lane) {
    idle_[key_[lane]].push_back(lane);
    since_[lane] = now_;
}

void Walk::connect() {
    const LaneId lane = draw_held(Held::connecting);
    if (lane == detail::no_id<LaneId>) return;
    policy_.connected(lane, now_, 0.5);
    held_[lane] = Held::leased;
}

void Walk::release() {
    const LaneId lane = draw_held(Held::leased);
    if (lane == detail::no_id<LaneId>) return;
    detail::Outcome outcome;
    if (draw(4) == 0) outcome.close = CloseReason::connection_close;
    if (draw(4) == 0) outcome.idle_limit = std::chrono::milliseconds(draw(50));
    give_back(lane, outcome);
}

void Walk::give_back(LaneId lane, const detail::Outcome& outcome) {
    held_.erase(lane);
    if (policy_.release(lane, outcome, now_) != CloseReason::none) return;
    // Granted, or idle, or idle and at once evicted: the last is among the orders to close.
    if (policy_.lane(lane).state != ConnectionState::leased) becomes_idle(lane);
}

void Walk::fail_to_connect() {
    const LaneId lane = draw_held(Held::connecting);
    if (lane == detail::no_id<LaneId>) return;
    held_.erase(lane);
    if (draw(2) == 0) {
        policy_.release(lane, {.close = CloseReason::transfer_error}, now_);
    } else {
        key_.erase(lane);
        policy_.closed(lane);
    }
}

void Walk::dead() {
    const LaneId lane = draw_held(Held::leased);
    if (lane == detail::no_id<LaneId>) return;
    const Answer answer = policy_.dead(lane, CloseReason::peer_closed, now_);
    if (answer.kind == Kind::reuse) {
        held_.erase(lane);
        took(answer, key_[lane], user_[lane], false, {});
    } else {
        require(answer.lane == lane, "a dead lane's holder lost its place");
        held_[lane] = Held::replaced;
    }
}

void Walk::cancel() {
    if (waiting_.empty()) return;
    const auto who = waiting_.begin() + static_cast<std::ptrdiff_t>(draw(waiting_.size()));
    policy_.cancel(who->ticket);
    waiting_.erase(who);
}

void Walk::hand_on() {
    if (granted_.empty()) return;
    const auto who = granted_.begin() + static_cast<std::ptrdiff_t>(draw(granted_.size()));
    const Grant grant = *who;
    granted_.erase(who);
    if (draw(2) == 0) return;  // it takes it up
    held_.erase(grant.lane);
    if (!grant.used) key_.erase(grant.lane);
    policy_.hand_on(grant.lane, grant.used, now_);
    if (grant.used && policy_.lane(grant.lane).state == ConnectionState::idle) becomes_idle(grant.lane);
}

void Walk::report_closed() {
    if (closing_.empty()) return;
    const auto which = closing_.begin() + static_cast<std::ptrdiff_t>(draw(closing_.size()));
    const LaneId lane = *which;
    closing_.erase(which);
    const auto held = held_.find(lane);
    if (held != held_.end() && held->second == Held::replaced) {
        held->second = Held::connecting;
    } else {
        key_.erase(lane);
    }
    policy_.closed(lane);
}

void Walk::evict() {
    const OriginId origin{static_cast<std::uint32_t>(draw(origins))};
    switch (draw(3)) {
        case 0:
            policy_.close_idle(now_ - std::chrono::milliseconds(draw(20)));
            break;
        case 1:
            policy_.close_idle(origin);
            policy_.outdate(origin);
            break;
        default:
            policy_.close_idle(now_);
            policy_.outdate();
            break;
    }
}

void Walk::discard_idle() {
    const auto lane = policy_.idle().oldest();
    if (lane) policy_.discard(*lane, CloseReason::peer_closed);
}

void Walk::pass_time() {
    now_ += std::chrono::milliseconds(draw(30));
    if (draw(2) == 0) return;
    policy_.expire(now_);
    collect();
    require(policy_.next_expiry() > now_, "something expired is still idle");
}

void Walk::collect() {
    while (const auto closing = policy_.take_closing()) {
        closing_.push_back(closing->lane);
        std::erase(idle_[key_[closing->lane]], closing->lane);
    }
    while (const auto grant = policy_.take_grant()) check_grant(*grant);
}

void Walk::check_grant(const Grant& grant) {
    const auto who =
        std::find_if(waiting_.begin(), waiting_.end(), [&](auto& w) { return w.ticket == grant.ticket; });
    require(who != waiting_.end(), "a grant for nobody");
    if (who == waiting_.end()) return;
    for (auto w = waiting_.begin(); w != who; ++w) {
        require(origin_of(w->key) != origin_of(who->key), "a waiter was overtaken in its own origin");
        const OriginId other{origin_of(w->key)};
        // An earlier one of another origin may be passed over for its own limit, or because its place is
        // already coming.
        require(grant.used || policy_.open(other) >= policy_.limit(other),
                "a waiter was overtaken by another origin's");
    }
    require(!(grant.used && who->fresh), "a used lane for one who wants a fresh one");
    if (grant.used) require(key_[grant.lane] == who->key, "a lane of another key");
    key_[grant.lane] = who->key;
    user_[grant.lane] = who->user;
    held_[grant.lane] = grant.used ? Held::leased : Held::connecting;
    granted_.push_back(grant);
    waiting_.erase(who);
}

void Walk::check() {
    check_counts();
    check_idle_order();
    check_nobody_waits_in_vain();
}

void Walk::check_counts() {
    std::map<ConnectionState, std::uint64_t> states;
    std::map<OriginId, std::uint64_t> by_origin;
    std::uint64_t open = 0;
    for (std::uint32_t i = 0; i < policy_.lanes(); ++i) {
        const auto& lane = policy_.lane(LaneId{i});
        require(lane.in_use == key_.contains(LaneId{i}), "lanes in use differ");
        if (!lane.in_use) continue;
        ++open, ++states[lane.state], ++by_origin[lane.origin];
        const auto held = held_.find(LaneId{i});
        const bool closing = std::find(closing_.begin(), closing_.end(), LaneId{i}) != closing_.end();
        const auto& idle = idle_[key_[LaneId{i}]];
        const bool is_idle = std::find(idle.begin(), idle.end(), LaneId{i}) != idle.end();
        const bool replaced = held != held_.end() && held->second == Held::replaced;
        require((held != held_.end() && !replaced) + closing + is_idle == 1,
                "a lane is not in exactly one state");
        require((lane.state == ConnectionState::closing) == closing, "closing differs");
        require((lane.state == ConnectionState::idle) == is_idle, "idle differs");
    }
    using enum ConnectionState;
    for (const auto state : {connecting, leased, idle, closing})
        require(policy_.count(state) == states[state], "a count");
    require(policy_.open() == open, "open");
    require(open <= limits_.total, "the total limit");
    for (const auto& [origin, n] : by_origin) {
        require(policy_.open(origin) == n, "open of an origin");
        require(n <= policy_.limit(origin), "an origin's limit");
    }
    require(states[idle] <= limits_.max_idle, "max_idle");
    require(!retired_ || states[idle] == 0, "a lane became idle in a retired policy");
    require(policy_.waiting() == waiting_.size(), "waiting");
}

void Walk::check_idle_order() {
    std::size_t n = 0;
    Instant earliest = detail::never;
    std::optional<LaneId> last;
    for (auto lane = policy_.idle().oldest(); lane; lane = policy_.idle().younger(*lane), ++n) {
        if (last) require(policy_.idle().since(*last) <= policy_.idle().since(*lane), "the order of age");
        earliest = std::min(earliest, policy_.idle().until(*lane));
        last = lane;
    }
    require(n == policy_.count(ConnectionState::idle), "the list of idle lanes");
    require(policy_.next_expiry() == earliest, "the next expiry");
    for (unsigned origin = 0; origin < origins; ++origin) {
        require(policy_.idle().size(OriginId{origin}) <= limits_.max_idle_per_origin, "max_idle_per_host");
    }
}

// Gives each waiter in turn a place among those that are free or will be once all closings are reported.
Walk::KeptOut Walk::who_is_kept_out() const {
    KeptOut kept_out;
    std::map<unsigned, std::uint64_t> live;
    std::uint64_t total = 0;
    for (const auto& [lane, key] : key_) {
        const auto held = held_.find(lane);
        const bool replaced = held != held_.end() && held->second == Held::replaced;
        if (policy_.lane(lane).state == ConnectionState::closing && !replaced) continue;
        ++live[origin_of(key)], ++total;
    }
    for (const auto& w : waiting_) {
        const unsigned origin = origin_of(w.key);
        if (live[origin] >= policy_.limit(OriginId{origin})) {
            kept_out.by_origin.insert(origin);
        } else if (total >= limits_.total) {
            kept_out.by_all = true;
        } else {
            ++live[origin], ++total;
        }
    }
    return kept_out;
}

// Whoever gets no place must not be kept out by an idle lane; and nobody may wait for what is free now.
void Walk::check_nobody_waits_in_vain() {
    for (const auto& w : waiting_) {
        const OriginId origin{origin_of(w.key)};
        const bool free_now = policy_.open() < limits_.total && policy_.open(origin) < policy_.limit(origin);
        require(!free_now, "a waiter waits for a place that is free");
    }
    const auto kept_out = who_is_kept_out();
    for (const unsigned origin : kept_out.by_origin) {
        require(policy_.idle().size(OriginId{origin}) == 0, "an idle lane keeps a waiter of its origin out");
    }
    require(!kept_out.by_all || policy_.idle().size() == 0, "an idle lane keeps a waiter out");
}

}  // namespace ringlet::test
