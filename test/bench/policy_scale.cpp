// What one acquire and release cost the policy, which runs under the cache's mutex, with 10 to 100 000 idle
// connections of one origin, and with as many origins of one idle connection each. Prints JSON.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "policy/policy.hpp"

namespace {

using namespace ringlet::detail;
using Nanoseconds = std::chrono::duration<double, std::nano>;

struct Cost {
    double median, p99;  // nanoseconds
};

/// `n` idle lanes, spread over `origins` keys of an origin each.
Policy filled(std::uint32_t n, std::uint32_t origins) {
    Policy policy(PolicyLimits{.max_idle = PolicyLimits::none});
    for (std::uint32_t i = 0; i < origins; ++i) policy.define_origin(OriginId{i});
    std::vector<LaneId> lanes;
    for (std::uint32_t i = 0; i < n; ++i) {
        const auto which = i % origins;
        lanes.push_back(
            policy.acquire({.key = KeyId{which}, .origin = OriginId{which}, .fresh = true}, Instant{}).lane);
        policy.connected(lanes.back(), Instant{}, 0);
    }
    for (const auto lane : lanes) policy.release(lane, {}, Instant{});
    return policy;
}

Cost measure(std::uint32_t n, std::uint32_t origins) {
    auto policy = filled(n, origins);
    constexpr int batch = 16, batches = 20'000;  // a clock costs more than the policy does
    std::vector<double> costs;
    std::uint32_t random = 1;
    auto now = Instant{};
    for (int i = 0; i < batches; ++i) {
        std::array<std::uint32_t, batch> wanted;
        for (auto& key : wanted) key = (random = random * 1664525 + 1013904223) % origins;
        const auto begin = std::chrono::steady_clock::now();
        for (const auto key : wanted) {
            const auto answer = policy.acquire({.key = KeyId{key}, .origin = OriginId{key}}, now);
            policy.release(answer.lane, {}, now);
            now += std::chrono::microseconds(1);
        }
        costs.push_back(Nanoseconds(std::chrono::steady_clock::now() - begin).count() / batch);
    }
    std::sort(costs.begin(), costs.end());
    return {costs[costs.size() / 2], costs[costs.size() * 99 / 100]};
}

}  // namespace

int main() {
    const char* separator = "[";
    for (const std::uint32_t n : {10U, 100U, 1'000U, 10'000U, 100'000U}) {
        const auto one = measure(n, 1), many = measure(n, n);
        std::printf(
            "%s\n{\"idle\": %u, \"one_origin\": {\"median\": %.1f, \"p99\": %.1f}, "
            "\"many_origins\": {\"median\": %.1f, \"p99\": %.1f}}",
            separator, n, one.median, one.p99, many.median, many.p99);
        separator = ",";
    }
    std::printf("\n]\n");
}
