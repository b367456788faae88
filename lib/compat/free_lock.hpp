// FreeLock: a mutex without an owner. Header only.
#pragma once

#include <atomic>

namespace ringlet::detail {

/// Any thread may unlock it: the one that locked it may have been cancelled since.
class FreeLock {
  public:
    bool try_lock() noexcept { return !taken_.test_and_set(std::memory_order_acquire); }
    void lock() noexcept {
        while (!try_lock()) taken_.wait(true, std::memory_order_relaxed);
    }
    void unlock() noexcept {
        taken_.clear(std::memory_order_release);
        taken_.notify_one();
    }

  private:
    std::atomic_flag taken_;
};

}  // namespace ringlet::detail
