// Sending: the mark that a thread is inside a session.
#pragma once

#include "ringlet/error.hpp"

#include <atomic>

namespace ringlet::detail {

/// Holds the flag for one call.
class Sending {
  public:
    explicit Sending(std::atomic<bool>& flag) : flag_(flag) {
        if (flag_.exchange(true, std::memory_order_acquire)) {
            throw Error(
                Errc::session_busy,
                "session busy: another thread is sending a request on it; use a session for each thread");
        }
    }
    ~Sending() { flag_.store(false, std::memory_order_release); }
    Sending(const Sending&) = delete;
    Sending& operator=(const Sending&) = delete;

  private:
    std::atomic<bool>& flag_;
};

}  // namespace ringlet::detail
