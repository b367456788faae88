#include "base/mutex.hpp"

namespace ringlet::detail {
namespace {

/// Tells the processor that this is a wait.
void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

bool Mutex::lock_soon() noexcept {
    constexpr int looks = 100;
    for (int i = 0; i < looks; ++i) {
        if (!taken_.load(std::memory_order_relaxed) && mutex_.try_lock()) return true;
        relax();
    }
    return false;
}

/// The mutex as a condition variable wants it; the Lock's again at the end, also when the thread is
/// cancelled.
struct Lock::Lent {
    explicit Lent(Mutex& mutex) : taken(mutex.taken_), native(mutex.mutex_, std::adopt_lock) {
        taken.store(false, std::memory_order_relaxed);
    }
    ~Lent() {
        taken.store(true, std::memory_order_relaxed);
        (void)native.release();
    }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;

    std::atomic<bool>& taken;
    std::unique_lock<std::mutex> native;
};

bool Lock::wait(std::condition_variable& told, std::chrono::steady_clock::time_point until) {
    Lent lent(mutex_);
    if (until != std::chrono::steady_clock::time_point::max())
        return told.wait_until(lent.native, until) == std::cv_status::no_timeout;
    told.wait(lent.native);  // NOLINT(bugprone-spuriously-wake-up-functions): the caller looks again
    return true;
}

}  // namespace ringlet::detail
