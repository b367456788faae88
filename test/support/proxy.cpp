#include "support/proxy.hpp"

#include <arpa/inet.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "support/tunnel.hpp"
#include "support/upstream.hpp"

namespace ringlet::test {

namespace {

std::string base64(std::string_view text) {
    std::string encoded(4 * ((text.size() + 2) / 3), '\0');
    // Also writes a zero byte at the end, where std::string has one.
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                    reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    return encoded;
}

// "host:80", "[::1]:80"; without a port the default.
ProxyTarget split_authority(std::string_view authority, std::uint16_t default_port) {
    ProxyTarget target;
    target.port = default_port;
    auto colon = authority.rfind(':');
    if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
        target.port = static_cast<std::uint16_t>(std::atoi(std::string(authority.substr(colon + 1)).c_str()));
        authority = authority.substr(0, colon);
    }
    if (authority.starts_with('[')) authority = authority.substr(1, authority.size() - 2);
    target.host = authority;
    return target;
}

// The request as the server gets it: origin-form, without what was meant for the proxy.
std::string origin_form(const Recorded& request, std::string_view path) {
    std::string head = request.method + " " + (path.empty() ? "/" : std::string(path)) + " HTTP/1.1\r\n";
    std::size_t at = request.head.find("\r\n") + 2;
    while (at < request.head.size() - 2) {
        auto end = request.head.find("\r\n", at) + 2;
        auto line = std::string_view(request.head).substr(at, end - at);
        if (!equal_ignoring_case(line.substr(0, 6), "proxy-") &&
            !equal_ignoring_case(line.substr(0, 7), "expect:"))
            head += line;
        at = end;
    }
    head += "\r\n";
    if (!request.chunked) return head + request.body;
    return head + (request.body.empty() ? "" : chunk(request.body)) + chunk("");
}

// Bodies are passed on from the record: it must have them whole.
OriginOptions keeping_bodies(OriginOptions options) {
    options.max_recorded_body = std::size_t{1} << 30;
    return options;
}

const std::string bad_gateway = reply("", 502);

std::string with_password(std::string url, const ProxyOptions& options) {
    return url.insert(url.find("//") + 2, options.user + ":" + options.password + "@");
}

}  // namespace

// --- HTTP ---

HttpProxy::HttpProxy(ProxyOptions options)
    : options_(std::move(options)),
      origin_([this](Connection& client) { serve(client); }, keeping_bodies(options_.listen)) {}

std::string HttpProxy::url() const {
    return origin_.url("");
}

std::string HttpProxy::url_with_password() const {
    return with_password(url(), options_);
}

std::vector<Recorded> HttpProxy::connect_requests() const {
    auto requests = origin_.requests();
    std::erase_if(requests, [](const Recorded& request) { return request.method != "CONNECT"; });
    return requests;
}

std::vector<Recorded> HttpProxy::absolute_requests() const {
    auto requests = origin_.requests();
    std::erase_if(requests, [](const Recorded& request) { return request.method == "CONNECT"; });
    return requests;
}

std::vector<ProxyTarget> HttpProxy::tunnels() const {
    std::lock_guard lock(mutex_);
    return tunnels_;
}

bool HttpProxy::authorized(const Recorded& request) const {
    if (options_.user.empty()) return true;
    return request.header("proxy-authorization") ==
           "Basic " + base64(options_.user + ":" + options_.password);
}

void HttpProxy::serve(Connection& client) {
    std::unique_ptr<Upstream> upstream;
    while (auto request = client.read_request()) {
        if (!authorized(*request)) {
            if (!client.write(reply("", 407, "Proxy-Authenticate: Basic realm=\"test\"\r\n"))) return;
            continue;
        }
        if (request->method == "CONNECT") return connect(client, *request);
        std::string_view target = request->target;
        auto scheme_end = target.find("://");
        if (scheme_end == std::string_view::npos) {
            client.write(reply("", 400));
            continue;
        }
        target.remove_prefix(scheme_end + 3);
        auto path = target.substr(std::min(target.find('/'), target.size()));
        auto wanted = split_authority(target.substr(0, target.size() - path.size()), 80);
        auto port = options_.target_port.value_or(wanted.port);
        try {
            if (!upstream || upstream->port() != port) upstream = std::make_unique<Upstream>(port);
        } catch (const std::exception&) {
            if (!client.write(bad_gateway)) return;
            continue;
        }
        if (!upstream->send(origin_form(*request, path)) ||
            !upstream->relay_response(client, request->method))
            return client.close();
    }
}

