// Error: the one exception type, its codes and its category.
#pragma once

#include <ringlet/export.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace ringlet::inline v1 {

/// What went wrong, as far as a caller can act on it. libcurl's own code is Error::native_code().
enum class Errc {
    // the caller's input
    invalid_argument = 1,  ///< CR, LF or NUL in a name, a malformed URL, a setting out of range
    unsupported_protocol,  ///< neither http nor https, also in a redirect
    conflicting_settings,  ///< for_base_url() with other settings than the first call's
    // the sequential rule and the body's states
    session_busy,       ///< the session's earlier response is unfinished, or another thread is sending on it
    body_locked,        ///< a chunks() or stream() reader has the body
    body_already_read,  ///< text() and the like, which need the body from its first byte
    // waiting and ending
    acquire_timeout,  ///< no connection became free in time; the server was not contacted
    cache_closed,     ///< the cache was shut down
    cancelled,        ///< a stop token, a shutdown's end of grace, or a read after abort()
    timeout,          ///< timeout, connect_timeout, first_byte_timeout or low_speed
    // getting a connection
    resolve,  ///< the host name has no address
    connect,  ///< refused, unreachable
    tls,      ///< the handshake failed: certificate, name, pin, version
    proxy,    ///< the proxy cannot be reached by its name, or refuses
    // the exchange
    protocol,             ///< the answer breaks HTTP
    truncated,            ///< the body ended early
    empty_reply,          ///< the connection ended without one byte of an answer
    connection_lost,      ///< it broke, or it was dead and the request may not be sent twice
    decode,               ///< the content coding is broken
    too_large,            ///< max_body_size, or more than 300 KiB of header fields
    too_many_redirects,   ///< more than follow_redirects()
    body_not_replayable,  ///< the request's body is needed again and cannot rewind
    upload,               ///< the request body's source failed
    // sockets
    socket_closed,     ///< an operation on a closed one
    socket_locked,     ///< another thread is using it
    socket_taken,      ///< its stream was moved elsewhere
    socket_disturbed,  ///< the peer has sent bytes that nobody read
    client_spent,      ///< the client's one connection is used up
};

/// Where in a request an error happened.
enum class Phase { none, acquire, resolve, connect, tls, send, head, body, drain };

/// The category of every Errc. Name: "ringlet".
RINGLET_API const std::error_category& ringlet_category() noexcept;
RINGLET_API std::error_code make_error_code(Errc) noexcept;
/// The lower-case name, as written in the enumeration.
RINGLET_API std::string_view to_string(Errc) noexcept;
RINGLET_API std::string_view to_string(Phase) noexcept;

/// What an Error knows beside its code. Plain data.
struct ErrorDetails {
    Phase phase = Phase::none;
    int native_code = 0;               ///< the CURLcode; 0: the error is ringlet's own
    std::string url;                   ///< redacted: no user info, no query
    std::string remote_address;        ///< "127.0.0.1:80"; empty before a connection
    std::uint64_t bytes_received = 0;  ///< body bytes received before the error
    bool retryable = false;            ///< sending the same request again may help and can do no harm
};

/// The exception that every ringlet function throws. code() is an Errc in ringlet_category().
class RINGLET_API Error : public std::system_error {
  public:
    Error(Errc code, const std::string& message);
    Error(Errc code, const std::string& message, ErrorDetails details);
    Error(const Error&) noexcept = default;
    Error& operator=(const Error&) noexcept = default;
    ~Error() override;

    /// The message: method, redacted URL, phase, and why.
    const char* what() const noexcept override;

    Phase phase() const noexcept { return details().phase; }
    /// The CURLcode, 0 where libcurl had no part in it.
    int native_code() const noexcept { return details().native_code; }
    /// The URL without user info and query.
    const std::string& url() const noexcept { return details().url; }
    const std::string& remote_address() const noexcept { return details().remote_address; }
    /// Body bytes received before the error.
    std::uint64_t bytes_received() const noexcept { return details().bytes_received; }
    /// Whether sending the same request again may help and can do no harm (nothing was answered, or it is
    /// idempotent).
    bool retryable() const noexcept { return details().retryable; }

  private:
    struct Data {
        std::string message;
        ErrorDetails details;
    };
    const ErrorDetails& details() const noexcept { return data_->details; }
    std::shared_ptr<const Data> data_;
};

}  // namespace ringlet::inline v1

template <>
struct std::is_error_code_enum<ringlet::Errc> : std::true_type {};
