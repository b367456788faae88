#include "cache/fork_guard.hpp"

#include "curl/apply_options.hpp"
#include "curl/ca_setup.hpp"
#include "curl/library.hpp"

#include <pthread.h>

#include <array>
#include <cstddef>
#include <new>

namespace ringlet::detail {
namespace {

struct AllGuards {
    Mutex mutex;
    std::array<ForkGuard*, 2> first RINGLET_GUARDED_BY(mutex){};  // by level
};

/// Never destroyed: caches may live in static objects.
constinit AllGuards all_guards;

/// What is computed once, at the first use: a child would wait for ever for a thread that is not there.
void finish_first_uses() noexcept {
    if (!curl_has_begun()) return;
    try {
        ensure_curl();
        (void)curl_facts();
        (void)hashed_ca_directory_usable();
        (void)usual_codings();
    } catch (const std::bad_alloc&) {
        // Then it is not being computed either.
    }
}

}  // namespace

struct ForkHandlers {
    static void prepare() RINGLET_UNANALYSED {
        finish_first_uses();
        all_guards.mutex.lock();
        for_each([](Mutex& mutex) RINGLET_UNANALYSED { mutex.lock(); });
    }
    static void resume() RINGLET_UNANALYSED {
        for_each([](Mutex& mutex) RINGLET_UNANALYSED { mutex.unlock(); });
        all_guards.mutex.unlock();
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

// When the program is loaded: no fork() can come in between.
[[maybe_unused]] const int registered =
    pthread_atfork(ForkHandlers::prepare, ForkHandlers::resume, ForkHandlers::resume);

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
