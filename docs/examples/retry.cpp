// Trying again when a server says "later", within one deadline.
//
//     retry https://example.com/sometimes-503
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <chrono>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
    if (argc != 2) return 2;
    ringlet::Session session;

    // Up to four attempts on 429, 502, 503, 504 and failed connects: GET, HEAD, PUT, DELETE, OPTIONS only.
    // Waits double from 50 ms, each drawn between 0 and that, unless the server's Retry-After says how long.
    // No connection is held meanwhile.
    session.retry({.attempts = 4, .backoff = 50ms, .max_backoff = 2s});
    session.timeout(10s);  // over all attempts and the waits between them

    auto response = session.get(argv[1]);
    fmt::print("{} {}\n", response.status(),
               response.text());  // after the last attempt the answer may still be a 503

    // A POST is tried again only if told so: here the server knows by its key that it is the same order.
    auto order = session.send(ringlet::Request::post(argv[1], "1 book")
                                  .header("Idempotency-Key", "3f1c8a52")
                                  .retry({.attempts = 4, .backoff = 50ms, .any_method = true}));
    fmt::print("{} {}\n", order.status(), order.text());
} catch (const ringlet::Error& error) {
    fmt::print(stderr, "{}{}\n", error.what(), error.retryable() ? " (worth another try)" : "");
    return 1;
}
