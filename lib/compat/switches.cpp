#include "compat/switches.hpp"

#include "ringlet/connection_cache.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace ringlet::detail {
namespace {

std::atomic<unsigned long long> passed_through_calls{0};

bool is_on(const char* name) noexcept {
    const char* value = ::secure_getenv(name);
    return value != nullptr && *value != '\0' && std::strcmp(value, "0") != 0;
}

void print_statistics() noexcept {
    try {
        const auto s = ConnectionCache::process_wide().stats();
        std::fprintf(
            stderr,
            "ringlet: requests=%llu opened=%llu reused=%llu closed=%llu idle=%llu waits=%llu replays=%llu "
            "passed_through=%llu\n",
            static_cast<unsigned long long>(s.requests), static_cast<unsigned long long>(s.opened),
            static_cast<unsigned long long>(s.reused), static_cast<unsigned long long>(s.closed),
            static_cast<unsigned long long>(s.idle), static_cast<unsigned long long>(s.waits),
            static_cast<unsigned long long>(s.replays), passed_through_calls.load());
    } catch (const std::exception& e) {
        std::fprintf(stderr, "ringlet: no statistics: %s\n", e.what());
    }
}

}  // namespace

bool pooling_enabled() noexcept {
    enum class Known : unsigned char { nothing, no, yes };
    static constinit std::atomic<Known> known{Known::nothing};
    if (known.load(std::memory_order_relaxed) == Known::nothing)
        known.store(is_on("RINGLET_DISABLE") ? Known::no : Known::yes, std::memory_order_relaxed);
    return known.load(std::memory_order_relaxed) == Known::yes;
}

void count_passed_through() noexcept {
    passed_through_calls.fetch_add(1, std::memory_order_relaxed);
}

void arrange_statistics() noexcept {
    static constinit std::atomic<bool> arranged{false};
    if (arranged.load(std::memory_order_relaxed) || arranged.exchange(true) || !is_on("RINGLET_STATS"))
        return;
    try {
        // Exit goes backwards: the figures must be printed before this cache is given up.
        (void)ConnectionCache::process_wide();
        (void)std::atexit(print_statistics);
    } catch (const std::exception&) {  // without them then
    }
}

}  // namespace ringlet::detail
