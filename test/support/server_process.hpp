#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/certificates.hpp"
#include "support/gate.hpp"
#include "support/temp_dir.hpp"

namespace ringlet::test {

// What a port of a real server speaks.
enum class Protocol {
    http,   // HTTP/1.1
    https,  // HTTP/1.1 over TLS
    h2,     // HTTP/2 over TLS (ALPN), HTTP/1.1 where the server falls back
    h2c,    // HTTP/2 without TLS, prior knowledge
};

// A program from PATH or one of the usual directories.
std::optional<std::filesystem::path> find_program(std::string_view name);

// Body of `GET /small` on every real server that serves files: 100 bytes.
const std::string& small_body();

// A real server: a child process in a process group of its own, with a temporary directory for its
// configuration and logs. Stopped and waited for at destruction. It also gets SIGTERM when the *thread* that
// started it ends (PR_SET_PDEATHSIG): start servers on a thread that outlives their use.
class ServerProcess {
  public:
    virtual ~ServerProcess();
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;

    // Throws std::out_of_range for a protocol that this server does not offer.
    std::uint16_t port(Protocol protocol) const { return ports_.at(protocol); }
    bool offers(Protocol protocol) const { return ports_.contains(protocol); }
    // "https://127.0.0.1:4711/small". The certificate is of TestCa::instance() unless the options say
    // otherwise.
    std::string url(Protocol protocol, std::string_view path = "/") const;

    pid_t pid() const { return pid_; }
    bool running();
    // SIGTERM, after two seconds SIGKILL; returns when the process is gone and all its connections are
    // closed.
    void stop();
    // stop(), then the same again on the same ports.
    void restart();
    // Stops all its processes as they are, without a FIN or RST; and lets them go on.
    void freeze() const;
    void thaw() const;

    const std::filesystem::path& directory() const { return directory_.path(); }
    // What it has written to stdout, stderr and its error log.
    std::string log() const;

  protected:
    using Ports = std::map<Protocol, std::uint16_t>;
    using Command = std::vector<std::string>;

    ServerProcess() = default;

    // Chooses ports, lets `configure` write the files and return the command, starts it and waits until all
    // ports accept. Begins anew with other ports if it does not come up, since a port may be taken meanwhile.
    void start(const std::vector<Protocol>& protocols, const std::function<Command(const Ports&)>& configure);

    const TempDir& temp() const { return directory_; }
    // Writes server.crt, server.key and ca.crt; an empty certificate means one from TestCa.
    void write_certificate(Certificate certificate) const;
    // Fills <directory>/www with small, size/{1k,64k,1m,100m}, text and slow.
    void write_documents() const;
    std::string file(std::string_view name) const { return (directory_ / name).string(); }

  private:
    void spawn();
    bool comes_up(Clock::duration timeout);
    void signal_group(int signal) const;
    bool wait_for_exit(Clock::duration timeout);

    TempDir directory_;
    Ports ports_;
    Command command_;
    pid_t pid_ = -1;
};

// Text with each ${name} replaced by its value; throws std::invalid_argument for an unknown name.
std::string fill_in(std::string_view text, const std::map<std::string, std::string>& values);

}  // namespace ringlet::test
