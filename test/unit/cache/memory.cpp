#include "memory.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

thread_local std::uint64_t count = 0;
thread_local std::uint64_t fails_at = 0;  // that one of count; 0: none
std::atomic<const char*> starved_name{nullptr};
std::atomic<int> denials{0};

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RINGLET_REPLACES_NEW 1
namespace {

bool is_starved(const char* name) noexcept {
    char own[16] = "";
    pthread_getname_np(pthread_self(), own, sizeof own);
    return std::strcmp(own, name) == 0;
}

}  // namespace

void* operator new(std::size_t size) {
    if (++count == fails_at) throw std::bad_alloc();
    const char* const name = starved_name.load();
    if (name != nullptr && is_starved(name)) {
        ++denials;
        throw std::bad_alloc();
    }
    if (void* const memory = std::malloc(size != 0 ? size : 1)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
#endif

namespace ringlet::test {

std::uint64_t allocations() noexcept {
    return count;
}

bool allocations_are_ours() noexcept {
#if defined(RINGLET_REPLACES_NEW)
    return true;
#else
    return false;
#endif
}

FailingAllocation::FailingAllocation(std::uint64_t n) noexcept {
    fails_at = count + n;
}
FailingAllocation::~FailingAllocation() {
    fails_at = 0;
}
bool FailingAllocation::has_failed() const noexcept {
    return count >= fails_at;
}

StarvedThread::StarvedThread(const char* name) noexcept {
    denials = 0;
    starved_name = name;
}
StarvedThread::~StarvedThread() {
    starved_name = nullptr;
}
int StarvedThread::denied() const noexcept {
    return denials;
}

}  // namespace ringlet::test
