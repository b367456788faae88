#include "cache/environment.hpp"

#include "ringlet/error.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace ringlet::detail {
namespace {

constexpr std::string_view unlimited_word = "unlimited";

std::optional<std::uint32_t> number(std::string_view text) noexcept {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool assign(Limit& setting, std::string_view text) {
    const auto value = number(text);
    if (value) setting = Limit(*value);
    if (text == unlimited_word) setting = unlimited;
    return value || text == unlimited_word;
}

bool assign(Duration& setting, std::string_view text) {
    const auto value = number(text);
    if (value) setting = Duration(std::chrono::seconds(*value));
    if (text == unlimited_word) setting = unlimited;
    return value || text == unlimited_word;
}

bool assign(bool& setting, std::string_view text) {
    setting = text != "0";
    return text == "0" || text == "1";
}

template <class T>
void take(CacheSettings& settings, const char* name, T CacheSettings::*setting) {
    const char* text = ::secure_getenv(name);
    if (text == nullptr || *text == '\0') return;
    CacheSettings changed = settings;
    try {
        if (!assign(changed.*setting, text)) {
            std::fprintf(stderr, "ringlet: %s=%s ignored: no such value\n", name, text);
            return;
        }
        settings = changed.judged();
    } catch (const Error& e) {
        std::fprintf(stderr, "ringlet: %s=%s ignored: %s\n", name, text, e.what());
    }
}

}  // namespace

CacheSettings settings_from_environment() {
    CacheSettings settings;
    take(settings, "RINGLET_MAX_CONNECTIONS", &CacheSettings::max_connections);
    take(settings, "RINGLET_MAX_CONNECTIONS_PER_HOST", &CacheSettings::max_connections_per_host);
    take(settings, "RINGLET_MAX_IDLE", &CacheSettings::max_idle);
    take(settings, "RINGLET_MAX_IDLE_PER_HOST", &CacheSettings::max_idle_per_host);
    take(settings, "RINGLET_IDLE_TIMEOUT", &CacheSettings::idle_timeout);
    take(settings, "RINGLET_MAX_LIFETIME", &CacheSettings::max_lifetime);
    take(settings, "RINGLET_MAX_REQUESTS_PER_CONNECTION", &CacheSettings::max_requests_per_connection);
    take(settings, "RINGLET_ACQUIRE_TIMEOUT", &CacheSettings::acquire_timeout);
    take(settings, "RINGLET_DNS_TTL", &CacheSettings::dns_ttl);
    take(settings, "RINGLET_WATCH_IDLE", &CacheSettings::watch_idle);
    return settings;
}

}  // namespace ringlet::detail
