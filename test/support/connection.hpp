#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "support/gate.hpp"
#include "support/recorded.hpp"
#include "support/tally.hpp"

typedef struct ssl_st SSL;

namespace ringlet::test {

struct OriginContext;

enum class PeerEvent { fin, rst, data, timeout };

// Whether closing a TLS connection says so to the peer first. Plain connections have nothing to say.
enum class CloseNotify { send, omit };

// The server's end of one connection, as a script sees it. A script runs on a thread of its own; one further
// thread may write while the script reads. Every wait ends when the server stops: reads then report the end,
// writes fail.
class Connection {
  public:
    Connection(std::shared_ptr<OriginContext> origin, int fd, std::size_t index, std::uint16_t peer_port);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // --- Requests ---

    // Head and body (by Content-Length or chunked), recorded. Answers "Expect: 100-continue" with a 100
    // unless OriginOptions::send_continue is off. nullopt when the connection ends before the request does.
    std::optional<Recorded> read_request();
    // Only up to the blank line, recorded as it is; the body stays unread.
    std::optional<Recorded> read_head();
    // The body that belongs to a head from read_head(); false when the connection ends before it does.
    bool read_body(Recorded& request);

    // Adds to the requests of the server, for scripts that speak another protocol than HTTP/1.
    void record(const Recorded& request);

    // --- Bytes ---

    // What has arrived, at least 1 and at most n bytes; empty at the end of the connection.
    std::string read_some(std::size_t n = 65536);
    // nullopt when the connection ends before n bytes.
    std::optional<std::string> read_exactly(std::size_t n);
    // Up to and with CRLF, which is removed; nullopt when the connection ends before.
    std::optional<std::string> read_line();
    // Everything up to the end of the connection.
    std::string read_all();
    // False if the peer has gone or the server stops; blocks while the peer does not read.
    bool write(std::string_view bytes);
    // In pieces of `chunk` bytes with a pause after each but the last.
    bool write_slowly(std::string_view bytes, std::size_t chunk, Clock::duration interval);
    // Bytes on the socket itself, under TLS.
    bool write_raw(std::string_view bytes);

    // --- Ends ---

    // Our FIN; reading goes on.
    void shutdown_write(CloseNotify notify = CloseNotify::send);
    // No more reading; the peer is not told (its further bytes are dropped).
    void shutdown_read();
    void close(CloseNotify notify = CloseNotify::send);
    // RST.
    void reset();
    // The next thing that the peer does. Bytes that arrived before are `data`, also when a FIN follows them.
    PeerEvent wait_for_fin(Clock::duration timeout = 5s);
    // What ended the connection so far, by whoever saw it first (this script or the server's watch).
    PeerEnd peer_end() const { return end_; }

    // --- TLS ---

    // The server side of the handshake; done before the script unless OriginOptions::handshake_first is off.
    bool start_tls();
    bool is_tls() const { return ssl_ != nullptr; }
    bool resumed_session() const;
    std::string alpn() const;
    std::string sni() const;
    // Subject of the client's certificate, "CN=..."; empty without one.
    std::string client_certificate() const;

    // --- Waiting: false when the server stops first ---

    bool sleep(Clock::duration duration) const;
    bool wait_for(const Gate& gate, Clock::duration timeout = 5s) const;
    // Until poll() reports one of these events (POLLIN, POLLOUT), or an error, for another descriptor.
    bool wait_for_events(int fd, short events) const;
    void wait_for_stop() const;
    bool stop_requested() const;

    std::size_t index() const { return index_; }
    std::uint16_t peer_port() const { return peer_port_; }
    // Non-blocking. -1 once closed.
    int fd() const { return fd_; }

  private:
    friend class Origin;

    enum class Step { done, wants_read, wants_write, ended };
    struct Progress {
        Step step = Step::ended;
        std::size_t bytes = 0;
    };

    // "_locked": io_mutex_ is held. A receive and the note of what it means are one step for other threads,
    // since recv() takes the error away that the watch would have found.
    Progress receive_locked(char* to, std::size_t size);
    Progress send_locked(std::string_view bytes);
    Progress send_raw_locked(std::string_view bytes);
    Progress tls_progress_locked(int result);
    void note_end_locked(PeerEnd end);
    void note_errno_locked(int error);
    // Looks at the socket for an end that nothing has noted yet.
    void watch_locked();
    bool fin_behind_shut_down_read_locked() const;
    bool data_waits_locked();
    std::optional<PeerEvent> event_locked();
    void close_fd_locked();
    void close_notify_locked();

    // Called by the server: the peer may have ended; the script is over; end it now. True when the script is
    // over and the socket closed.
    bool on_hangup();
    bool on_script_end();
    bool kill(bool with_reset);

    std::size_t receive(char* to, std::size_t size);
    bool send_all(std::string_view bytes, Progress (Connection::*send)(std::string_view));
    bool wait_ready(Step wanted) const;
    bool fill();
    std::string take(std::size_t n);
    std::optional<Recorded> read_head_only();
    bool read_counted(Recorded& request, std::size_t n);
    bool read_chunks(Recorded& request);

    const std::shared_ptr<OriginContext> origin_;
    const std::size_t index_;
    const std::uint16_t peer_port_;

    mutable std::mutex io_mutex_;
    int fd_;              // closed by the script's thread, or by the watch after the script
    SSL* ssl_ = nullptr;  // guarded by io_mutex_ once the handshake is done
    std::atomic<PeerEnd> end_ = PeerEnd::none;  // written once, under io_mutex_
    bool script_over_ = false;                  // guarded by io_mutex_
    bool read_shut_down_ = false;               // guarded by io_mutex_
    bool tls_over_ = false;  // guarded by io_mutex_; after close_notify or an error nothing more is read

    // Only the reading thread uses these.
    std::string buffered_;
    std::size_t taken_ = 0;
    std::size_t heads_ = 0;
};

}  // namespace ringlet::test
