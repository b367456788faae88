// Reading ahead: what OpenSSL takes off the socket before anybody asks for it.
#pragma once

namespace ringlet::detail {

/// libcurl since 8.15 lets OpenSSL read ahead: bytes that nobody asked for may lie there, where no look at
/// the socket finds them, and would be the next request's answer.
bool tls_reads_ahead() noexcept;

/// Not with this SSL_CTX (the second argument of a CURLOPT_SSL_CTX_FUNCTION).
void stop_reading_ahead(void* ssl_ctx) noexcept;

}  // namespace ringlet::detail
