#include "transfer/lane_key_of.hpp"

#include "value/origin.hpp"

#include <string>

namespace ringlet::detail {
namespace {

/// A plain request through an HTTP proxy travels on a connection to the proxy, whatever its origin: those
/// share lanes.
bool travels_on_proxy_connection(const Url& url, const WireOptions& wire) {
    if (url.https() || !wire.proxy || wire.proxy->empty() || wire.unix_socket) return false;
    return wire.proxy->find("://") == std::string::npos || wire.proxy->starts_with("http://") ||
           wire.proxy->starts_with("https://");
}

/// libcurl's DNS cache knows a name's addresses as they were asked for: all of them, one family's, or what
/// CURLOPT_RESOLVE said. Only the first may be everybody's.
LaneKey::Memory memory_of(const WireOptions& wire) {
    const bool one_family = wire.ip_version.value_or(IpVersion::any) != IpVersion::any;
    return one_family || wire.private_to != 0 ? LaneKey::Memory::own : LaneKey::Memory::shared;
}

}  // namespace

LaneKey lane_key(const Url& url, const Options& options) {
    const auto rest = isolation_text(options.wire);
    const auto memory = memory_of(options.wire);
    if (!travels_on_proxy_connection(url, options.wire)) return {url.origin(), rest, memory};
    const auto& proxy = *options.wire.proxy;
    const auto full = proxy.find("://") == std::string::npos ? "http://" + proxy : proxy;
    return {normalise_origin(full), "through_proxy=1\n" + rest, memory};
}

}  // namespace ringlet::detail
