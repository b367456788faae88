#include "curl/proxy_environment.hpp"

#include <cstdlib>
#include <initializer_list>

namespace ringlet::detail {

bool proxy_in_environment() noexcept {
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
        const char* value = std::getenv(name);
        if (value != nullptr && *value != '\0') return true;
    }
    return false;
}

}  // namespace ringlet::detail
