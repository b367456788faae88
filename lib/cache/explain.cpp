// Cache::explain(): which connection would serve a request, and why the others would not.
#include "cache/cache.hpp"
#include "cache/this_thread.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

namespace ringlet::detail {
namespace {

using Lines = std::vector<std::string_view>;

/// The "name=<size>:value" entries of a key after its origin. A value may hold anything, line ends too.
Lines settings_of(const LaneKey& key) {
    std::string_view text = key.text();
    text.remove_prefix(std::min(key.origin().size() + 1, text.size()));
    Lines lines;
    while (!text.empty()) {
        const auto equals = std::min(text.find('='), text.size());
        const auto colon = std::min(text.find(':', equals), text.size());
        std::size_t size = 0;
        const auto* const digits = text.data() + std::min(equals + 1, text.size());
        const auto parsed = std::from_chars(digits, text.data() + colon, size);
        const bool sized = parsed.ptr == text.data() + colon && parsed.ptr != digits && colon < text.size() &&
                           size <= text.size() - colon - 1;
        const auto end = sized ? colon + 1 + size : std::min(text.find('\n'), text.size());
        if (end != 0) lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

/// Names only: values may be secrets.
void add_names(std::string& names, const Lines& lines, const Lines& others) {
    for (const auto line : lines) {
        if (std::find(others.begin(), others.end(), line) != others.end()) continue;
        const auto name = line.substr(0, line.find('='));
        if ((", " + names + ",").find(", " + std::string(name) + ",") != std::string::npos) continue;
        names += (names.empty() ? "" : ", ") + std::string(name);
    }
}

std::string different_settings(const LaneKey& a, const LaneKey& b) {
    const Lines in_a = settings_of(a), in_b = settings_of(b);
    std::string names;
    add_names(names, in_a, in_b);
    add_names(names, in_b, in_a);
    return "other settings: " + names;
}

}  // namespace

Explanation Cache::explain(const LaneKey& key) const {
    const auto now = Clock::now();
    Explanation found;
    const Lock lock(mutex_);
    catch_up_locked();
    for (std::uint32_t i = 0; i < policy_.lanes(); ++i) {
        const LaneId slot{i};
        if (!policy_.lane(slot).in_use) continue;
        auto why = why_not_locked(slot, key, now);
        const bool usable = why.empty();
        found.candidates.push_back({info_locked(slot, now), usable, usable ? "usable" : std::move(why)});
    }
    const auto known = keys_.find(key);
    const auto best = known ? policy_.choose(*known, this_thread(), now) : std::nullopt;
    if (best) {
        found.chosen = entries_[index_of(*best)].id;
        found.summary = "connection " + std::to_string(found.chosen) + " would be reused";
    } else {
        found.summary = "no idle connection fits: " + without_reuse_locked(key);
    }
    return found;
}

/// Empty: it could serve a request with that key.
std::string Cache::why_not_locked(LaneId slot, const LaneKey& key, Instant now) const {
    const LaneKey& own = keys_.key(entries_[index_of(slot)].key);
    if (own.origin() != key.origin()) return "other origin: " + std::string(own.origin());
    if (own != key) return different_settings(own, key);
    const auto& lane = policy_.lane(slot);
    if (lane.state == ConnectionState::closing) return "closing: " + std::string(to_string(lane.reason));
    if (lane.state != ConnectionState::idle) return std::string(to_string(lane.state));
    if (policy_.idle().until(slot) <= now)
        return now >= lane.lifetime_end ? "older than max_lifetime" : "expired";
    return {};
}

std::string Cache::without_reuse_locked(const LaneKey& key) const {
    if (closed()) return "the cache has been shut down";
    const auto origin = keys_.find_origin(key.origin());
    const bool full = origin && policy_.open(*origin) >= policy_.limit(*origin);
    const bool all_full = policy_.open() >= settings_.max_connections.value();
    if (!full && !all_full) return "a new one would be opened";
    const std::size_t idle = full ? policy_.idle().size(*origin) : policy_.idle().size();
    const std::string limit = full ? "max_connections_per_host" : "max_connections";
    return idle > 0 ? "an idle one would be closed (" + limit + ") and a new one opened"
                    : "it would wait (" + limit + ")";
}

}  // namespace ringlet::detail
