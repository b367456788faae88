// DropLog: the warning about a response dropped half read, in measure.
#pragma once

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "cache/fork_guard.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// Ten warnings a second for each origin in full; beyond that only how many more there were, said when the
/// second is over, with the next warning or request, and at the end of their cache. Thread-safe.
class DropLog {
  public:
    static DropLog& instance();
    void warn(Log& log, std::string_view origin, std::string_view details);
    /// Says how many were held back in that log, if their second is over. Cheap where nothing was.
    void catch_up(Log& log) {
        const auto due = due_.load(std::memory_order_relaxed);
        if (due != never && std::chrono::steady_clock::now().time_since_epoch().count() >= due)
            say_held_back(log, window_size);
    }
    /// Says how many were held back in that log: its cache ends, and there may be no next request.
    void finish(Log& log) noexcept;

  private:
    static constexpr std::chrono::seconds window_size{1};
    struct Window {
        std::chrono::steady_clock::time_point start;
        unsigned said = 0;
        std::uint64_t held_back = 0;
        Log* log = nullptr;  // compared only: its cache may be gone
    };
    bool admit(Log& log, std::string_view origin, std::uint64_t& held_back);
    /// Of windows that are at least so old.
    void say_held_back(Log& log, std::chrono::seconds age);

    void forget_quiet(std::chrono::steady_clock::time_point now) RINGLET_REQUIRES(mutex_);

    static constexpr std::size_t origins_remembered = 1000;
    using Ticks = std::chrono::steady_clock::rep;
    static constexpr Ticks never = INT64_MAX;
    std::atomic<Ticks> due_{never};  // when say_held_back() may have something to say
    Mutex mutex_;
    ForkGuard fork_guard_{mutex_};
    std::map<std::string, Window, std::less<>> windows_ RINGLET_GUARDED_BY(mutex_);
    std::size_t sweep_at_ RINGLET_GUARDED_BY(mutex_) = origins_remembered;
};

}  // namespace ringlet::detail
