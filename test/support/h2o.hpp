#pragma once

#include <string>

#include "support/access_log.hpp"
#include "support/origin.hpp"
#include "support/server_process.hpp"

namespace ringlet::test {

struct H2oOptions {
    int http1_idle_timeout = 75;   // seconds, of reading a request: keep-alive too
    int http2_idle_timeout = 75;   // seconds
    Certificate certificate = {};  // empty: one from TestCa
    std::string lines = {};        // more configuration, global
};

// h2o: Protocol::http, h2 and h2c. It has no port with HTTP/1.1 only over TLS. The documents of Nginx:
// /small, /size/..., /text (gzip), /echo, /discard, /redirect, /redirect/307, /redirect/loop; it has no rate
// limit.
class H2o : public ServerProcess {
  public:
    static bool available() { return find_program("h2o").has_value(); }

    explicit H2o(const H2oOptions& options = {});
    ~H2o() override { stop(); }

    // From its access log.
    std::size_t requests_served() const { return log_.requests(); }
    std::size_t connections_served() const { return log_.connections(); }
    bool wait_for_requests(std::size_t n, Clock::duration timeout = 5s) const {
        return log_.wait_for_requests(n, timeout);
    }
    // Lines of "<connection> <request line> <status>".
    std::string access_log() const { return log_.text(); }

  private:
    Origin echo_;
    AccessLog log_;
};

}  // namespace ringlet::test
