#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "support/gate.hpp"

namespace ringlet::test {

// A file descriptor with an owner.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~Fd() { reset(); }

    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

// Throws std::system_error for errno.
[[noreturn]] void throw_errno(const std::string& what);

// poll() until something is ready (true) or the deadline has passed (false). Signals do not shorten it.
bool poll_until(std::span<pollfd> fds, Clock::time_point deadline);

// now + timeout, without overflow for Clock::duration::max().
Clock::time_point deadline_after(Clock::duration timeout);

// A blocking client socket to a loopback address, TCP_NODELAY; throws if refused.
Fd connect_tcp(std::uint16_t port, const std::string& address = "127.0.0.1");
Fd connect_unix(const std::string& path);

// A TCP port of 127.0.0.1 that was free a moment ago.
std::uint16_t free_port();

// How many descriptors this process has open, the one for counting them among them.
std::size_t open_descriptors();

// How much memory of this process is in RAM, in bytes.
std::size_t resident_bytes();

// A thread that takes no signals, so that a test's timers interrupt the threads under test only.
std::thread start_thread(std::function<void()> body);

}  // namespace ringlet::test
