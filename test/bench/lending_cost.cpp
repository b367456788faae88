// What Cache::acquire() and release() of an idle lane cost, mutex, key look-up and peek at the socket
// included, by one thread and by two at once; how long the cache's mutex is held meanwhile; and the peek
// alone. Prints JSON.
#include "unit/cache/driver.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <thread>
#include <vector>

#include "bench/mutex_timer.hpp"
#include "unit/cache/memory.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;
using Nanoseconds = std::chrono::duration<double, std::nano>;

constexpr int batch = 16, batches = 10'000;  // a clock costs a tenth of what it measures

struct Loop {
    std::vector<double> costs;  // of one acquire and release, in nanoseconds; one for each batch
    std::uint64_t allocated = 0;
};

Loop lend_and_return(Cache& cache, const LaneKey& key) {
    Loop loop;
    loop.costs.reserve(batches);
    const auto before = allocations();
    for (int i = 0; i < batches; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        for (int j = 0; j < batch; ++j) cache.release(cache.acquire(key), {});
        loop.costs.push_back(Nanoseconds(std::chrono::steady_clock::now() - begin).count() / batch);
    }
    loop.allocated = allocations() - before;
    return loop;
}

Loop lend_and_return(Cache& cache, const LaneKey& key, int threads) {
    std::vector<Loop> loops(static_cast<std::size_t>(threads));
    std::latch start(threads);
    {
        std::vector<std::jthread> running;
        for (auto& loop : loops) {
            running.emplace_back([&] {
                start.arrive_and_wait();
                loop = lend_and_return(cache, key);
            });
        }
    }
    Loop all;
    for (const auto& loop : loops) {
        all.costs.insert(all.costs.end(), loop.costs.begin(), loop.costs.end());
        all.allocated += loop.allocated;
    }
    return all;
}

std::vector<double> peek(Cache& cache, const LaneKey& key) {
    Lease lease = cache.acquire(key);
    std::vector<double> costs;
    for (int i = 0; i < batches; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        for (int j = 0; j < batch; ++j) {
            if (lease->check() != detail::Lane::Liveness::usable) std::abort();
        }
        costs.push_back(Nanoseconds(std::chrono::steady_clock::now() - begin).count() / batch);
    }
    cache.release(std::move(lease), {});
    return costs;
}

double quantile(std::vector<double>& values, double q) {
    if (values.empty()) return 0;
    const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

void print(const char* name, std::vector<double> values) {
    std::printf("\"%s\": {\"p10\": %.0f, \"median\": %.0f, \"p99\": %.0f, \"p999\": %.0f}", name,
                quantile(values, 0.1), quantile(values, 0.5), quantile(values, 0.99),
                quantile(values, 0.999));
}

}  // namespace

int main() {
    const Origin server(respond_with(reply("x")), {.record_requests = false});
    const auto cache = make_cache();
    const auto key = key_of(server);
    {
        std::vector<Lease> leases;
        for (int i = 0; i < 10; ++i) leases.push_back(lend(cache, server));
        for (auto& lease : leases) cache->release(std::move(lease), {});
    }
    const char* separator = "[";
    for (const int threads : {1, 2}) {
        lend_and_return(*cache, key, threads);
        const auto loop = lend_and_return(*cache, key, threads);
        bench::time_mutexes(cache.get(), cache.get() + 1);
        lend_and_return(*cache, key, threads);
        auto held = bench::timed_holds();
        std::printf("%s\n{\"threads\": %d, \"allocations\": %llu, ", separator, threads,
                    static_cast<unsigned long long>(loop.allocated));
        print("acquire and release, ns", loop.costs);
        std::printf(", ");
        print("mutex held, ns", std::move(held));
        std::printf("}");
        separator = ",";
    }
    std::printf(",\n{");
    print("peek, ns", peek(*cache, key));
    std::printf("}\n]\n");
}
