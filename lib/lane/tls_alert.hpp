// How a TLS server says goodbye. Header only.
#pragma once

#include <cstddef>

namespace ringlet::detail {

/// Bytes of a close_notify alert at most: 24 in TLS 1.3, 31 with TLS 1.2's AES-GCM.
inline constexpr std::size_t tls_alert_size = 31;

}  // namespace ringlet::detail
