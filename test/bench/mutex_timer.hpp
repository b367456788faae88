// How long mutexes are held, without a change to the code that holds them: an executable with mutex_timer.cpp
// has its own pthread_mutex_lock() and _unlock(), which call libc's.
#pragma once

#include <vector>

namespace ringlet::bench {

// From now on each hold of a mutex whose address is in [begin, end) is timed, by whichever thread. One such
// mutex at a time for each thread, and no condition variable: its sleep would count.
void time_mutexes(const void* begin, const void* end);
// Ends that. Nanoseconds of each hold in no order; the clock's own reading, once, is part of each.
std::vector<double> timed_holds();

}  // namespace ringlet::bench
