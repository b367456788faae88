#include "support/apache.hpp"

#include <unistd.h>

#include <map>

#include "support/echo.hpp"

namespace ringlet::test {

namespace {

// The modules come from the directory of the distribution; those that are compiled in are skipped by
// <IfModule>.
const char apache_configuration[] = R"(
ServerRoot ${dir}
ServerName localhost
PidFile ${dir}/apache.pid
DefaultRuntimeDir ${dir}
TypesConfig /dev/null
ErrorLog ${dir}/error.log
LogLevel info
${user}
${modules}
Listen 127.0.0.1:${http}
Listen 127.0.0.1:${https}
Listen 127.0.0.1:${h2}
Listen 127.0.0.1:${h2c}
StartServers 1
ThreadsPerChild 64
MaxRequestWorkers 256
KeepAlive ${keepalive}
KeepAliveTimeout ${keepalive_timeout}
MaxKeepAliveRequests ${keepalive_requests}
LogFormat "%{remote}p-%p %k \"%r\" %>s" connections
CustomLog ${dir}/access.log connections
DocumentRoot ${dir}/www
<Directory ${dir}/www>
    Require all granted
    ForceType text/plain
</Directory>
<Location /text>
    SetOutputFilter DEFLATE
</Location>
<Location /slow>
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit ${slow_rate}
</Location>
ProxyPass /echo http://127.0.0.1:${echo}/echo
ProxyPass /discard http://127.0.0.1:${echo}/discard
RedirectMatch 307 ^/redirect/307$ /echo
RedirectMatch 302 ^/redirect/loop$ /redirect/loop
RedirectMatch 302 ^/redirect$ /small
RedirectMatch 404 ^/status/404$
RedirectMatch 410 ^/status/410$
RedirectMatch 500 ^/status/500$
RedirectMatch 503 ^/status/503$
SSLSessionCache shmcb:${dir}/tls(512000)
${directives}
<VirtualHost 127.0.0.1:${http}>
    Protocols http/1.1
</VirtualHost>
<VirtualHost 127.0.0.1:${https}>
    Protocols http/1.1
    SSLEngine on
    SSLCertificateFile ${dir}/server.crt
    SSLCertificateKeyFile ${dir}/server.key
</VirtualHost>
<VirtualHost 127.0.0.1:${h2}>
    Protocols h2 http/1.1
    SSLEngine on
    SSLCertificateFile ${dir}/server.crt
    SSLCertificateKeyFile ${dir}/server.key
</VirtualHost>
<VirtualHost 127.0.0.1:${h2c}>
    Protocols h2c http/1.1
</VirtualHost>
)";

const std::filesystem::path module_directory = "/usr/lib/apache2/modules";

std::string load_modules() {
    std::string lines;
    for (std::string name : {"mpm_event", "authz_core", "mime", "deflate", "filter", "env", "ratelimit",
                             "alias", "proxy", "proxy_http", "socache_shmcb", "ssl", "http2"}) {
        auto file = (module_directory / ("mod_" + name + ".so")).string();
        lines +=
            "<IfModule !" + name + "_module>\nLoadModule " + name + "_module " + file + "\n</IfModule>\n";
    }
    return lines;
}

// Apache refuses to serve as root. The account that it changes to must be able to read our directory.
std::string user_directives(const std::filesystem::path& directory) {
    if (::geteuid() != 0) return "";
    using std::filesystem::perms;
    auto readable =
        perms::owner_all | perms::group_read | perms::group_exec | perms::others_read | perms::others_exec;
    std::filesystem::permissions(directory, readable);
    return "User #65534\nGroup #65534\n";
}

}  // namespace

bool Apache::available() {
    return find_program("apache2") && std::filesystem::exists(module_directory / "mod_http2.so");
}

Apache::Apache(const ApacheOptions& options)
    : echo_(echo_script(), echo_options()), log_(directory() / "access.log") {
    write_certificate(options.certificate);
    write_documents();
    start({Protocol::http, Protocol::https, Protocol::h2, Protocol::h2c}, [&](const Ports& ports) {
        std::map<std::string, std::string> values = {
            {"dir", directory().string()},
            {"user", user_directives(directory())},
            {"modules", load_modules()},
            {"keepalive", options.keepalive ? "On" : "Off"},
            {"keepalive_requests", std::to_string(options.keepalive_requests)},
            {"keepalive_timeout", options.keepalive_timeout},
            {"slow_rate", std::to_string(options.slow_rate)},
            {"directives", options.directives},
            {"echo", std::to_string(echo_.port())},
            {"http", std::to_string(ports.at(Protocol::http))},
            {"https", std::to_string(ports.at(Protocol::https))},
            {"h2", std::to_string(ports.at(Protocol::h2))},
            {"h2c", std::to_string(ports.at(Protocol::h2c))},
        };
        temp().write("apache.conf", fill_in(apache_configuration, values));
        return Command{find_program("apache2").value().string(), "-f", file("apache.conf"), "-DFOREGROUND"};
    });
}

}  // namespace ringlet::test
