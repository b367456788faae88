// A sleep that a stop token ends.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace ringlet::detail {

/// Sleeps for `d`, or until either token is stopped.
inline void pause_unless_stopped(std::chrono::milliseconds d, const std::stop_token& a,
                                 const std::stop_token& b) {
    std::mutex mutex;
    std::condition_variable wake;
    const auto notify = [&] {
        const std::lock_guard lock(mutex);
        wake.notify_all();
    };
    const std::stop_callback on_a(a, notify);
    const std::stop_callback on_b(b, notify);
    std::unique_lock lock(mutex);
    wake.wait_for(lock, d, [&] { return a.stop_requested() || b.stop_requested(); });
}

}  // namespace ringlet::detail
