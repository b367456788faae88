// CallbackScope: this thread is inside a function of the user's that ringlet called.
#pragma once

namespace ringlet::detail {

/// What would wait for that very function to return (ConnectionCache::shutdown) refuses instead of hanging.
class CallbackScope {
  public:
    CallbackScope() noexcept { ++depth; }
    ~CallbackScope() { --depth; }
    CallbackScope(const CallbackScope&) = delete;
    CallbackScope& operator=(const CallbackScope&) = delete;

    static bool active() noexcept { return depth != 0; }

  private:
    inline static thread_local unsigned depth = 0;
};

}  // namespace ringlet::detail