void HttpProxy::connect(Connection& client, const Recorded& request) {
    auto target = split_authority(request.target, 443);
    target.connection = client.index();
    Fd socket;
    try {
        socket = connect_tcp(options_.target_port.value_or(target.port));
    } catch (const std::exception&) {
        client.write(bad_gateway);
        return client.close();
    }
    {
        std::lock_guard lock(mutex_);
        tunnels_.push_back(target);
    }
    if (client.write("HTTP/1.1 200 Connection established\r\n\r\n")) tunnel(client, std::move(socket));
}

// --- SOCKS5, RFC 1928 and RFC 1929 ---

namespace {

namespace socks {
constexpr char version = 5;
constexpr char no_authentication = 0;
constexpr char user_and_password = 2;
constexpr char no_method = '\xff';
constexpr char connect_command = 1;
constexpr char ipv4 = 1;
constexpr char name = 3;
constexpr char ipv6 = 4;

enum Result : char { succeeded = 0, refused = 5, not_supported = 7 };

// The bound address in it is of no use to anybody: zeros.
std::string answer(Result result) {
    return std::string{version, result, 0, ipv4, 0, 0, 0, 0, 0, 0};
}
}  // namespace socks

// One byte that says how many follow.
std::optional<std::string> read_counted(Connection& client) {
    auto size = client.read_exactly(1);
    if (!size) return std::nullopt;
    return client.read_exactly(static_cast<unsigned char>((*size)[0]));
}

std::string printed(int family, const std::string& address) {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(family, address.data(), text, sizeof text);
    return text;
}

}  // namespace

SocksProxy::SocksProxy(ProxyOptions options)
    : options_(std::move(options)), origin_([this](Connection& client) { serve(client); }, options_.listen) {}

std::string SocksProxy::url(std::string_view scheme) const {
    auto url = origin_.url("");
    return std::string(scheme) + url.substr(url.find("://"));
}

std::string SocksProxy::url_with_password(std::string_view scheme) const {
    return with_password(url(scheme), options_);
}

std::vector<ProxyTarget> SocksProxy::tunnels() const {
    std::lock_guard lock(mutex_);
    return tunnels_;
}

std::size_t SocksProxy::refusals() const {
    std::lock_guard lock(mutex_);
    return refusals_;
}

bool SocksProxy::check_password(Connection& client) {
    auto version = client.read_exactly(1);
    auto user = version ? read_counted(client) : std::nullopt;
    auto password = user ? read_counted(client) : std::nullopt;
    if (!password) return false;
    bool good = *user == options_.user && *password == options_.password;
    return client.write(std::string{1, good ? '\0' : '\1'}) && good;
}

bool SocksProxy::negotiate(Connection& client) {
    auto version = client.read_exactly(1);
    auto methods = version ? read_counted(client) : std::nullopt;
    if (!methods) return false;
    char wanted = options_.user.empty() ? socks::no_authentication : socks::user_and_password;
    bool offered = methods->find(wanted) != std::string::npos;
    client.write(std::string{socks::version, offered ? wanted : socks::no_method});
    bool good = offered && (options_.user.empty() || check_password(client));
    std::lock_guard lock(mutex_);
    if (!good) ++refusals_;
    return good;
}

std::optional<ProxyTarget> SocksProxy::read_target(Connection& client) const {
    auto head = client.read_exactly(4);
    if (!head) return std::nullopt;
    ProxyTarget target;
    target.connection = client.index();
    char type = (*head)[3];
    std::optional<std::string> address;
    if (type == socks::name) address = read_counted(client);
    if (type == socks::ipv4) address = client.read_exactly(4);
    if (type == socks::ipv6) address = client.read_exactly(16);
    auto port = address ? client.read_exactly(2) : std::nullopt;
    if (!port) return std::nullopt;
    target.host =
        type == socks::name ? *address : printed(type == socks::ipv4 ? AF_INET : AF_INET6, *address);
    target.port = static_cast<std::uint16_t>(static_cast<unsigned char>((*port)[0]) << 8 |
                                             static_cast<unsigned char>((*port)[1]));
    if ((*head)[1] == socks::connect_command) return target;
    client.write(socks::answer(socks::not_supported));
    return std::nullopt;
}

void SocksProxy::serve(Connection& client) {
    if (!negotiate(client)) return client.close();
    auto target = read_target(client);
    if (!target) return client.close();
    Fd socket;
    try {
        socket = connect_tcp(options_.target_port.value_or(target->port));
    } catch (const std::exception&) {
        client.write(socks::answer(socks::refused));
        return client.close();
    }
    {
        std::lock_guard lock(mutex_);
        tunnels_.push_back(*target);
    }
    if (client.write(socks::answer(socks::succeeded))) tunnel(client, std::move(socket));
}

}  // namespace ringlet::test
