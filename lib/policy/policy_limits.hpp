// PolicyLimits: the numbers the policy decides by.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace ringlet::detail {

struct PolicyLimits {
    static constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();

    std::uint64_t total = none;       // lanes in any state
    std::uint64_t per_origin = none;  // the same for an origin that has no limit of its own
    std::uint64_t max_idle = 128;     // 0: no lane serves twice
    std::uint64_t max_idle_per_origin = none;
    std::uint64_t max_requests = none;  // served by one lane
    std::chrono::nanoseconds idle_timeout = std::chrono::seconds(118);
    std::chrono::nanoseconds max_lifetime = std::chrono::nanoseconds::max();
};

}  // namespace ringlet::detail
