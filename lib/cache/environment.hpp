// Cache settings from RINGLET_* variables.
#pragma once

#include "cache/settings.hpp"

namespace ringlet::detail {

/// Defaults, with what the environment sets: for the process-wide cache, which no builder makes. Whole
/// numbers; times are in seconds; "unlimited" where the setting has that. A value that the setting does not
/// allow is reported on stderr and left out. Ignored in programs that run with another user's rights
/// (secure_getenv).
///
/// RINGLET_MAX_CONNECTIONS, RINGLET_MAX_CONNECTIONS_PER_HOST, RINGLET_MAX_IDLE, RINGLET_MAX_IDLE_PER_HOST,
/// RINGLET_IDLE_TIMEOUT, RINGLET_MAX_LIFETIME, RINGLET_MAX_REQUESTS_PER_CONNECTION, RINGLET_ACQUIRE_TIMEOUT,
/// RINGLET_DNS_TTL, RINGLET_WATCH_IDLE (0 or 1)
CacheSettings settings_from_environment();

}  // namespace ringlet::detail
