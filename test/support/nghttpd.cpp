#include "support/nghttpd.hpp"

namespace ringlet::test {

Nghttpd::Nghttpd(const NghttpdOptions& options) {
    write_certificate(options.certificate);
    write_documents();
    auto protocol = options.tls ? Protocol::h2 : Protocol::h2c;
    start({protocol}, [&](const Ports& ports) {
        Command command{find_program("nghttpd").value().string(), "--address=127.0.0.1",
                        "--htdocs=" + file("www"), "--echo-upload"};
        command.insert(command.end(), options.arguments.begin(), options.arguments.end());
        if (!options.tls) command.push_back("--no-tls");
        command.push_back(std::to_string(ports.at(protocol)));
        if (options.tls) command.insert(command.end(), {file("server.key"), file("server.crt")});
        return command;
    });
}

}  // namespace ringlet::test
