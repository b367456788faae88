// A libcurl whose Nth call fails, as if memory had run out there.
#pragma once

#include <cstddef>

namespace ringlet::test {

// Puts itself in place of libcurl for as long as it lives. Counts those calls that may fail, and fails number
// `fail_at` (from 1; 0: none). Functions that cannot fail (cleanups, strerror) pass. One at a time, and no
// other thread in ringlet.
class FaultyCurl {
  public:
    explicit FaultyCurl(std::size_t fail_at);
    ~FaultyCurl();
    FaultyCurl(const FaultyCurl&) = delete;
    FaultyCurl& operator=(const FaultyCurl&) = delete;

    std::size_t calls() const;
    // The name of the function that failed; empty: none has yet.
    const char* failed() const;
};

}  // namespace ringlet::test
