// Many threads, one cache. Each thread has a session of its own; they share the cache's connections, and its
// limits.
//
//     threads https://example.com/
#include <ringlet/format.hpp>
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const std::string url = argv[1];
    constexpr int threads = 16;
    constexpr int requests_each = 25;

    // 16 threads take turns on 4 connections. Waiters are served in order.
    const auto cache = ringlet::ConnectionCache::builder()
                           .max_connections_per_host(4)
                           .acquire_timeout(10s)  // rather an error than an endless queue
                           .build();
    std::atomic<int> failed{0};
    {
        std::vector<std::jthread> workers;
        for (int i = 0; i < threads; ++i) {
            workers.emplace_back([&] {
                ringlet::Session session{cache};  // cheap: settings and a handle on the cache
                session.timeout(10s);
                for (int n = 0; n < requests_each; ++n) {
                    try {
                        session.get(url).text();
                    } catch (const ringlet::Error& error) {
                        ++failed;
                        fmt::print(stderr, "{}\n", error.what());
                    }
                }
            });
        }
    }  // joined

    const auto stats = cache.stats();
    fmt::print("{} requests on {} connections, {} of them waited for one\n", stats.requests, stats.opened,
               stats.waits);
    for (const auto& connection : cache.connections()) fmt::print("  {}\n", connection);
    return failed == 0 ? 0 : 1;
}
