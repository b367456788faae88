// Log: ringlet's way to spdlog. Only log.cpp includes spdlog.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>

namespace spdlog {
class logger;
}

namespace ringlet::detail {

/// Thread-safe. Never throws: a sink that does is ignored. Messages arrive formatted and redacted.
///
/// A logger of the program's registry may be registered, replaced or dropped at any time, and is gone once
/// spdlog has been shut down: it is looked up for each line and never kept. Only whether debug lines are
/// wanted is remembered, from one refresh() to the next.
class Log {
  public:
    /// nullptr: spdlog's "ringlet" logger if registered, else one of that name on the default logger's sinks.
    explicit Log(std::shared_ptr<spdlog::logger> logger);
    ~Log();
    /// Cheap: callers ask before they format a debug line.
    bool debug_enabled() const noexcept;
    /// Looks again whether debug lines are wanted: when a connection is opened or closed.
    void refresh() noexcept;
    void debug(std::string_view line) noexcept;
    void warn(std::string_view line) noexcept;

  private:
    std::shared_ptr<spdlog::logger> resolve() const noexcept;

    const std::shared_ptr<spdlog::logger> configured_;
    std::atomic<bool> debug_wanted_{false};  // as of the last refresh(); unused with a configured logger
};

}  // namespace ringlet::detail
