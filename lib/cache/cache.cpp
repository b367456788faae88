#include "cache/cache.hpp"

#include "cache/janitor.hpp"
#include "cache/waiter.hpp"

namespace ringlet::detail {
namespace {

std::chrono::seconds whole_seconds(Duration d) {
    return std::chrono::ceil<std::chrono::seconds>(d.value());
}

LaneSettings lane_settings_of(const CacheSettings& settings) {
    LaneSettings lane;
    if (!settings.tcp_keepalive_idle.is_unlimited()) {
        lane.tcp_keepalive_idle = whole_seconds(settings.tcp_keepalive_idle);
        lane.tcp_keepalive_interval = whole_seconds(settings.tcp_keepalive_interval);
    }
    constexpr std::chrono::seconds longest(
        std::numeric_limits<int>::max());  // libcurl: an int; -1 is for ever
    const bool for_ever = settings.dns_ttl.is_unlimited() || settings.dns_ttl > Duration(longest);
    lane.dns_ttl_seconds = for_ever ? -1 : static_cast<long>(whole_seconds(settings.dns_ttl).count());
    for (const auto& entry : settings.resolve) {
        const bool v6 = entry.address.find(':') != std::string::npos;
        const auto address = v6 ? '[' + entry.address + ']' : entry.address;
        append(lane.resolve, (entry.host + ':' + std::to_string(entry.port) + ':' + address).c_str());
    }
    return lane;
}

}  // namespace

PolicyLimits Cache::limits_of(const CacheSettings& settings) noexcept {
    return {.total = settings.max_connections.value(),
            .per_origin = settings.max_connections_per_host.value(),
            .max_idle = settings.max_idle.value(),
            .max_idle_per_origin = settings.max_idle_per_host.value(),
            .max_requests = settings.max_requests_per_connection.value(),
            .idle_timeout = settings.idle_timeout.value(),
            .max_lifetime = settings.max_lifetime.value()};
}

std::shared_ptr<Cache> Cache::create(CacheSettings settings) {
    return std::shared_ptr<Cache>(new Cache(std::move(settings)));
}

Cache::Cache(CacheSettings settings)
    : settings_(std::move(settings)),
      log_(settings_.logger),
      teller_(settings_.observer, log_),
      lane_settings_(lane_settings_of(settings_)),
      share_(std::make_unique<Share>()),
      policy_(limits_of(settings_)),
      random_(std::random_device{}()),
      quiet_(std::make_unique<std::condition_variable>()),
      generation_(fork_generation()) {}

// Nobody else has the cache any more: no lease, no waiter, no handle.
Cache::~Cache() {
    abandon();
}

}  // namespace ringlet::detail
