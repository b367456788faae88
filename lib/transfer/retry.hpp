// The decisions of a RetryPolicy.
#pragma once

#include "ringlet/error.hpp"
#include "ringlet/settings.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace ringlet::detail {

bool wants_retry(const RetryPolicy& policy, int status) noexcept;
bool wants_retry(const RetryPolicy& policy, const Error& error) noexcept;
/// How long to wait after that attempt (1 is the first): what the server asked for (RFC 9110 section 10.2.3:
/// seconds or a date), at most max_backoff; else a random time up to the doubled backoff.
std::chrono::milliseconds retry_pause(const RetryPolicy& policy, unsigned attempt,
                                      std::optional<std::string_view> retry_after);

}  // namespace ringlet::detail
