#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/origin.hpp"

namespace ringlet::test {

struct ProxyOptions {
    std::string user = {};  // not empty: clients must name this user and the password
    std::string password = {};
    // Where all requests and tunnels go, whatever host and port they name; without it 127.0.0.1 and the port
    // named.
    std::optional<std::uint16_t> target_port = {};
    OriginOptions listen = {};  // of the proxy itself: TLS, address, ...
};

// Where a client of a proxy wanted to go.
struct ProxyTarget {
    std::size_t connection = 0;  // accept number at the proxy
    std::string host;            // as the client wrote it, a name or an address
    std::uint16_t port = 0;
};

// A forward proxy: absolute-form requests, on kept connections, and CONNECT. Its Origin records all requests
// as they came: CONNECTs, absolute-form requests, those that were answered 407.
//
// For proxies that misbehave write a script for a plain Origin, and call tunnel() when it is to behave again.
class HttpProxy {
  public:
    explicit HttpProxy(ProxyOptions options = {});

    // "http://127.0.0.1:4711" (https with TLS), with or without "user:password@".
    std::string url() const;
    std::string url_with_password() const;
    std::uint16_t port() const { return origin_.port(); }
    Origin& origin() { return origin_; }

    std::vector<Recorded> connect_requests() const;   // all that asked for CONNECT
    std::vector<Recorded> absolute_requests() const;  // all others
    std::size_t connects() const { return connect_requests().size(); }
    std::vector<ProxyTarget> tunnels() const;  // the CONNECTs that were granted

  private:
    void serve(Connection& client);
    bool authorized(const Recorded& request) const;
    void connect(Connection& client, const Recorded& request);

    const ProxyOptions options_;
    mutable std::mutex mutex_;
    std::vector<ProxyTarget> tunnels_;  // guarded by mutex_
    Origin origin_;                     // last: its threads use the others
};

// A SOCKS5 proxy: CONNECT without authentication, or with user and password.
class SocksProxy {
  public:
    explicit SocksProxy(ProxyOptions options = {});

    // "socks5h://127.0.0.1:4711"; socks5 lets the client resolve names.
    std::string url(std::string_view scheme = "socks5h") const;
    std::string url_with_password(std::string_view scheme = "socks5h") const;
    std::uint16_t port() const { return origin_.port(); }
    Origin& origin() { return origin_; }

    std::size_t connects() const { return tunnels().size(); }
    std::vector<ProxyTarget> tunnels() const;  // the CONNECTs that were granted
    std::size_t refusals() const;              // wrong passwords, or none

  private:
    void serve(Connection& client);
    bool negotiate(Connection& client);
    bool check_password(Connection& client);
    std::optional<ProxyTarget> read_target(Connection& client) const;

    const ProxyOptions options_;
    mutable std::mutex mutex_;
    std::vector<ProxyTarget> tunnels_;  // guarded by mutex_
    std::size_t refusals_ = 0;          // guarded by mutex_
    Origin origin_;                     // last: its threads use the others
};

}  // namespace ringlet::test
