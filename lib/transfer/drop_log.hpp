// DropLog: the warning about a response dropped half read, in measure.
#pragma once

#include "base/log.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
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

    std::mutex mutex_;
    std::map<std::string, Window, std::less<>> windows_;  // guarded by mutex_
};

}  // namespace ringlet::detail
