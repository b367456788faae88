// Cancellation: switches pthread_cancel() off for this thread, while it lives. Header only.
#pragma once

#include <pthread.h>

namespace ringlet::detail {

/// Where libcurl alone can be left, by a cancelled thread or by an exception of a callback, it can be left
/// here; ringlet's own work cannot.
class Cancellation {
  public:
    Cancellation() noexcept { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &callers_); }
    ~Cancellation() { pthread_setcancelstate(callers_, nullptr); }
    Cancellation(const Cancellation&) = delete;
    Cancellation& operator=(const Cancellation&) = delete;

    template <class Call>
    auto allowed(Call call) const {
        pthread_setcancelstate(callers_, nullptr);
        const auto result = call();
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
        return result;
    }

  private:
    int callers_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace ringlet::detail
