// Random walks: whatever happens in whatever order, every invariant holds after each step.
#include "reference.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace ringlet::test;

TEST_CASE("every invariant holds after each of many random steps", "[policy][property]") {
    const PolicyLimits limits = GENERATE(
        PolicyLimits{}, PolicyLimits{.total = 1}, PolicyLimits{.total = 3}, PolicyLimits{.per_origin = 1},
        PolicyLimits{.total = 4, .per_origin = 2}, PolicyLimits{.total = 6, .per_origin = 3, .max_idle = 2},
        PolicyLimits{.total = 5, .max_idle_per_origin = 1, .idle_timeout = std::chrono::milliseconds(40)},
        PolicyLimits{
            .total = 4, .per_origin = 3, .max_requests = 3, .idle_timeout = std::chrono::milliseconds(25)},
        PolicyLimits{.total = 3, .max_idle = 0},
        PolicyLimits{.total = 8, .per_origin = 3, .max_lifetime = std::chrono::milliseconds(60)});
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Walk walk(limits, seed);
        for (int i = 0; i < 2000; ++i) {
            const auto broken = walk.step();
            INFO("seed " << seed << ", step " << i << ": " << broken.value_or(""));
            if (broken) FAIL();
            if (i == 1700) walk.retire();
        }
        const auto broken = walk.finish();
        INFO("seed " << seed << ", end: " << broken.value_or(""));
        if (broken) FAIL();
    }
}
