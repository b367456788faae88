// Bounds of time that hold on a busy machine too, and the moment at which two events meet.
#pragma once

#include <cstddef>
#include <thread>

#include "support/gate.hpp"

namespace ringlet::test {

// Polls until `holds`; false if it does not in time. For what happens on another thread and announces itself
// nowhere.
template <class Condition>
bool eventually(Condition holds, Clock::duration timeout = 5s) {
    const auto until = Clock::now() + timeout;
    while (!holds()) {
        if (Clock::now() >= until) return false;
        std::this_thread::sleep_for(2ms);  // why: the interval of a poll
    }
    return true;
}

// Whether one of several runs takes less than the bound: `run` returns what it has measured. Another process
// can hold up any single run, but not all of them, unless it is the code that takes too long.
template <class Run>
bool ever_within(Clock::duration bound, Run run, int runs = 5) {
    for (int i = 0; i < runs; ++i) {
        if (run() < bound) return true;
    }
    return false;
}

// When to do what is to meet something else: found by trying, a step later after each time that it came
// first, a step earlier after each time that it came second. So both happen, and mostly within a step of one
// another, however fast the machine is.
class MeetingPoint {
  public:
    MeetingPoint(Clock::duration first_try, Clock::duration step) : at_(first_try), step_(step) {}

    Clock::duration at() const { return at_; }
    void came_first() {
        at_ += step_;
        ++first_;
    }
    void came_second() {
        at_ -= step_;
        ++second_;
    }
    // Each order has come about.
    bool met() const { return first_ > 0 && second_ > 0; }

  private:
    Clock::duration at_;
    Clock::duration step_;
    std::size_t first_ = 0;
    std::size_t second_ = 0;
};

}  // namespace ringlet::test
