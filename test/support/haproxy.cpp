#include "support/haproxy.hpp"

#include <map>

namespace ringlet::test {

namespace {

const char haproxy_configuration[] = R"(
global
    nbthread 1
    maxconn 2000
    log stdout format raw local0
defaults
    mode http
    log global
    option dontlognull
    timeout connect 5s
    timeout client ${client_timeout}
    timeout server ${server_timeout}
    timeout http-keep-alive ${keepalive_timeout}
    ${serverclose}
frontend main
    bind 127.0.0.1:${http}
    bind 127.0.0.1:${https} ssl crt ${dir}/server.pem alpn http/1.1
    bind 127.0.0.1:${h2} ssl crt ${dir}/server.pem alpn h2,http/1.1
    bind 127.0.0.1:${h2c} proto h2
    log-format "%cp-%fp %{+Q}r %ST %ts"
    ${frontend_lines}
    default_backend upstream
backend upstream
    ${backend_lines}
    server upstream 127.0.0.1:${upstream}
)";

}  // namespace

Haproxy::Haproxy(std::uint16_t upstream_port, const HaproxyOptions& options)
    : log_(directory() / "stdout.log") {
    write_certificate(options.certificate);
    start({Protocol::http, Protocol::https, Protocol::h2, Protocol::h2c}, [&](const Ports& ports) {
        std::map<std::string, std::string> values = {
            {"dir", directory().string()},
            {"client_timeout", options.client_timeout},
            {"server_timeout", options.server_timeout},
            {"keepalive_timeout", options.keepalive_timeout},
            {"serverclose", options.serverclose ? "option http-server-close" : ""},
            {"frontend_lines", options.frontend_lines},
            {"backend_lines", options.backend_lines},
            {"upstream", std::to_string(upstream_port)},
            {"http", std::to_string(ports.at(Protocol::http))},
            {"https", std::to_string(ports.at(Protocol::https))},
            {"h2", std::to_string(ports.at(Protocol::h2))},
            {"h2c", std::to_string(ports.at(Protocol::h2c))},
        };
        temp().write("haproxy.cfg", fill_in(haproxy_configuration, values));
        return Command{find_program("haproxy").value().string(), "-db", "-f", file("haproxy.cfg")};
    });
}

}  // namespace ringlet::test
