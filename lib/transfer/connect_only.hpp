// Connections without a request: opening one, and taking its descriptor out of libcurl.
#pragma once

#include "cache/cache.hpp"
#include "cache/lease.hpp"
#include "value/options.hpp"

#include <stop_token>
#include <string>

namespace ringlet::detail {

struct ConnectPlan {
    std::string url;  // "https://host:port/": with TLS
    WireOptions wire;
    bool tunnel = false;  // an HTTP proxy is asked to CONNECT
    Clock::time_point deadline = Clock::time_point::max();
    std::stop_token stop;
};

/// Connects a lane that was just leased, and tells its cache. The easy handle stays in the multi: removing it
/// closes the connection (CURLOPT_CONNECT_ONLY). Throws Error: resolve, connect, tls, proxy, timeout,
/// cancelled; the caller ends the lease.
void connect_only(Lease& lease, const ConnectPlan& plan);

/// A descriptor for the lane's one connection that is the caller's alone. Its transfer is taken off the lane,
/// which closes nothing that the peer would notice and has no connection afterwards. Throws
/// Error{connection_lost} where there is none.
int take_descriptor(Lane& lane);

/// Some proxy that this lane may use is spoken to with TLS: then no descriptor carries plain bytes.
bool https_proxy_possible(const WireOptions& wire);

}  // namespace ringlet::detail
