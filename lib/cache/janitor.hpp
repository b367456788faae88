// Janitor: the thread that watches a cache's idle connections.
#pragma once

#include <chrono>
#include <memory>
#include <thread>

namespace ringlet::detail {

class Cache;

/// Closes what expires, what its peer closes and what is written to, with no traffic needed. Sleeps in one
/// poll() over the idle sockets until the next of these, or until told that lanes have become idle; without
/// idle lanes it sleeps for good.
///
/// The thread owns nothing of the cache: it takes a reference for each round of work. When that happens to be
/// the last one, the cache is destroyed on this thread; the janitor is then left to end by itself.
class Janitor {
  public:
    /// nullptr where no thread or descriptor is to be had.
    static std::unique_ptr<Janitor> start(std::weak_ptr<Cache> cache,
                                          std::chrono::nanoseconds idle_timeout) noexcept;
    /// Ends the thread and waits for it, but for the thread itself.
    ~Janitor();
    Janitor(const Janitor&) = delete;
    Janitor& operator=(const Janitor&) = delete;

    /// Lanes have become idle. Never blocks.
    void notify() noexcept;

    /// In a forked child, where the thread does not exist.
    static void leave_to_parent(std::unique_ptr<Janitor> janitor) noexcept;

  private:
    struct State;
    class Loop;
    Janitor(std::shared_ptr<State> state, std::thread thread) noexcept;

    std::shared_ptr<State> state_;
    std::thread thread_;
};

}  // namespace ringlet::detail
