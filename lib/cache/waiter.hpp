// Waiter: a request that waits for its turn, on its thread's stack.
#pragma once

#include "cache/cache.hpp"

#include <condition_variable>

namespace ringlet::detail {

/// Guarded by the cache's mutex, but for `wake`.
struct Cache::Waiter {
    enum class State : std::uint8_t { waiting, granted, refused };  // refused: the cache is shut down

    State state = State::waiting;
    bool stopped = false;  // by its stop token
    bool counts = true;    // as a request
    Instant since{};
    Ticket ticket = no_id<Ticket>;
    KeyId key = no_id<KeyId>;     // held in keys_ while waiting
    LaneId slot = no_id<LaneId>;  // when granted
    bool used = false;            // ... a lane with a connection
    std::condition_variable wake;
};

/// What a stop token calls.
struct Cache::Waker {
    Cache& cache;
    Waiter& waiter;
    void operator()() const noexcept {
        const Lock lock(cache.mutex_);
        waiter.stopped = true;
        waiter.wake.notify_one();
    }
};

}  // namespace ringlet::detail
