// DropLog: the warning about a response dropped half read, in measure.
#pragma once

#include "base/log.hpp"
#include "base/mutex.hpp"
#include "cache/fork_guard.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// Ten warnings a second for each origin in full; beyond that only how many more there were, said when the
/// second is over and the next one comes. Thread-safe.
class DropLog {
  public:
    static DropLog& instance();
    void warn(Log& log, std::string_view origin, std::string_view details);

  private:
    struct Window {
        std::chrono::steady_clock::time_point start;
        unsigned said = 0;
        std::uint64_t held_back = 0;
    };
    bool admit(std::string_view origin, std::uint64_t& held_back);

    Mutex mutex_;
    ForkGuard fork_guard_{mutex_};
    std::map<std::string, Window, std::less<>> windows_ RINGLET_GUARDED_BY(mutex_);
};

}  // namespace ringlet::detail
