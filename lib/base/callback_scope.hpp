// CallbackScope: this thread is inside a function of the user's that ringlet called.
#pragma once

namespace ringlet::detail {

/// What would wait for that very function to return (ConnectionCache::shutdown) refuses instead of hanging.
class CallbackScope {
  public:
    CallbackScope() noexcept { ++depth_; }
    ~CallbackScope() { --depth_; }
    CallbackScope(const CallbackScope&) = delete;
    CallbackScope& operator=(const CallbackScope&) = delete;

    static bool active() noexcept { return depth_ != 0; }

  private:
    inline static thread_local unsigned depth_ =
        0;  // NOLINT(readability-identifier-naming): a private member
};

}  // namespace ringlet::detail
