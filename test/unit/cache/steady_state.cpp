// What the request path costs once everything is warm; and that what is forgotten takes no memory.
#include "driver.hpp"
#include "memory.hpp"

#include "cache/key_table.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

namespace {

// What this thread has used of a processor: others on the machine do not count.
std::chrono::nanoseconds used_by_thread() {
    timespec now{};
    REQUIRE(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

TEST_CASE("lending and returning an idle lane allocates nothing", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 10, .max_connections_per_host = 10});
    request(cache, server);
    const auto key = key_of(server);
    const auto before = allocations();
    constexpr int rounds = 20'000;
    const auto start = used_by_thread();
    for (int i = 0; i < rounds; ++i) cache->release(cache->acquire(key), {});
    const auto took = used_by_thread() - start;
    CHECK(allocations() == before);
    INFO("ns for each: " << std::chrono::duration_cast<std::chrono::nanoseconds>(took).count() / rounds);
    CHECK(took < rounds * 20us);  // a build for debugging, a sanitizer: lending_cost has the figure
    CHECK(server.accepts() == 1);
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
