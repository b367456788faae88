#include "support/h2o.hpp"

#include <unistd.h>

#include <map>

#include "support/echo.hpp"

namespace ringlet::test {

namespace {

const char h2o_configuration[] = R"(
num-threads: 1
pid-file: ${dir}/h2o.pid
error-log: ${dir}/error.log
access-log:
  path: ${dir}/access.log
  format: '%{connection-id}x "%r" %s'
http1-request-timeout: ${http1_idle_timeout}
http2-idle-timeout: ${http2_idle_timeout}
compress: [gzip]
ssl-session-resumption:
  mode: all
listen:
  host: 127.0.0.1
  port: ${http}
listen:
  host: 127.0.0.1
  port: ${h2c}
listen:
  host: 127.0.0.1
  port: ${h2}
  ssl:
    certificate-file: ${dir}/server.crt
    key-file: ${dir}/server.key
    ocsp-update-interval: 0
hosts:
  default:
    paths:
      /echo:
        proxy.reverse.url: http://127.0.0.1:${echo}/echo
      /discard:
        proxy.reverse.url: http://127.0.0.1:${echo}/discard
      /redirect/307:
        redirect: {url: /echo, status: 307, internal: NO}
      /redirect/loop:
        redirect: {url: /redirect/loop, status: 302, internal: NO}
      /redirect:
        redirect: {url: /small, status: 302, internal: NO}
      /:
        file.dir: ${dir}/www
        file.mime.setdefaulttype: text/plain
${user}
${lines}
)";

}  // namespace

H2o::H2o(const H2oOptions& options) : echo_(echo_script(), echo_options()), log_(directory() / "access.log") {
    write_certificate(options.certificate);
    write_documents();
    start({Protocol::http, Protocol::h2, Protocol::h2c}, [&](const Ports& ports) {
        std::map<std::string, std::string> values = {
            {"dir", directory().string()},
            // Else it would change to "nobody", who cannot read our directory.
            {"user", ::geteuid() == 0 ? "user: root" : ""},
            {"http1_idle_timeout", std::to_string(options.http1_idle_timeout)},
            {"http2_idle_timeout", std::to_string(options.http2_idle_timeout)},
            {"lines", options.lines},
            {"echo", std::to_string(echo_.port())},
            {"http", std::to_string(ports.at(Protocol::http))},
            {"h2", std::to_string(ports.at(Protocol::h2))},
            {"h2c", std::to_string(ports.at(Protocol::h2c))},
        };
        temp().write("h2o.conf", fill_in(h2o_configuration, values));
        return Command{find_program("h2o").value().string(), "--mode=worker", "--conf=" + file("h2o.conf")};
    });
}

}  // namespace ringlet::test
