#include "lane/lane.hpp"

#include <pthread.h>

#include <atomic>

namespace ringlet::detail {
namespace {

std::atomic<std::uint64_t> generation{0};

void count_fork() {
    generation.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

std::uint64_t fork_generation() noexcept {
    // Registered with the first lane; a process that forks before that shares nothing.
    static const int registered = pthread_atfork(nullptr, nullptr, count_fork);
    (void)registered;
    return generation.load(std::memory_order_relaxed);
}

}  // namespace ringlet::detail
