// Whether the environment names a proxy.
#pragma once

namespace ringlet::detail {

/// True when any variable that libcurl looks at for http and https is set. Then proxies are left to libcurl;
/// else it need not look for each request. Asked once for each new lane.
bool proxy_in_environment() noexcept;

}  // namespace ringlet::detail
