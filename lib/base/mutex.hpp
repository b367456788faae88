// Mutex and Lock: std::mutex and its lock, known to the thread-safety analysis.
#pragma once

#include "base/annotations.hpp"

#include <mutex>

namespace ringlet::detail {

class RINGLET_CAPABILITY("mutex") Mutex {
  public:
    void lock() RINGLET_ACQUIRE() { mutex_.lock(); }
    void unlock() RINGLET_RELEASE() { mutex_.unlock(); }

  private:
    friend class Lock;
    std::mutex mutex_;
};

/// Holds a Mutex for its scope.
class RINGLET_SCOPED_CAPABILITY Lock {
  public:
    explicit Lock(Mutex& mutex) RINGLET_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
    ~Lock() RINGLET_RELEASE() = default;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    /// For a condition variable.
    std::unique_lock<std::mutex>& native() noexcept { return lock_; }

  private:
    std::unique_lock<std::mutex> lock_;
};

}  // namespace ringlet::detail
