// The first program: a cache with limits, a session on it, two requests, one connection.
//
//     quickstart https://example.com/
#include <ringlet/format.hpp>
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <chrono>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
    if (argc != 2) return 2;

    const auto cache =
        ringlet::ConnectionCache::builder().max_connections(20).max_idle(5).idle_timeout(60s).build();

    ringlet::Session session{cache};
    session.timeout(10s).user_agent("quickstart/1.0");

    auto response = session.get(argv[1]);
    fmt::print("{} {}, {}\n", response.status(), response.version(),
               response.headers().get("Content-Type").value_or("no Content-Type"));
    fmt::print("{}\n", response.text());  // read to its end: the connection is free again

    auto again = session.get(argv[1]);
    again.consume();  // not interested in the body: drain it, keep the connection
    fmt::print("second request: {} connection\n", again.reused() ? "the same" : "a new");

    fmt::print("{}\n", cache.stats());
} catch (const ringlet::Error& error) {
    fmt::print(stderr, "{} ({} in phase {})\n", error.what(), error.code().message(), error.phase());
    return 1;
}
