#include "bench/mutex_timer.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace {

using Clock = std::chrono::steady_clock;
using Call = int (*)(pthread_mutex_t*);

constexpr std::size_t most = 1U << 20;
std::uint32_t holds[most];
std::atomic<std::size_t> held_times{0};
std::atomic<const void*> range_begin{nullptr};
std::atomic<const void*> range_end{nullptr};
thread_local Clock::time_point since{};

Call libc_function(const char* name) noexcept {
    return reinterpret_cast<Call>(::dlsym(RTLD_NEXT, name));
}

bool is_timed(const void* mutex) noexcept {
    return mutex >= range_begin.load(std::memory_order_relaxed) &&
           mutex < range_end.load(std::memory_order_relaxed);
}

}  // namespace

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
    static const Call lock = libc_function("pthread_mutex_lock");
    const int result = lock(mutex);
    if (is_timed(mutex)) since = Clock::now();
    return result;
}

extern "C" int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
    static const Call unlock = libc_function("pthread_mutex_unlock");
    if (!is_timed(mutex) || since == Clock::time_point{}) return unlock(mutex);
    const auto took = Clock::now() - since;
    since = {};
    const int result = unlock(mutex);  // what follows is not part of it
    const auto at = held_times.fetch_add(1, std::memory_order_relaxed);
    if (at < most) holds[at] = static_cast<std::uint32_t>(std::chrono::nanoseconds(took).count());
    return result;
}

namespace ringlet::bench {

void time_mutexes(const void* begin, const void* end) {
    held_times = 0;
    range_begin = begin;
    range_end = end;
}

std::vector<double> timed_holds() {
    range_end = nullptr;
    return {holds, holds + std::min(held_times.load(), most)};
}

}  // namespace ringlet::bench
