// The four ways to send requests that the demonstration compares.
#pragma once

#include <ringlet/ringlet.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>

#include "support/origin.hpp"

namespace demo {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto request_timeout = 2s;

/// One server: the embedded one, which counts its connections, or a real one, which only its clients can
/// count.
struct Target {
    std::string url;
    std::string large_url = {};
    std::string ca_file = {};                       // empty: the system's authorities
    const ringlet::test::Origin* origin = nullptr;  // null: a real server
    int most_requests = 20'000;
    Clock::duration most_time = 900ms;
    Clock::time_point last_start = Clock::time_point::max();  // no request begins later
};

/// Counts down the requests of one line of the report, for any number of threads.
class Budget {
  public:
    explicit Budget(const Target& target);
    bool take() { return Clock::now() < until_ && left_.fetch_sub(1) > 0; }
    /// One of those taken has been answered.
    void done() { ++done_; }
    int answered() const { return done_; }

  private:
    std::atomic<int> left_;
    std::atomic<int> done_{0};
    Clock::time_point until_;
};

ringlet::Session session_for(const Target& target, const ringlet::ConnectionCache& cache);

// Each sends until the budget is used up, and returns how many connections that took, by the client's own
// count.
std::size_t new_handle_each(const Target& target, Budget& budget);
std::size_t one_handle(const Target& target, Budget& budget);
std::size_t one_session(const Target& target, Budget& budget);
std::size_t eight_threads(const Target& target, Budget& budget);

struct Result {
    int requests = 0;
    double seconds = 0;
    std::size_t connections = 0;  // by the server's count, where it is ours
};
Result measure(const Target& target, std::size_t (*way)(const Target&, Budget&));

}  // namespace demo
