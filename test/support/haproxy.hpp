#pragma once

#include <cstdint>
#include <string>

#include "support/access_log.hpp"
#include "support/server_process.hpp"

namespace ringlet::test {

struct HaproxyOptions {
    std::string keepalive_timeout = "75s";
    std::string client_timeout = "75s";
    std::string server_timeout = "75s";
    bool serverclose = false;         // a new upstream connection for each request
    Certificate certificate = {};     // empty: one from TestCa
    std::string frontend_lines = {};  // more configuration
    std::string backend_lines = {};
};

// HAProxy on all four protocols, in front of an HTTP/1.1 server on 127.0.0.1.
class Haproxy : public ServerProcess {
  public:
    static bool available() { return find_program("haproxy").has_value(); }

    explicit Haproxy(std::uint16_t upstream_port, const HaproxyOptions& options = {});
    ~Haproxy() override { stop(); }

    // From its access log.
    std::size_t requests_served() const { return log_.requests(); }
    std::size_t connections_served() const { return log_.connections(); }
    bool wait_for_requests(std::size_t n, Clock::duration timeout = 5s) const {
        return log_.wait_for_requests(n, timeout);
    }
    // Lines of "<client port>-<server port> <request line> <status> <termination state>".
    std::string access_log() const { return log_.text(); }

  private:
    AccessLog log_;
};

}  // namespace ringlet::test
