#include "support/nginx.hpp"

#include <unistd.h>

#include <map>

#include "support/echo.hpp"

namespace ringlet::test {

namespace {

const char nginx_configuration[] = R"(
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
lock_file ${dir}/nginx.lock;
error_log ${dir}/error.log notice;
${user}
events { worker_connections 4096; }

http {
    log_format connections '$connection $connection_requests $server_port $server_protocol $request_method $uri $status';
    access_log ${dir}/access.log connections;
    client_body_temp_path ${dir}/client_body;
    proxy_temp_path ${dir}/proxy;
    fastcgi_temp_path ${dir}/fastcgi;
    uwsgi_temp_path ${dir}/uwsgi;
    scgi_temp_path ${dir}/scgi;
    default_type text/plain;
    client_max_body_size 0;
    keepalive_requests ${keepalive_requests};
    keepalive_timeout ${keepalive_timeout};
    sendfile on;
    tcp_nodelay on;
    gzip_types text/plain;
    gzip_proxied any;
    ssl_certificate ${dir}/server.crt;
    ssl_certificate_key ${dir}/server.key;
    ssl_session_cache shared:tls:1m;
    ${client_verification}
    upstream echo { server 127.0.0.1:${echo}; }
    ${http_directives}
    server { listen 127.0.0.1:${http}; include ${dir}/locations.conf; }
    server { listen 127.0.0.1:${https} ssl; include ${dir}/locations.conf; }
    server { listen 127.0.0.1:${h2} ssl http2; include ${dir}/locations.conf; }
    server { listen 127.0.0.1:${h2c} http2; include ${dir}/locations.conf; }
}
)";

const char locations[] = R"(
root ${dir}/www;
absolute_redirect off;
location = /text { gzip on; }
location = /slow { limit_rate ${slow_rate}; }
location = /echo { proxy_pass http://echo; proxy_http_version 1.1; proxy_set_header Connection ""; }
location = /discard { proxy_pass http://echo; proxy_http_version 1.1; }
location /dav/ { dav_methods PUT DELETE; create_full_put_path on; }
location = /redirect { return 302 /small; }
location = /redirect/307 { return 307 /echo; }
location = /redirect/loop { return 302 /redirect/loop; }
location = /status/204 { return 204; }
location = /status/304 { return 304; }
location = /status/401 { return 401; }
location = /status/404 { return 404; }
location = /status/410 { return 410; }
location = /status/500 { return 500; }
location = /status/503 { return 503; }
location = /basic { auth_basic test; auth_basic_user_file ${dir}/users; try_files /small =404; }
location = /close { keepalive_timeout 0; try_files /small =404; }
${locations}
)";

}  // namespace

Nginx::Nginx(const NginxOptions& options)
    : echo_(echo_script(), echo_options()), log_(directory() / "access.log") {
    write_certificate(options.certificate);
    write_documents();
    temp().write("users", "user:{PLAIN}secret\n");
    temp().write("client_ca.crt", options.client_ca_pem);
    start({Protocol::http, Protocol::https, Protocol::h2, Protocol::h2c}, [&](const Ports& ports) {
        std::map<std::string, std::string> values = {
            {"dir", directory().string()},
            // Workers of a master that is root would be "nobody", who cannot read our directory.
            {"user", ::geteuid() == 0 ? "user root;" : ""},
            {"keepalive_requests", std::to_string(options.keepalive_requests)},
            {"keepalive_timeout", options.keepalive_timeout},
            {"slow_rate", options.slow_rate},
            {"http_directives", options.http_directives},
            {"locations", options.locations},
            {"echo", std::to_string(echo_.port())},
            {"http", std::to_string(ports.at(Protocol::http))},
            {"https", std::to_string(ports.at(Protocol::https))},
            {"h2", std::to_string(ports.at(Protocol::h2))},
            {"h2c", std::to_string(ports.at(Protocol::h2c))},
            {"client_verification",
             options.client_ca_pem.empty()
                 ? ""
                 : "ssl_verify_client on; ssl_client_certificate " + file("client_ca.crt") + ";"},
        };
        temp().write("locations.conf", fill_in(locations, values));
        temp().write("nginx.conf", fill_in(nginx_configuration, values));
        return Command{find_program("nginx").value().string(),
                       "-p",
                       directory().string(),
                       "-c",
                       file("nginx.conf"),
                       "-e",
                       file("error.log")};
    });
}

}  // namespace ringlet::test
