// ForkGuard: keeps a mutex usable in a forked child.
#pragma once

#include "base/mutex.hpp"

namespace ringlet::detail {

/// While one exists for a mutex, fork() takes that mutex first and gives it back on both sides: the child
/// finds it free and what it guards consistent. No thread may hold a guarded mutex while it makes or destroys
/// a ForkGuard, or forks.
class ForkGuard {
  public:
    explicit ForkGuard(Mutex& mutex);
    ~ForkGuard();
    ForkGuard(const ForkGuard&) = delete;
    ForkGuard& operator=(const ForkGuard&) = delete;

  private:
    friend struct ForkHandlers;
    Mutex& mutex_;
    ForkGuard* prev_ = nullptr;  // in the list of all, guarded by its mutex
    ForkGuard* next_ = nullptr;
};

}  // namespace ringlet::detail
