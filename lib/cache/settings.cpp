#include "cache/settings.hpp"

#include "ringlet/error.hpp"
#include "value/origin.hpp"
#include "value/url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace ringlet::detail {
namespace {

[[noreturn]] void refuse(std::string_view setting, const std::string& value, std::string_view allowed) {
    throw Error(Errc::invalid_argument,
                std::string(setting) + ": " + value + " is not allowed (" + std::string(allowed) + ")");
}

std::string text_of(Limit limit) {
    if (!limit.valid()) return std::to_string(static_cast<std::int64_t>(limit.value()));
    return limit.is_unlimited() ? "unlimited" : std::to_string(limit.value());
}

std::string text_of(Duration d) {
    if (d.is_unlimited()) return "unlimited";
    const auto ns = d.value().count();
    if (ns % 1'000'000'000 == 0) return std::to_string(ns / 1'000'000'000) + " s";
    if (ns % 1'000'000 == 0) return std::to_string(ns / 1'000'000) + " ms";
    return std::to_string(ns) + " ns";
}

/// For a message: on one line, and without anything that may be a password.
std::string in_quotes(std::string_view text) {
    std::string shown = redacted_unparsed(text);
    for (char& c : shown) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    return '"' + shown + '"';
}

void at_least_one(std::string_view setting, Limit limit,
                  std::string_view allowed = "at least 1, or unlimited") {
    if (!limit.valid() || limit.value() == 0) refuse(setting, text_of(limit), allowed);
}

void not_negative(std::string_view setting, Limit limit,
                  std::string_view allowed = "0 or more, or unlimited") {
    if (!limit.valid()) refuse(setting, text_of(limit), allowed);
}

void more_than_zero(std::string_view setting, Duration d) {
    if (d <= Duration{}) refuse(setting, text_of(d), "more than 0, or unlimited");
}

void not_negative(std::string_view setting, Duration d,
                  std::string_view allowed = "0 or more, or unlimited") {
    if (d.negative()) refuse(setting, text_of(d), allowed);
}

/// Whole seconds that fit the kernel's int.
void kernel_seconds(std::string_view setting, Duration d) {
    constexpr std::chrono::seconds most(32767);
    const bool whole = d.value() % std::chrono::seconds(1) == std::chrono::nanoseconds(0);
    if (!whole || d < Duration(std::chrono::seconds(1)) || d > Duration(most)) {
        refuse(setting, text_of(d), "whole seconds, 1 s to 32767 s");
    }
}

void usable(const std::string& origin, Limit limit) {
    try {
        (void)normalise_origin(origin);
    } catch (const Error&) {
        refuse("host_limit", in_quotes(origin), "an origin such as \"https://example.com\"");
    }
    at_least_one("host_limit(" + origin + ")", limit);
}

void usable(const CacheSettings::Resolve& entry) {
    const std::string setting = "resolve(" + entry.host + ")";
    // To libcurl a sign in front is a command, and "*" every host.
    const bool command = entry.host.starts_with('-') || entry.host.starts_with('+') || entry.host == "*";
    const auto bad = [](unsigned char c) {
        return c <= ' ' || c == 0x7f || c == ':' || c == ',' || c == '@';
    };
    if (entry.host.empty() || command || std::ranges::any_of(entry.host, bad)) {
        refuse("resolve", in_quotes(entry.host), "a host name");
    }
    if (entry.port == 0) refuse(setting, "port 0", "1 to 65535");
    in6_addr ignored{};
    const bool numeric = inet_pton(AF_INET, entry.address.c_str(), &ignored) == 1 ||
                         inet_pton(AF_INET6, entry.address.c_str(), &ignored) == 1;
    if (!numeric) refuse(setting, in_quotes(entry.address), "a numeric IPv4 or IPv6 address");
}

// Each setting with the name of its builder function.
constexpr std::tuple settings_by_name{
    std::pair{"max_connections", &CacheSettings::max_connections},
    std::pair{"max_connections_per_host", &CacheSettings::max_connections_per_host},
    std::pair{"host_limit", &CacheSettings::host_limits},
    std::pair{"max_idle", &CacheSettings::max_idle},
    std::pair{"max_idle_per_host", &CacheSettings::max_idle_per_host},
    std::pair{"idle_timeout", &CacheSettings::idle_timeout},
    std::pair{"max_lifetime", &CacheSettings::max_lifetime},
    std::pair{"max_requests_per_connection", &CacheSettings::max_requests_per_connection},
    std::pair{"acquire_timeout", &CacheSettings::acquire_timeout},
    std::pair{"tcp_keepalive", &CacheSettings::tcp_keepalive_idle},
    std::pair{"tcp_keepalive", &CacheSettings::tcp_keepalive_interval},
    std::pair{"dns_ttl", &CacheSettings::dns_ttl},
    std::pair{"resolve", &CacheSettings::resolve},
    std::pair{"drain_on_drop", &CacheSettings::drain_bytes},
    std::pair{"drain_on_drop", &CacheSettings::drain_time},
    std::pair{"honour_keep_alive_hint", &CacheSettings::honour_keep_alive_hint},
    std::pair{"watch_idle", &CacheSettings::watch_idle},
    std::pair{"busy_poll", &CacheSettings::busy_poll},
    std::pair{"logger", &CacheSettings::logger},
    std::pair{"observer", &CacheSettings::observer},
};

}  // namespace

CacheSettings CacheSettings::judged() const {
    at_least_one("max_connections", max_connections);
    at_least_one("max_connections_per_host", max_connections_per_host);
    for (const auto& [origin, limit] : host_limits) usable(origin, limit);
    not_negative("max_idle", max_idle);
    at_least_one("max_idle_per_host", max_idle_per_host,
                 "at least 1, or unlimited; max_idle(0) turns reuse off");
    more_than_zero("idle_timeout", idle_timeout);
    more_than_zero("max_lifetime", max_lifetime);
    at_least_one("max_requests_per_connection", max_requests_per_connection);
    not_negative("acquire_timeout", acquire_timeout, "0 or more (0: never wait), or unlimited");
    if (!tcp_keepalive_idle.is_unlimited() || !tcp_keepalive_interval.is_unlimited()) {
        kernel_seconds("tcp_keepalive idle", tcp_keepalive_idle);
        kernel_seconds("tcp_keepalive interval", tcp_keepalive_interval);
    }
    not_negative("dns_ttl", dns_ttl);
    not_negative("drain_on_drop bytes", drain_bytes);
    not_negative("drain_on_drop time", drain_time);
    if (busy_poll.negative() || busy_poll.is_unlimited()) {
        refuse("busy_poll", text_of(busy_poll), "0 or more, not unlimited");
    }
    for (const auto& entry : resolve) usable(entry);
    return *this;
}

std::string_view CacheSettings::first_difference(const CacheSettings& other) const {
    std::string_view name;
    const auto compare = [&](const auto& setting) {
        if (name.empty() && this->*setting.second != other.*setting.second) name = setting.first;
    };
    std::apply([&](const auto&... setting) { (compare(setting), ...); }, settings_by_name);
    return name;
}

}  // namespace ringlet::detail
