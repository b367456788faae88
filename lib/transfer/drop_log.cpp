#include "transfer/drop_log.hpp"

#include "base/made_once.hpp"

#include <algorithm>
#include <vector>

namespace ringlet::detail {
namespace {

constexpr unsigned in_full = 10;

// Its words are part of the contract: people search their logs for them.
constexpr std::string_view first_line =
    "response dropped without fully consuming the response body, connection won't be reused";

std::string summary(std::uint64_t n, std::string_view origin) {
    return std::to_string(n) + " more responses dropped from " + std::string(origin);
}

}  // namespace

DropLog& DropLog::instance() {
    // Never destroyed: a response of static storage may be dropped when everything else of its kind is gone.
    static constinit std::atomic<DropLog*> log{nullptr};
    return made_once(log, [] { return new DropLog; });
}

void DropLog::finish(Log& log) noexcept {
    if (due_.load(std::memory_order_relaxed) == never) return;
    try {
        say_held_back(log, std::chrono::seconds(0));
    } catch (...) {
        // Out of memory: the counter tells.
    }
}

void DropLog::say_held_back(Log& log, std::chrono::seconds age) {
    std::vector<std::string> lines;
    {
        const Lock lock(mutex_);
        const auto now = std::chrono::steady_clock::now();
        bool more = false;
        for (auto& [origin, window] : windows_) {
            if (window.held_back == 0) continue;
            if (window.log == &log && now - window.start >= age) {
                lines.push_back(summary(window.held_back, origin));
                window.held_back = 0;
            }
            more = more || window.held_back != 0;
        }
        due_.store(more ? (now + window_size).time_since_epoch().count() : never, std::memory_order_relaxed);
    }
    for (const auto& line : lines) log.warn(line);
}

bool DropLog::admit(Log& log, std::string_view origin, std::uint64_t& held_back) {
    const Lock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    auto found = windows_.find(origin);
    if (found == windows_.end()) {
        if (windows_.size() >= sweep_at_) forget_quiet(now);
        found = windows_.emplace(std::string(origin), Window{now, 0, 0, &log}).first;
    }
    auto& window = found->second;
    if (now - window.start >= window_size) {
        held_back = window.held_back;
        window = {now, 0, 0, &log};
    }
    if (window.said >= in_full) {
        ++window.held_back;
        window.log = &log;  // the one that is told: another's cache may be gone
        const auto end = (window.start + window_size).time_since_epoch().count();
        if (end < due_.load(std::memory_order_relaxed)) due_.store(end, std::memory_order_relaxed);
        return false;
    }
    ++window.said;
    return true;
}

/// Origins whose second is over and that have nothing left to be said.
void DropLog::forget_quiet(std::chrono::steady_clock::time_point now) {
    std::erase_if(windows_, [&](const auto& entry) {
        return entry.second.held_back == 0 && now - entry.second.start >= window_size;
    });
    sweep_at_ = std::max(origins_remembered, 2 * windows_.size());
}

void DropLog::warn(Log& log, std::string_view origin, std::string_view details) {
    std::uint64_t held_back = 0;
    const bool admitted = admit(log, origin, held_back);
    if (held_back != 0) log.warn(summary(held_back, origin));
    if (admitted) log.warn(std::string(first_line).append("\n  ").append(details));
}

}  // namespace ringlet::detail
