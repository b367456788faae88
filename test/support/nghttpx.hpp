#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/access_log.hpp"
#include "support/server_process.hpp"

namespace ringlet::test {

struct NghttpxOptions {
    Certificate certificate = {};  // empty: one from TestCa
    std::vector<std::string> arguments =
        {};  // more of them, for example {"--frontend-http2-read-timeout=1s"}
};

// nghttpx in front of an HTTP/1.1 server on 127.0.0.1: Protocol::http, h2 and h2c. It has no port with
// HTTP/1.1 only over TLS.
class Nghttpx : public ServerProcess {
  public:
    static bool available() { return find_program("nghttpx").has_value(); }

    explicit Nghttpx(std::uint16_t upstream_port, const NghttpxOptions& options = {});
    ~Nghttpx() override { stop(); }

    // From its access log.
    std::size_t requests_served() const { return log_.requests(); }
    std::size_t connections_served() const { return log_.connections(); }
    bool wait_for_requests(std::size_t n, Clock::duration timeout = 5s) const {
        return log_.wait_for_requests(n, timeout);
    }
    // Lines of "<client port>-<server port> <request line> <status>".
    std::string access_log() const { return log_.text(); }

  private:
    AccessLog log_;
};

}  // namespace ringlet::test
