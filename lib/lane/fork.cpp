#include "lane/lane.hpp"

#include <pthread.h>

#include <atomic>

namespace ringlet::detail {
namespace {

constinit std::atomic<std::uint64_t> generation{0};

void count_fork() {
    generation.fetch_add(1, std::memory_order_relaxed);
}

// When the program is loaded: no fork() can come in between.
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, count_fork);

}  // namespace

std::uint64_t fork_generation() noexcept {
    return generation.load(std::memory_order_relaxed);
}

}  // namespace ringlet::detail
