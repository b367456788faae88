// FreeLock: a mutex without an owner. Header only.
#pragma once

#include "base/fork.hpp"

#include <atomic>
#include <cstdint>

namespace ringlet::detail {

/// Any thread may unlock it: the one that locked it may have been cancelled since. In a forked child whoever
/// waits for one that was locked before takes it over: that thread is the parent's. (But for one that forks
/// while it has it, in a callback: whoever might wait then sees that the handle is running, and does not.)
class FreeLock {
  public:
    bool try_lock() noexcept { return change(open); }
    void lock() noexcept {
        while (!try_lock()) {
            const auto found = taken_.load(std::memory_order_relaxed);
            if (found == mark()) {
                taken_.wait(found, std::memory_order_relaxed);
            } else if (found != open && change(found)) {
                return;
            }
        }
    }
    void unlock() noexcept {
        taken_.store(open, std::memory_order_release);
        taken_.notify_one();
    }

  private:
    static constexpr std::uint64_t open = 0;
    static std::uint64_t mark() noexcept { return fork_generation() + 1; }
    bool change(std::uint64_t from) noexcept {
        return taken_.compare_exchange_strong(from, mark(), std::memory_order_acquire,
                                              std::memory_order_relaxed);
    }

    std::atomic<std::uint64_t> taken_{open};  // else the process's mark, as it was locked
};

}  // namespace ringlet::detail
