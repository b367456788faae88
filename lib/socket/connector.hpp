// Connector: from a host, or a plain descriptor, to a stream.
#pragma once

#include "ringlet/socket.hpp"
#include "socket/stream.hpp"
#include "value/options.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// Throws Error{invalid_argument}.
WireOptions tls_wire(const TlsOptions& options);
/// "https://host/". Throws Error{invalid_argument} for what is no host name or address.
std::string tls_url(std::string_view host);

/// Connects; the stream counts in the cache while it is open. Throws what Socket::connect() says.
std::unique_ptr<Stream> dial(std::string_view host, std::uint16_t port, const SocketOptions& options,
                             const std::shared_ptr<Cache>& cache, const StreamLimits& limits);

/// TLS on a plain descriptor, verified against the URL's host. Throws Error: tls, timeout, cancelled; it is
/// closed then.
std::unique_ptr<Stream> secured(Descriptor plain, const std::string& url, const WireOptions& tls,
                                const StreamLimits& limits);

}  // namespace ringlet::detail
