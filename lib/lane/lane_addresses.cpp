// A lane's two ends, as text and as plain bytes.
#include "lane/lane.hpp"

#include <cstring>
#include <string>

namespace ringlet::detail {

void Lane::set_addresses(const char* local_ip, int local_port, const char* remote_ip,
                         int remote_port) noexcept {
    const auto set = [](Address& address, const char* ip, int port) {
        const auto size =
            ip != nullptr ? ::strnlen(ip, sizeof address.ip - 1) : 0;  // for each request: no printf
        if (size != 0) std::memcpy(address.ip, ip, size);
        address.ip[size] = '\0';
        address.port = port;
    };
    set(local_, local_ip, local_port);
    set(remote_, remote_ip, remote_port);
}

std::string Lane::Address::text() const {
    if (*ip == '\0') return {};
    const std::string host = std::strchr(ip, ':') != nullptr ? '[' + std::string(ip) + ']' : std::string(ip);
    return port > 0 ? host + ':' + std::to_string(port) : host;
}

}  // namespace ringlet::detail
