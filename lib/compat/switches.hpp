// What the environment says of the drop-in, read once.
#pragma once

namespace ringlet::detail {

/// False with RINGLET_DISABLE=1: each call goes to libcurl.
bool pooling_enabled() noexcept;

/// A transfer that took no lane.
void count_passed_through() noexcept;

/// With RINGLET_STATS=1 the figures go to stderr when the process exits. Called when a handle is made: a
/// process that makes none has none to print.
void arrange_statistics() noexcept;

}  // namespace ringlet::detail
