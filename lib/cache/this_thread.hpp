// this_thread(): who asks. Header only.
#pragma once

#include "policy/ids.hpp"

#include <pthread.h>

namespace ringlet::detail {

inline UserId this_thread() noexcept {
    constexpr unsigned same_for_all = 12;  // an address, within a page at the same place for each thread
    return static_cast<UserId>(::pthread_self() >> same_for_all);
}

}  // namespace ringlet::detail
