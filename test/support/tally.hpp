#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "support/recorded.hpp"

namespace ringlet::test {

// How a connection ended, by what was seen first.
enum class PeerEnd { none, fin, rst, closed_by_us };

// The end of one connection.
struct Ended {
    std::size_t connection = 0;  // accept number
    PeerEnd how = PeerEnd::none;
    Clock::time_point at;
};

// What a server has seen so far.
struct Snapshot {
    std::size_t accepts = 0;
    std::size_t open = 0;       // accepted, and neither ended by the client nor closed by us
    std::size_t held = 0;       // accepted, and their descriptor not yet closed by us
    std::size_t peak_open = 0;  // never too high: a FIN sent before a connect() is counted before its accept
    std::size_t fins = 0;       // connections that the client ended with FIN
    std::size_t resets = 0;     // connections that the client ended with RST
    std::size_t closed_by_us = 0;
    std::size_t request_count = 0;
    std::size_t handshakes = 0;  // completed TLS handshakes
    std::size_t handshake_failures = 0;
    std::size_t resumed_sessions = 0;  // of the handshakes
    std::size_t close_notifies = 0;    // TLS close_notify alerts read from clients
    std::vector<Ended> ended;          // in the order of time
    std::vector<Recorded> requests;    // complete ones; with read_head(): those with a complete head
    std::vector<Recorded> incomplete;  // the head was read, the body never arrived whole
    std::vector<std::string> errors;   // what() of exceptions that left a script; failed handshakes

    // Connections that the client ended, in whichever way.
    std::size_t ends() const { return fins + resets; }
};

// The observables of one server, guarded by one mutex and announced by one condition variable.
class Tally {
  public:
    // Runs change on the snapshot under the lock, then wakes those who wait.
    template <typename Change>
    void update(Change change) {
        {
            std::lock_guard lock(mutex_);
            change(now_);
        }
        changed_.notify_all();
    }

    template <typename Get>
    auto get(Get read) const {
        std::lock_guard lock(mutex_);
        return read(now_);
    }

    bool wait_until(const std::function<bool(const Snapshot&)>& holds, Clock::duration timeout) const;

  private:
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    Snapshot now_;
};

}  // namespace ringlet::test
