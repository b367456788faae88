// Memory: allocations by operator new in this executable, counted and made to fail.
#pragma once

#include <cstdint>

namespace ringlet::test {

// By this thread so far. 0 under a sanitizer, which has an operator new of its own.
std::uint64_t allocations() noexcept;
bool allocations_are_ours() noexcept;

// The n-th allocation of this thread from now on fails, once.
class FailingAllocation {
  public:
    explicit FailingAllocation(std::uint64_t n) noexcept;
    ~FailingAllocation();
    FailingAllocation(const FailingAllocation&) = delete;
    FailingAllocation& operator=(const FailingAllocation&) = delete;
    bool has_failed() const noexcept;
};

// While it lives, threads of that name get no memory.
class StarvedThread {
  public:
    explicit StarvedThread(const char* name) noexcept;
    ~StarvedThread();
    StarvedThread(const StarvedThread&) = delete;
    StarvedThread& operator=(const StarvedThread&) = delete;
    // How often they asked.
    int denied() const noexcept;
};

}  // namespace ringlet::test
