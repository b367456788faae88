// ForkGuard: keeps a mutex usable in a forked child.
#pragma once

#include "base/mutex.hpp"

namespace ringlet::detail {

/// While one exists for a mutex, fork() takes that mutex first and gives it back on both sides: the child
/// finds it free and what it guards consistent. No thread may hold a guarded mutex while it makes or destroys
/// a ForkGuard, or forks. Mutexes that are taken one under the other must be of two levels.
class ForkGuard {
  public:
    enum class Level : unsigned char { outer, inner };  // in the order in which threads take them
    explicit ForkGuard(Mutex& mutex, Level level = Level::inner);
    ~ForkGuard();
    ForkGuard(const ForkGuard&) = delete;
    ForkGuard& operator=(const ForkGuard&) = delete;

  private:
    friend struct ForkHandlers;
    Mutex& mutex_;
    const Level level_;
    ForkGuard* prev_ = nullptr;  // in the list of its level, guarded by the lists' mutex
    ForkGuard* next_ = nullptr;
};

}  // namespace ringlet::detail
