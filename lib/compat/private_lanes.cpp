#include "compat/private_lanes.hpp"

#include "cache/reasons.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

namespace ringlet::detail {
namespace {

std::uint64_t next_lanes_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void end_loan(Lease&& lease, CloseReason why) noexcept {
    const auto cache = lease.cache();
    cache->release(std::move(lease), {.close = why});
}

}  // namespace

PrivateLanes::PrivateLanes() noexcept : id_(next_lanes_id()) {}

bool PrivateLanes::has(const LaneKey& key) const noexcept {
    return std::find(keys_.begin(), keys_.end(), key) != keys_.end();
}

/// A handle may see many origins in its life: keys whose lanes are gone make room when there is none left.
void PrivateLanes::remember(const LaneKey& key, const Cache& cache) {
    if (has(key)) return;
    if (keys_.size() == keys_.capacity())
        std::erase_if(keys_, [&](const LaneKey& old) { return !cache.knows(old); });
    keys_.push_back(key);
}

// A function of the program's runs when a lane is closed, which may use this very handle: each is taken out
// first.

void PrivateLanes::keep(Lease&& lease) noexcept {
    Kept oldest;
    if (kept_.back().lease) {
        oldest = std::move(kept_.front());
        std::move(kept_.begin() + 1, kept_.end(), kept_.begin());
    }
    const auto free = std::find_if(kept_.begin(), kept_.end(), [](const Kept& k) { return !k.lease; });
    *free = Kept{std::move(lease), Clock::now(), CloseReason::none};
    if (oldest.lease) end_loan(std::move(oldest.lease), CloseReason::over_limit);
}

Lease PrivateLanes::take(std::size_t index) noexcept {
    const auto kept = kept_.begin() + static_cast<std::ptrdiff_t>(index);
    Lease lease = std::move(kept->lease);
    std::move(kept + 1, kept_.end(), kept);
    kept_.back() = {};
    return lease;
}

Lease PrivateLanes::take_kept(const LaneKey& key) noexcept {
    for (std::size_t i = kept_.size(); i-- != 0;) {
        auto& kept = kept_[i];
        if (!kept.lease || kept.unfit != CloseReason::none || kept.lease->key() != key) continue;
        kept.unfit = judge(kept);
        if (kept.unfit == CloseReason::none) return take(i);
    }
    return {};
}

void PrivateLanes::close_unfit() noexcept {
    const auto is_unfit = [](const Kept& k) { return k.lease && k.unfit != CloseReason::none; };
    while (true) {
        const auto found = std::find_if(kept_.begin(), kept_.end(), is_unfit);
        if (found == kept_.end()) return;
        const auto why = found->unfit;
        end_loan(take(static_cast<std::size_t>(found - kept_.begin())), why);
    }
}

CloseReason PrivateLanes::judge(Kept& kept) noexcept {
    const auto& cache = kept.lease.cache();
    auto why = reason_of(kept.lease->check());
    const auto idle_timeout = cache->settings().idle_timeout.value();
    if (why == CloseReason::none && Clock::now() - kept.since >= idle_timeout) why = CloseReason::expired;
    return why == CloseReason::none ? cache->renew(kept.lease) : why;
}

void PrivateLanes::close_kept() noexcept {
    for (auto& kept : kept_) {
        if (kept.lease) end_loan(std::move(kept.lease), CloseReason::evicted);
    }
}

void PrivateLanes::close(Cache& cache) noexcept {
    close_kept();
    for (const auto& key : std::exchange(keys_, {})) cache.close_idle_of(key);
}

void PrivateLanes::abandon() noexcept {
    for (auto& kept : kept_) {
        if (!kept.lease) continue;
        kept.lease->abandon();
        end_loan(std::move(kept.lease), CloseReason::evicted);
    }
}

}  // namespace ringlet::detail
