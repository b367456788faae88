#include "support/nghttpx.hpp"

namespace ringlet::test {

Nghttpx::Nghttpx(std::uint16_t upstream_port, const NghttpxOptions& options)
    : log_(directory() / "access.log") {
    write_certificate(options.certificate);
    // Empty: the one of the system must not count.
    temp().write("nghttpx.conf", "");
    start({Protocol::http, Protocol::h2, Protocol::h2c}, [&](const Ports& ports) {
        auto frontend = [&](Protocol protocol) {
            return "-f127.0.0.1," + std::to_string(ports.at(protocol));
        };
        Command command{find_program("nghttpx").value().string(),
                        "--conf=" + file("nghttpx.conf"),
                        "--single-process",
                        "--workers=1",
                        "--errorlog-file=" + file("error.log"),
                        "--accesslog-file=" + file("access.log"),
                        "--accesslog-format=$remote_port-$server_port \"$request\" $status",
                        "-b127.0.0.1," + std::to_string(upstream_port),
                        frontend(Protocol::http) + ";no-tls",
                        frontend(Protocol::h2),
                        frontend(Protocol::h2c) + ";no-tls"};
        command.insert(command.end(), options.arguments.begin(), options.arguments.end());
        command.insert(command.end(), {file("server.key"), file("server.crt")});
        return command;
    });
}

}  // namespace ringlet::test
