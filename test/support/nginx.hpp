#pragma once

#include <cstddef>
#include <string>

#include "support/access_log.hpp"
#include "support/origin.hpp"
#include "support/server_process.hpp"

namespace ringlet::test {

struct NginxOptions {
    int keepalive_requests = 1000;
    std::string keepalive_timeout = "75s";  // "0" switches keep-alive off
    std::string slow_rate = "64k";          // of /slow, bytes per second
    Certificate certificate = {};           // empty: one from TestCa
    std::string client_ca_pem = {};         // not empty: TLS clients must show a certificate of this CA
    std::string http_directives = {};       // more configuration, inside http {}
    std::string locations = {};             // more configuration, inside each server {}
};

// nginx on all four protocols.
//
//   /small           100 bytes, small_body()
//   /size/1k         also 64k, 1m, 100m (zeros)
//   /text            64 KiB, gzip for those who accept it
//   /slow            1 MiB at slow_rate
//   /echo            the request's body, after it was read whole
//   /discard         200 for any method; the body is read and dropped
//   /dav/...         PUT and DELETE of files
//   /redirect        302 to /small;  /redirect/307 keeps the method, to /echo;  /redirect/loop to itself
//   /status/404      also 204, 304, 401, 410, 500, 503
//   /basic           like /small for user "user" with password "secret"
//   /close           like /small, with Connection: close
class Nginx : public ServerProcess {
  public:
    static bool available() { return find_program("nginx").has_value(); }

    explicit Nginx(const NginxOptions& options = {});
    ~Nginx() override { stop(); }

    // From its access log. A request with both a body and "Connection: close" is logged only when the client
    // has closed (lingering_close).
    std::size_t requests_served() const { return log_.requests(); }
    std::size_t connections_served() const { return log_.connections(); }  // distinct ones among the requests
    bool wait_for_requests(std::size_t n, Clock::duration timeout = 5s) const {
        return log_.wait_for_requests(n, timeout);
    }
    // Lines of "<connection> <number of the request on it> <port> <protocol> <method> <uri> <status>".
    std::string access_log() const { return log_.text(); }

  private:
    Origin echo_;
    AccessLog log_;
};

}  // namespace ringlet::test
