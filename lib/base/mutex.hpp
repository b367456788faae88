// Mutex and Lock: std::mutex and its lock, for what is held a moment only; known to the thread-safety
// analysis.
#pragma once

#include "base/annotations.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace ringlet::detail {

/// What requests do under it takes less than a microsecond. So whoever finds it taken looks again
/// for some microseconds before it sleeps: a sleep and its end take longer than the holder needs, unless that
/// one has lost its processor meanwhile.
class RINGLET_CAPABILITY("mutex") Mutex {
  public:
    void lock() RINGLET_ACQUIRE() {
        if (!taken_.load(std::memory_order_relaxed) || !lock_soon()) mutex_.lock();
        taken_.store(true, std::memory_order_relaxed);
    }
    void unlock() RINGLET_RELEASE() {
        taken_.store(false, std::memory_order_relaxed);
        mutex_.unlock();
    }

  private:
    friend class Lock;
    bool lock_soon() noexcept;

    std::mutex mutex_;
    std::atomic<bool> taken_{false};  // a hint
};

/// Holds a Mutex for its scope.
class RINGLET_SCOPED_CAPABILITY Lock {
  public:
    explicit Lock(Mutex& mutex) RINGLET_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~Lock() RINGLET_RELEASE() { mutex_.unlock(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    /// Gives the mutex up until `told` is notified, or without a cause. False: it is `until`.
    bool wait(std::condition_variable& told, std::chrono::steady_clock::time_point until);

  private:
    struct Lent;
    Mutex& mutex_;
};

}  // namespace ringlet::detail
