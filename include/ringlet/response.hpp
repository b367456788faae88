// Response: an answer whose body is pulled by the caller.
#pragma once

#include <ringlet/body_reader.hpp>
#include <ringlet/events.hpp>
#include <ringlet/export.hpp>
#include <ringlet/headers.hpp>
#include <ringlet/limits.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ringlet {
namespace detail {
class Exchange;
struct Access;
}  // namespace detail

inline namespace v1 {

class Socket;

/// How much of a body its caller has taken.
enum class BodyState : std::uint8_t { unread, partially_read, complete, abandoned, failed };
RINGLET_API std::string_view to_string(BodyState) noexcept;

/// What became of a response's connection.
struct Disposition {
    bool reused = false;                     ///< it went back to the cache, open
    CloseReason reason = CloseReason::none;  ///< why not
    std::uint64_t discarded_bytes = 0;       ///< body bytes thrown away by consume() or a drain
};

/// Limits of consume(): for the whole drain.
struct DrainLimits {
    Limit bytes = unlimited;
    Duration time = unlimited;
};

/// When each step was done, counted from the moment when the (last) hop had its connection; `queued` and
/// `redirects` are what came before that. Steps that did not happen, as connecting on a kept connection, are
/// 0.
struct Timings {
    std::chrono::microseconds queued{};      ///< spent waiting for a connection, before the last hop
    std::chrono::microseconds resolved{};    ///< the host's name
    std::chrono::microseconds connected{};   ///< TCP, or to the proxy
    std::chrono::microseconds tls{};         ///< the handshake
    std::chrono::microseconds sent{};        ///< ready to send the request
    std::chrono::microseconds first_byte{};  ///< of the answer
    std::chrono::microseconds total{};       ///< the last byte; the caller's own pauses are in it
    std::chrono::microseconds redirects{};   ///< spent on earlier hops
};

/// An answer. Move-only; one thread at a time. Its connection carries nothing else until the body has been
/// read to its end, consumed, aborted or dropped (the sequential rule); dropping it half read closes the
/// connection (HTTP/1) and logs a warning. It may outlive its Session and its cache: it keeps what it needs.
///
/// Functions that read the body throw Error: timeout, cancelled, connection_lost, truncated, decode,
/// too_large, protocol; body_locked while another reader lives. A body that failed throws the same error at
/// each further read.
class RINGLET_API Response {
  public:
    /// Of no request, as one moved from: status() is 0 and the body is complete and empty.
    Response() noexcept;
    Response(Response&&) noexcept;
    Response& operator=(Response&&) noexcept;
    ~Response();

    /// The status code, 100 to 599 (RFC 9110 section 15).
    int status() const noexcept;
    /// The status is 2xx.
    bool ok() const noexcept { return status() >= 200 && status() < 300; }
    std::string_view reason() const noexcept;  ///< the reason phrase; empty in HTTP/2
    /// The protocol that was spoken.
    Protocol version() const noexcept;
    /// The URL that answered: after redirects.
    std::string url() const;
    /// The fields of the final answer. Lives as long as this object is not moved or assigned to.
    const Headers& headers() const;
    /// Fields after the body; empty before its end.
    const Headers& trailers() const;
    /// The declared size of the body in bytes, where there is one. Of the encoded body, if it is encoded.
    std::optional<std::uint64_t> content_length() const;

    /// How much of it the caller has taken.
    BodyState body_state() const noexcept;
    /// A chunks() or stream() reader has the body.
    bool locked() const noexcept;

    /// Reads up to buffer.size() decoded bytes, at least one unless the body has ended (0, for ever). Waits
    /// for the server. Goes on where the last read ended.
    std::size_t read(std::span<std::byte> buffer);
    std::size_t read(std::span<std::byte> buffer, std::error_code& ec);
    /// The whole body, decoded, in memory (see max_body_size()). Once: Errc::body_already_read after any
    /// reading of a body that is not empty.
    std::string text();
    std::string text(std::error_code& ec);
    /// The same as bytes.
    std::vector<std::byte> bytes();
    std::vector<std::byte> bytes(std::error_code& ec);
    /// Writes the whole body to a temporary file beside `path` and renames it at the end: never a truncated
    /// file under the final name. (Not synced: what is there after a power loss is the file system's to say.)
    /// Where the file is the trouble it throws std::filesystem::filesystem_error (with ec: its code, of the
    /// system category).
    void save_to(const std::filesystem::path& path);
    void save_to(const std::filesystem::path& path, std::error_code& ec);
    /// The body as an input range of std::span<const std::byte>; each is valid until the next. The body is
    /// locked() while it lives. Errc::body_already_read after a read().
    Chunks chunks();
    /// The body as an std::istream, under the same rules. An error sets badbit, behind the bytes that came
    /// before it; it is thrown if exceptions(badbit) is on, and to whoever reads the buffer itself
    /// (std::istreambuf_iterator).
    BodyStream stream();

    /// Reads the rest and throws it away, so that the connection can be used again. What became of it.
    Disposition consume();
    Disposition consume(std::error_code& ec);
    /// The same within limits for the whole drain; beyond them the connection is closed (drain_limit,
    /// drain_timeout).
    Disposition consume(DrainLimits limits);
    Disposition consume(DrainLimits limits, std::error_code& ec);
    /// Gives up on purpose: closes the connection (HTTP/2: resets the stream) without a warning. Reading
    /// after it is Errc::cancelled. Nothing to do once the body is complete or has failed.
    void abort();
    /// What became of the connection; nullopt while it is still in use.
    std::optional<Disposition> disposition() const noexcept;

    /// After 101 Switching Protocols: the connection as a socket, beginning with the bytes that have already
    /// arrived.
    Socket upgrade();

    /// The request was served by a connection that had served before.
    bool reused() const noexcept;
    /// That of ConnectionInfo and Event.
    std::uint64_t connection_id() const noexcept;
    /// "127.0.0.1:41234", "[::1]:41234"; empty on a unix socket.
    std::string local_address() const;
    std::string remote_address() const;
    /// All 0 before the end of the body.
    Timings timings() const noexcept;

  private:
    friend struct detail::Access;
    explicit Response(std::shared_ptr<detail::Exchange> exchange) noexcept;
    std::shared_ptr<detail::Exchange> exchange_;
};

}  // namespace v1
}  // namespace ringlet
