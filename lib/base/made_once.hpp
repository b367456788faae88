// made_once(): what a process has one of, made at its first use and never destroyed. Header only.
#pragma once

#include <atomic>

namespace ringlet::detail {

/// Of two threads that come first together one's is thrown away.
template <class T, class Make>
[[gnu::noinline, gnu::cold]] T& make_first(std::atomic<T*>& place, const Make& make) {
    T* const fresh = make();
    T* first = nullptr;
    if (place.compare_exchange_strong(first, fresh, std::memory_order_acq_rel)) return *fresh;
    delete fresh;
    return *first;
}

/// What `place` holds, at first what `make` returns. Nothing waits here: a child that is forked meanwhile
/// would wait for ever where a function's own static is being made by a thread that it does not have.
template <class T, class Make>
T& made_once(std::atomic<T*>& place, const Make& make) {
    T* const known = place.load(std::memory_order_acquire);
    return known != nullptr ? *known : make_first(place, make);
}

}  // namespace ringlet::detail
