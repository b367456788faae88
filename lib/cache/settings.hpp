// CacheSettings: what the builder collects.
#pragma once

#include "ringlet/events.hpp"
#include "ringlet/limits.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace spdlog {
class logger;
}

namespace ringlet::detail {

struct CacheSettings {
    Limit max_connections = unlimited;
    Limit max_connections_per_host = unlimited;
    std::map<std::string, Limit> host_limits{};  // by normalised origin
    Limit max_idle = 128;
    Limit max_idle_per_host = unlimited;
    Duration idle_timeout = std::chrono::seconds(118);
    Duration max_lifetime = unlimited;
    Limit max_requests_per_connection = unlimited;
    Duration acquire_timeout = unlimited;
    Duration tcp_keepalive_idle = unlimited;  // unlimited: off
    Duration tcp_keepalive_interval = unlimited;
    Duration dns_ttl = std::chrono::seconds(60);
    struct Resolve {
        std::string host;
        std::uint16_t port;
        std::string address;
        friend bool operator==(const Resolve&, const Resolve&) = default;
    };
    std::vector<Resolve> resolve{};
    Limit drain_bytes = 0;
    Duration drain_time{};
    bool honour_keep_alive_hint = true;
    bool watch_idle = true;
    Duration busy_poll{};
    std::shared_ptr<spdlog::logger> logger{};
    std::shared_ptr<Observer> observer{};

    /// A copy, once everything has been found usable. Throws Error{invalid_argument} that names the setting
    /// and its value.
    CacheSettings judged() const;
    /// The name of the first setting in which they differ; empty when they are equal.
    std::string_view first_difference(const CacheSettings& other) const;
};

}  // namespace ringlet::detail
