#include "curl/proxy_environment.hpp"

#include <cstdlib>
#include <initializer_list>

namespace ringlet::detail {
namespace {

std::string_view first_of(std::initializer_list<const char*> names) noexcept {
    for (const char* name : names) {
        const char* value = std::getenv(name);
        if (value != nullptr && *value != '\0') return value;
    }
    return {};
}

}  // namespace

bool proxy_in_environment() noexcept {
    return !environment_proxy(false).empty() || !environment_proxy(true).empty();
}

// HTTP_PROXY does not count: a server that runs CGI programs puts a request's Proxy field there.
std::string_view environment_proxy(bool https) noexcept {
    return https ? first_of({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
                 : first_of({"http_proxy", "all_proxy", "ALL_PROXY"});
}

std::string proxy_scheme(std::string_view proxy) {
    const auto end = proxy.find("://");
    if (end == std::string_view::npos) return "http";
    std::string scheme(proxy.substr(0, end));
    for (char& c : scheme) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    return scheme;
}

}  // namespace ringlet::detail
