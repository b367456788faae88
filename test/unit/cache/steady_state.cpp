// What the request path costs once everything is warm; and that what is forgotten takes no memory.
#include "driver.hpp"

#include "cache/key_table.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>
#include <vector>

namespace {

thread_local std::uint64_t allocations = 0;

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RINGLET_COUNTS_ALLOCATIONS 1
void* operator new(std::size_t size) {
    ++allocations;
    if (void* const memory = std::malloc(size != 0 ? size : 1)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
#endif

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

TEST_CASE("lending and returning an idle lane allocates nothing", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 10, .max_connections_per_host = 10});
    request(cache, server);
    const auto key = key_of(server);
    const auto before = allocations;
    constexpr int rounds = 20'000;
    const auto start = Clock::now();
    for (int i = 0; i < rounds; ++i) cache->release(cache->acquire(key), {});
    const auto took = Clock::now() - start;
#if defined(RINGLET_COUNTS_ALLOCATIONS)
    CHECK(allocations == before);
#endif
    INFO("ns for each: " << std::chrono::duration_cast<std::chrono::nanoseconds>(took).count() / rounds);
    CHECK(took < rounds * 20us);  // a loaded machine, a build for debugging: the benchmark has the figure
    CHECK(server.accepts() == 1);
    CHECK(allocations >= before);
}

TEST_CASE("keys and origins that nobody bears are forgotten", "[cache]") {
    detail::KeyTable table;
    std::vector<detail::KeyId> held;
    std::size_t most = 0;
    for (int i = 0; i < 10'000; ++i) {
        const auto taken = table.take({"http://host" + std::to_string(i) + ":80", "a=b\n"});
        CHECK(taken.new_origin);
        held.push_back(taken.key);
        most = std::max({most, detail::index_of(taken.key), detail::index_of(taken.origin)});
        if (held.size() < 128) continue;
        table.release(held.front());
        held.erase(held.begin());
    }
    CHECK(most < 130);
    CHECK_FALSE(table.find_origin("http://host0:80"));
    CHECK(table.find_origin("http://host9999:80"));
}

TEST_CASE("a key is known by its value, for as long as anybody holds it", "[cache]") {
    detail::KeyTable table;
    const auto a = table.take({"http://a:80", "x=1\n"});
    const auto again = table.take({"http://a:80", "x=1\n"});
    const auto b = table.take({"http://a:80", "x=2\n"});
    CHECK(again.key == a.key);
    CHECK_FALSE(again.new_origin);
    CHECK(b.key != a.key);
    CHECK(b.origin == a.origin);
    table.release(a.key);
    CHECK(table.find({"http://a:80", "x=1\n"}));
    table.release(again.key);
    CHECK_FALSE(table.find({"http://a:80", "x=1\n"}));
    CHECK(table.find_origin("http://a:80"));
    table.release(b.key);
    CHECK_FALSE(table.find_origin("http://a:80"));
}
