#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/certificates.hpp"
#include "support/connection.hpp"
#include "support/script.hpp"
#include "support/tally.hpp"

namespace ringlet::test {

struct OriginOptions {
    std::string address = "127.0.0.1";  // or "::1", or any local one
    std::uint16_t port = 0;             // 0: the system chooses
    std::string unix_path = {};         // not empty: listen on this Unix socket instead
    int backlog = 1024;
    bool accepting = true;   // false: as after stop_accepting()
    int receive_buffer = 0;  // SO_RCVBUF, for uploads that must get stuck; 0: the system's
    int send_buffer = 0;     // SO_SNDBUF

    bool tls = false;
    bool handshake_first = true;         // false: the script calls start_tls() itself
    Certificate certificate = {};        // empty: one from TestCa for localhost, 127.0.0.1 and ::1
    std::vector<std::string> alpn = {};  // in order of preference; empty: no ALPN
    std::string client_ca_pem = {};      // not empty: clients must show a certificate of this CA
    int max_tls_version = 0;             // for example TLS1_2_VERSION; 0: no limit
    bool session_tickets = true;

    bool send_continue = true;                 // see Connection::read_request()
    bool record_requests = true;               // false: only count them (benchmarks)
    std::size_t max_recorded_body = 16 << 20;  // bytes of each body to keep
};

// TLS, and else the defaults.
inline OriginOptions tls_options(std::vector<std::string> alpn = {}) {
    OriginOptions options;
    options.tls = true;
    options.alpn = std::move(alpn);
    return options;
}

// How Origin::close_all() ends connections.
enum class KillWith { fin, rst };

// A scripted server: listens on a loopback address or a Unix socket and runs the script for each connection
// on a thread of its own. One more thread accepts and watches all sockets, so that a client's FIN or RST is
// counted at once, whether or not the script reads and also after it has returned. A connection whose script
// has returned stays open until the client ends it. The destructor ends all connections and joins all
// threads.
class Origin {
  public:
    explicit Origin(Script script, OriginOptions options = {});
    ~Origin();
    Origin(const Origin&) = delete;
    Origin& operator=(const Origin&) = delete;

    std::uint16_t port() const;
    const std::string& unix_path() const;
    // "http://127.0.0.1:4711/": scheme, address and port of this server, then path.
    std::string url(std::string_view path = "/") const;
    // The same with another host name, which must resolve to this address.
    std::string url_for(std::string_view host, std::string_view path = "/") const;

    // For connections accepted from now on.
    void set_script(Script script);

    // --- Observables ---

    std::size_t accepts() const;
    std::size_t open_connections() const;
    std::size_t peak_open() const;
    std::size_t fins() const;
    std::size_t resets() const;
    std::size_t request_count() const;
    std::vector<Recorded> requests() const;
    std::vector<Ended> ended() const;  // which connections ended, how and when
    std::vector<std::string> errors() const;
    Snapshot snapshot() const;

    // --- Waits: true as soon as it holds, false if it does not hold in time ---

    // `holds` runs under the server's lock: it must not call the server.
    bool wait_until(const std::function<bool(const Snapshot&)>& holds, Clock::duration timeout = 5s) const;
    bool wait_for_accepts(std::size_t n, Clock::duration timeout = 5s) const;     // at least n
    bool wait_for_requests(std::size_t n, Clock::duration timeout = 5s) const;    // at least n
    bool wait_for_handshakes(std::size_t n, Clock::duration timeout = 5s) const;  // at least n
    bool wait_for_fins(std::size_t n, Clock::duration timeout = 5s) const;        // at least n
    bool wait_for_ends(std::size_t n, Clock::duration timeout = 5s) const;        // FIN or RST, at least n
    bool wait_for_open(std::size_t n, Clock::duration timeout = 5s) const;        // exactly n

    // --- Actions ---

    // Ends all connections of this moment; their scripts see the end.
    void close_all(KillWith how = KillWith::fin);
    // Connections from now on are refused.
    void stop_listening();
    // Connections from now on stay in the backlog, until start_accepting(). Behind a full one (`backlog` 0:
    // one connection) the client's connect() hangs.
    void stop_accepting();
    void start_accepting();
    // What the destructor does; the observables stay.
    void stop();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ringlet::test
