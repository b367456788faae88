// The proxy that the environment names.
#pragma once

#include <string>
#include <string_view>

namespace ringlet::detail {

/// True when any variable that libcurl looks at for http and https is set. Then proxies are left to libcurl;
/// else it need not look for each request. Asked once for each new lane.
bool proxy_in_environment() noexcept;

/// The one that libcurl would use for such a URL, but for NO_PROXY; empty: none. Valid until the environment
/// changes.
std::string_view environment_proxy(bool https) noexcept;

/// In lower case, "http" where the proxy is written without one. As curl_easy_setopt(CURLOPT_PROXY) has it.
std::string proxy_scheme(std::string_view proxy);

}  // namespace ringlet::detail
