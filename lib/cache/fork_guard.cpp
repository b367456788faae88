#include "cache/fork_guard.hpp"

#include "curl/apply_options.hpp"
#include "curl/ca_setup.hpp"

#include <pthread.h>

#include <new>

namespace ringlet::detail {
namespace {

struct AllGuards {
    Mutex mutex;
    ForkGuard* first RINGLET_GUARDED_BY(mutex) = nullptr;
};

/// Never destroyed: caches may live in static objects.
AllGuards& all_guards() {
    static AllGuards& guards = *new AllGuards;
    return guards;
}

/// What is computed once, at the first use: a child would wait for ever for a thread that is not there.
void finish_first_uses() noexcept {
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
        all_guards().mutex.lock();
        for (auto* guard = all_guards().first; guard != nullptr; guard = guard->next_) guard->mutex_.lock();
    }
    static void resume() RINGLET_UNANALYSED {
        for (auto* guard = all_guards().first; guard != nullptr; guard = guard->next_) guard->mutex_.unlock();
        all_guards().mutex.unlock();
    }
};

ForkGuard::ForkGuard(Mutex& mutex) : mutex_(mutex) {
    static const int registered =
        pthread_atfork(ForkHandlers::prepare, ForkHandlers::resume, ForkHandlers::resume);
    (void)registered;
    const Lock lock(all_guards().mutex);
    next_ = all_guards().first;
    if (next_ != nullptr) next_->prev_ = this;
    all_guards().first = this;
}

ForkGuard::~ForkGuard() {
    const Lock lock(all_guards().mutex);
    if (next_ != nullptr) next_->prev_ = prev_;
    (prev_ != nullptr ? prev_->next_ : all_guards().first) = next_;
}

}  // namespace ringlet::detail
