#pragma once

#include <string>

#include "support/access_log.hpp"
#include "support/origin.hpp"
#include "support/server_process.hpp"

namespace ringlet::test {

struct ApacheOptions {
    int keepalive_requests = 1000;         // 0: no limit
    std::string keepalive_timeout = "75";  // seconds, or with a unit: "300ms"
    bool keepalive = true;
    int slow_rate = 64;            // of /slow, KiB per second
    Certificate certificate = {};  // empty: one from TestCa
    std::string directives = {};   // more configuration, for the whole server
};

// Apache httpd on all four protocols (HTTP/2 by mod_http2). The documents of Nginx: /small, /size/..., /text,
// /slow, /echo, /discard, /redirect, /redirect/307, /redirect/loop, /status/404, 410, 500 and 503.
class Apache : public ServerProcess {
  public:
    static bool available();

    explicit Apache(const ApacheOptions& options = {});
    ~Apache() override { stop(); }

    // From its access log.
    std::size_t requests_served() const { return log_.requests(); }
    std::size_t connections_served() const { return log_.connections(); }
    bool wait_for_requests(std::size_t n, Clock::duration timeout = 5s) const {
        return log_.wait_for_requests(n, timeout);
    }
    // Lines of "<client port>-<server port> <requests on the connection before> <request line> <status>".
    std::string access_log() const { return log_.text(); }

  private:
    Origin echo_;
    AccessLog log_;
};

}  // namespace ringlet::test
