#pragma once

#include <atomic>
#include <chrono>

namespace ringlet::test {

using namespace std::chrono_literals;

using Clock = std::chrono::steady_clock;

// A door that opens once and stays open. It is an eventfd, so that one poll() can wait for a gate, a socket
// and the end of the server at the same time. A gate that a script waits for must outlive the server: declare
// it first.
class Gate {
  public:
    Gate();
    ~Gate();
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    void open();
    bool is_open() const { return open_.load(std::memory_order_acquire); }

    // True once the gate is open; false if that did not happen in time.
    bool wait(Clock::duration timeout = 5s) const;

    // Readable when the gate is open.
    int fd() const { return fd_; }

  private:
    // ThreadSanitizer sees no order through poll() on an eventfd: this carries it.
    std::atomic<bool> open_ = false;
    int fd_ = -1;
};

}  // namespace ringlet::test
