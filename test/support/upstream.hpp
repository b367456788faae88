#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/connection.hpp"
#include "support/posix.hpp"

namespace ringlet::test {

// A proxy's connection to a server, over which requests go one after the other.
class Upstream {
  public:
    explicit Upstream(std::uint16_t port) : port_(port), socket_(connect_tcp(port)) {}

    std::uint16_t port() const { return port_; }
    bool send(std::string_view bytes);
    // Passes one response on, 1xx responses before it too. False when this connection or the client cannot go
    // on.
    bool relay_response(Connection& client, std::string_view method);

  private:
    bool fill(const Connection& client);
    bool read_until(const Connection& client, std::string_view mark, std::size_t& end);
    bool relay(Connection& client, std::size_t n);
    bool relay_chunks(Connection& client);
    bool relay_rest(Connection& client);
    bool relay_body(Connection& client, const Recorded& head, std::string_view method);

    std::uint16_t port_;
    Fd socket_;
    std::string buffered_;
};

}  // namespace ringlet::test
