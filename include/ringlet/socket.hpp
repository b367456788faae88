// Socket: a raw stream with one owner. HttpOverSocket: HTTP over exactly one given connection.
#pragma once

#include <ringlet/connection_cache.hpp>
#include <ringlet/export.hpp>
#include <ringlet/limits.hpp>
#include <ringlet/request.hpp>
#include <ringlet/response.hpp>
#include <ringlet/settings.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>

namespace ringlet {
namespace detail {
class SocketCore;
class AdoptedHttp;
struct Access;
}  // namespace detail

inline namespace v1 {

/// How a server is verified when TLS is done on a socket.
struct TlsOptions {
    std::filesystem::path ca_file = {};      ///< the authorities to trust, PEM; default: the system's
    std::string ca_blob = {};                ///< the same, in memory
    bool verify = true;                      ///< false: any certificate for any host. Never in production.
    std::string pinned_key = {};             ///< "sha256//base64" of the public key
    std::filesystem::path certificate = {};  ///< the client's own, PEM
    std::filesystem::path key = {};
};

struct SocketOptions {
    bool tls = false;  ///< TLS at once, verified against the host
    TlsOptions tls_options = {};
    /// For connect() (waiting for a slot included), and after it for each operation of the socket.
    Duration timeout = unlimited;
    /// Ends connect() and each later operation with Errc::cancelled.
    std::stop_token stop = {};
    /// "http://host:port", "socks5h://..."; "": none. Default: libcurl's environment variables. HTTP proxies
    /// are asked to CONNECT.
    std::optional<std::string> proxy = {};
    /// In whose limits the socket counts, from connect() until it is closed. Default: the process-wide cache.
    std::optional<ConnectionCache> cache = {};
};

enum class SocketState : std::uint8_t {
    connecting,  ///< start_tls() is at work
    open,
    reading,  ///< an operation is in flight
    writing,
    half_closed,  ///< the peer has ended its side: reads return 0, writes still go
    closed,
    taken,  ///< the stream was moved out: into another Socket or an HttpOverSocket, or released
};
RINGLET_API std::string_view to_string(SocketState) noexcept;

/// A stream of bytes to a peer. Move-only, one owner, one operation at a time: while one is in flight on
/// another thread every other is Errc::socket_locked. On a closed socket each operation is socket_closed, on
/// one whose stream was moved out socket_taken (close() does nothing on either). The destructor closes; no
/// operation may be in flight then.
///
/// An operation ended by its time leaves a socket open after a read (nothing is lost) and closes it after a
/// write (a part may have left). Any other error, a stop token's too, closes it.
class RINGLET_API Socket {
  public:
    /// Closed.
    Socket() noexcept;
    Socket(Socket&&) noexcept;
    Socket& operator=(Socket&&) noexcept;
    ~Socket();

    /// Connects, with all that libcurl has: names, both IP versions at once, proxies, TLS. Throws Error:
    /// acquire_timeout, timeout, cancelled, cache_closed, resolve, connect, tls, proxy, invalid_argument.
    static Socket connect(std::string_view host, std::uint16_t port, const SocketOptions& options = {});
    static Socket connect(std::string_view host, std::uint16_t port, const SocketOptions& options,
                          std::error_code& ec);
    /// Takes over a connected stream socket, TCP or Unix, and owns it from then on. Errc::invalid_argument
    /// for anything else, which then stays the caller's. It need not be non-blocking, and is left as it is.
    static Socket adopt(int fd);

    /// Up to buffer.size() bytes, at least one unless the peer has ended its side: then 0, for ever.
    std::size_t read(std::span<std::byte> buffer);
    std::size_t read(std::span<std::byte> buffer, std::error_code& ec);
    /// Writes all of it; returns its size.
    std::size_t write(std::span<const std::byte> bytes);
    std::size_t write(std::span<const std::byte> bytes, std::error_code& ec);
    /// Returns when every byte written has left for the kernel. Writes do not linger, so there is seldom
    /// anything to wait for.
    void flush();
    void flush(std::error_code& ec);
    /// Ends both directions (TLS: says so first). Idempotent; socket_locked while an operation is in flight.
    void close();

    /// TLS from here on, on a socket without, after a plain dialogue such as STARTTLS. The certificate must
    /// be `host`'s. socket_disturbed when plain bytes have arrived that nobody read: they would be taken for
    /// the secure peer's. An error closes the socket.
    void start_tls(std::string_view host, const TlsOptions& options = {});
    void start_tls(std::string_view host, const TlsOptions& options, std::error_code& ec);

    /// Gives the descriptor to the caller, who closes it; the socket is `taken`. invalid_argument when bytes
    /// pass through TLS (its state lives inside libcurl); socket_disturbed when bytes have been received with
    /// a 101's head and are unread.
    int release();

    SocketState state() const noexcept;
    /// Each operation's time from now on.
    Socket& timeout(Duration d);
    /// Ends operations from now on with Errc::cancelled, from any thread.
    Socket& stop(std::stop_token token);

    std::string local_address() const;  ///< "127.0.0.1:41234"; empty for Unix sockets
    std::string remote_address() const;

  private:
    friend struct detail::Access;
    friend class HttpOverSocket;
    explicit Socket(std::shared_ptr<detail::SocketCore> core) noexcept;
    detail::SocketCore& core() const;
    std::shared_ptr<detail::SocketCore> core_;  // null: moved from, or default
    bool moved_ = false;
};

class HttpOverSocket;
template <>
detail::Options& Settings<HttpOverSocket>::record();
extern template class Settings<HttpOverSocket>;

/// A client over exactly one connection. Its requests go out one after another; it never dials, so a request
/// that libcurl would have to connect again for fails. Move-only, one thread at a time, with a Session's
/// settings. All requests go to one origin (the first one's) with the same connection settings; the host is a
/// name only: for the Host field, and with https for TLS on the socket, verified against it.
///
/// After an error, an answer that ends its connection, or a body dropped unread, each request is
/// Errc::client_spent. A redirect to another origin is returned, not followed. Nothing is replayed.
class RINGLET_API HttpOverSocket : public Settings<HttpOverSocket> {
  public:
    /// Takes the socket's stream, which must be open: socket_closed (also when the peer has ended it),
    /// socket_locked, socket_taken; socket_disturbed when the peer has sent bytes that nobody read;
    /// invalid_argument when it is a TLS socket (hand over the plain one and send requests for https URLs).
    /// On an error the socket stays as it was.
    explicit HttpOverSocket(Socket&& socket);
    HttpOverSocket(HttpOverSocket&&) noexcept;
    HttpOverSocket& operator=(HttpOverSocket&&) noexcept;
    ~HttpOverSocket();

    /// From now on one request may be sent; the next is Errc::client_spent.
    HttpOverSocket& single_use();

    Response get(std::string_view url);
    Response get(std::string_view url, std::error_code& ec);
    Response head(std::string_view url);
    Response head(std::string_view url, std::error_code& ec);
    Response post(std::string_view url, Body body = {});
    Response post(std::string_view url, Body body, std::error_code& ec);
    Response put(std::string_view url, Body body = {});
    Response put(std::string_view url, Body body, std::error_code& ec);
    Response patch(std::string_view url, Body body = {});
    Response patch(std::string_view url, Body body, std::error_code& ec);
    Response del(std::string_view url, Body body = {});
    Response del(std::string_view url, Body body, std::error_code& ec);
    Response options(std::string_view url);
    Response options(std::string_view url, std::error_code& ec);
    Response send(const Request& request);
    Response send(const Request& request, std::error_code& ec);

    /// Gives the connection back between two requests. session_busy while a response is unfinished,
    /// client_spent when the connection has ended, invalid_argument when TLS or HTTP/2 is on it. The client
    /// is spent afterwards.
    Socket release();

  private:
    friend class Settings<HttpOverSocket>;
    detail::AdoptedHttp& http() const;
    std::unique_ptr<detail::AdoptedHttp> http_;
};

}  // namespace v1
}  // namespace ringlet
