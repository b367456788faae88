#include "cache/fork_guard.hpp"

#include "curl/library.hpp"

#include <pthread.h>

#include <array>
#include <cstddef>

namespace ringlet::detail {
namespace {

struct AllGuards {
    Mutex mutex;
    std::array<ForkGuard*, 2> first RINGLET_GUARDED_BY(mutex){};  // by level
};

/// Never destroyed: caches may live in static objects.
constinit AllGuards all_guards;

}  // namespace

struct ForkHandlers {
    static void prepare() RINGLET_UNANALYSED {
        curl_first_use().lock();
        all_guards.mutex.lock();
        for_each([](Mutex& mutex) RINGLET_UNANALYSED { mutex.lock(); });
    }
    static void resume() RINGLET_UNANALYSED {
        for_each([](Mutex& mutex) RINGLET_UNANALYSED { mutex.unlock(); });
        all_guards.mutex.unlock();
        curl_first_use().unlock();
    }

  private:
    template <class Step>
    static void for_each(Step step) RINGLET_UNANALYSED {
        for (auto* guard : all_guards.first) {
            for (; guard != nullptr; guard = guard->next_) step(guard->mutex_);
        }
    }
};

namespace {

// Before a static object of the program can fork.
[[gnu::constructor(101)]] void register_handlers() {
    pthread_atfork(ForkHandlers::prepare, ForkHandlers::resume, ForkHandlers::resume);
}

}  // namespace

ForkGuard::ForkGuard(Mutex& mutex, Level level) : mutex_(mutex), level_(level) {
    const Lock lock(all_guards.mutex);
    auto*& first = all_guards.first[static_cast<std::size_t>(level_)];
    next_ = first;
    if (next_ != nullptr) next_->prev_ = this;
    first = this;
}

ForkGuard::~ForkGuard() {
    const Lock lock(all_guards.mutex);
    if (next_ != nullptr) next_->prev_ = prev_;
    (prev_ != nullptr ? prev_->next_ : all_guards.first[static_cast<std::size_t>(level_)]) = next_;
}

}  // namespace ringlet::detail
