#include "base/fork.hpp"

#include <pthread.h>

namespace ringlet::detail {
namespace {

void count_fork() {
    forks::seen.fetch_add(1, std::memory_order_relaxed);
}

// Before a static object of the program can fork.
[[gnu::constructor(101)]] void watch_forks() {
    pthread_atfork(nullptr, nullptr, count_fork);
}

}  // namespace

constinit std::atomic<std::uint64_t> forks::seen{0};

}  // namespace ringlet::detail
