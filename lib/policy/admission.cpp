#include "policy/admission.hpp"

#include <algorithm>

namespace ringlet::detail {

void Admission::define(OriginId origin, std::optional<std::uint64_t> limit) {
    grow_to_hold(origins_, origin);
    eligible_.prepare(origin);
    at(origin) = Origin{};
    at(origin).limit = limit.value_or(default_limit_);
}

bool Admission::room(OriginId origin) const noexcept {
    return held_ < total_limit_ && at(origin).held < at(origin).limit;
}

bool Admission::short_of(OriginId origin) const noexcept {
    const Origin& o = at(origin);
    return o.queue.size() > o.limit - (o.held - o.leaving);
}

bool Admission::short_of_total() const noexcept {
    return need_ > total_limit_ - (held_ - leaving_);
}

void Admission::opened(OriginId origin) noexcept {
    ++held_;
    ++at(origin).held;
    refresh(origin);
}

void Admission::leaves(OriginId origin) noexcept {
    ++leaving_;
    ++at(origin).leaving;
    refresh(origin);
}

void Admission::closed(OriginId origin, bool had_been_leaving) noexcept {
    --held_;
    --at(origin).held;
    if (had_been_leaving) {
        --leaving_;
        --at(origin).leaving;
    }
    refresh(origin);
}

Ticket Admission::enqueue(KeyId key, OriginId origin, bool fresh) {
    const Ticket ticket = waiters_.take();
    Waiter& waiter = waiters_[ticket];
    waiter.key = key;
    waiter.origin = origin;
    waiter.fresh = fresh;
    waiter.seq = next_seq_++;
    at(origin).queue.push_back(waiters_, ticket);
    ++waiting_;
    refresh(origin);
    return ticket;
}

void Admission::dequeue(Ticket ticket) noexcept {
    const OriginId origin = waiters_[ticket].origin;
    at(origin).queue.erase(waiters_, ticket);
    --waiting_;
    refresh(origin);
}

std::optional<Ticket> Admission::first_without_place() const noexcept {
    return eligible_.empty() ? std::nullopt : head(eligible_.top());
}

std::optional<Ticket> Admission::next_to_serve() const noexcept {
    return held_ < total_limit_ ? first_without_place() : std::nullopt;
}

void Admission::refresh(OriginId id) noexcept {
    Origin& o = at(id);
    const std::uint64_t need = std::min<std::uint64_t>(o.queue.size(), o.limit - (o.held - o.leaving));
    need_ += need - o.need;
    o.need = need;
    const bool eligible = !o.queue.empty() && o.held < o.limit;
    if (eligible_.contains(id)) {
        if (eligible && eligible_.top() == id && eligible_.top_key() == waiters_[*o.queue.front()].seq)
            return;
        eligible_.erase(id);
    }
    if (eligible) eligible_.insert(id, waiters_[*o.queue.front()].seq);
}

}  // namespace ringlet::detail
