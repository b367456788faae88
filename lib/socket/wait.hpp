// Waiting for a descriptor.
#pragma once

#include "socket/stream.hpp"

namespace ringlet::detail {

/// Throws Error{cancelled} when the stop token, or the lane's cache (shutdown), says so; Error{timeout} past
/// the deadline.
void check_limits(const StreamLimits& limits, const Lane* lane);

/// Sleeps until the descriptor is ready for `events` (POLLIN, POLLOUT), or check_limits() throws. May return
/// early: the caller tries its operation and asks again. `lane`, unless null, is one whose lease is held by
/// the caller.
void wait_ready(int fd, short events, const StreamLimits& limits, Lane* lane);

}  // namespace ringlet::detail
