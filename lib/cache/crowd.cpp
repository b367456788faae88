#include "cache/crowd.hpp"

#include "cache/cache.hpp"
#include "cache/reasons.hpp"

#include <fmt/format.h>

namespace ringlet::detail {
namespace {

std::string text_of(std::uint64_t limit) {
    return limit == PolicyLimits::none ? "unlimited" : std::to_string(limit);
}

std::string text_of(std::chrono::nanoseconds span) {
    return fmt::format("{} ms", std::chrono::duration_cast<std::chrono::milliseconds>(span).count());
}

}  // namespace

std::string describe(const Crowd& crowd, std::string_view origin, std::chrono::nanoseconds waited) {
    return fmt::format(
        "waited {} for a connection to {}: it has {} open (limit {}: {} leased, {} connecting, {} idle, {} "
        "closing) and "
        "{} requests waiting; the cache has {} open (max_connections {})",
        text_of(waited), origin, crowd.open, text_of(crowd.limit), crowd.leased, crowd.connecting, crowd.idle,
        crowd.closing, crowd.waiting, crowd.total_open, text_of(crowd.total_limit));
}

Crowd Cache::crowd_locked(KeyId key) const {
    const OriginId origin = keys_.origin(key);
    Crowd crowd{
        .open = policy_.open(origin), .limit = policy_.limit(origin), .waiting = policy_.waiting(origin)};
    crowd.total_open = policy_.open();
    crowd.total_limit = settings_.max_connections.value();
    for (std::uint32_t i = 0; i < policy_.lanes(); ++i) {
        const auto& lane = policy_.lane(LaneId{i});
        if (!lane.in_use || lane.origin != origin) continue;
        switch (lane.state) {
            case ConnectionState::connecting:
                ++crowd.connecting;
                break;
            case ConnectionState::leased:
                ++crowd.leased;
                break;
            case ConnectionState::idle:
                ++crowd.idle;
                break;
            case ConnectionState::closing:
                ++crowd.closing;
                break;
        }
    }
    return crowd;
}

void Cache::refuse(Errc code, const LaneKey& key, std::chrono::nanoseconds waited, const Crowd& crowd) const {
    auto message = describe(crowd, key.origin(), waited);
    if (code == Errc::acquire_timeout) {
        message += settings_.acquire_timeout == Duration{}
                       ? "; acquire_timeout is 0"
                       : fmt::format("; acquire_timeout is {}", text_of(settings_.acquire_timeout.value()));
    }
    fail_acquire(code, message);
}

}  // namespace ringlet::detail
