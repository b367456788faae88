// fork_generation(): tells a forked child from its parent.
#pragma once

#include <atomic>
#include <cstdint>

namespace ringlet::detail {

namespace forks {
extern std::atomic<std::uint64_t> seen;
}

/// Counts forks seen by this process: what was made under another number belongs to the parent.
inline std::uint64_t fork_generation() noexcept {
    return forks::seen.load(std::memory_order_relaxed);
}

}  // namespace ringlet::detail
