// Settings<Self>: the setters that a Session (as defaults) and a Request (where they win) have in common.
#pragma once

#include <ringlet/export.hpp>
#include <ringlet/limits.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

namespace ringlet {
namespace detail {
struct Options;
}

inline namespace v1 {

/// Whether a request may be sent again on a fresh connection when a kept one dies before the first byte of an
/// answer (RFC 9110 section 9.2.2).
enum class Replay : std::uint8_t {
    never,
    idempotent,  ///< GET HEAD PUT DELETE OPTIONS TRACE, or with an Idempotency-Key header (default)
    always,
};

enum class HttpVersion : std::uint8_t {
    automatic,  ///< HTTP/2 where TLS negotiates it, else HTTP/1.1
    http_1_0,
    http_1_1,
    http_2,                  ///< like automatic, on plain connections with an upgrade
    http_2_prior_knowledge,  ///< HTTP/2 without asking
};

enum class IpVersion : std::uint8_t { any, v4, v6 };
enum class TlsVersion : std::uint8_t { automatic, v1_0, v1_1, v1_2, v1_3 };

/// A new attempt after an answer or an error that says "later". Off by default (attempts = 1).
struct RetryPolicy {
    unsigned attempts = 3;  ///< in all
    /// Doubles each time; the wait is drawn between 0 and it (full jitter).
    std::chrono::milliseconds backoff{100};
    std::chrono::milliseconds max_backoff{10'000};  ///< also caps Retry-After
    std::vector<int> statuses{429, 502, 503, 504};  ///< answers that ask for another attempt
    bool connect_failures = true;                   ///< also after Errc::connect and Errc::resolve
    bool any_method = false;                        ///< also POST and PATCH
};

/// How far a transfer is: body bytes as they travel, before decoding. A total of 0 is unknown.
struct Progress {
    std::uint64_t downloaded = 0;
    std::uint64_t download_total = 0;
    std::uint64_t uploaded = 0;
    std::uint64_t upload_total = 0;
};

/// Each setter changes one setting and returns its object, so that they chain, on temporaries as well. Values
/// are copied. Durations are 0 or more (Errc::invalid_argument else); `unlimited` turns a limit off. Text
/// with CR, LF or NUL is Errc::invalid_argument. Whatever shapes a connection (marked "connection") is part
/// of what two requests must have in common to share one.
template <class Self>
class RINGLET_API Settings {
  public:
    /// Sets a header field, replacing one of that name. Errc::invalid_argument for CR, LF, NUL or an invalid
    /// name.
    Self& header(std::string_view name, std::string_view value);
    /// Appends a header field, beside others of that name. Throws as header() does. A request's fields
    /// replace the session's of the same name.
    Self& add_header(std::string_view name, std::string_view value);

    /// The one deadline of a request: queueing, connect, redirects, replays, retries, body. Its clock runs
    /// inside ringlet's functions, the caller's own in them (a Source, progress()) included, and not between
    /// them: the caller's pauses cost nothing. Errc::timeout. Default unlimited.
    Self& timeout(Duration d);
    /// For each connection's set-up: resolve, connect, TLS. Errc::timeout. Default: libcurl's 300 s.
    Self& connect_timeout(Duration d);
    /// From the request's last byte sent to the answer's first, each time it is sent (authentication).
    /// Errc::timeout. Default unlimited. Not for a multipart body with a part of unknown size (a pipe), whose
    /// last byte libcurl does not tell of.
    Self& first_byte_timeout(Duration d);
    /// Errc::timeout when fewer bytes a second than this move for that long while ringlet waits for the peer.
    /// Default: none.
    Self& low_speed(std::uint64_t bytes_per_second, Duration d);

    /// How many redirects are followed; 0: none, the 3xx is the answer. Default 10.
    Self& follow_redirects(unsigned n);
    /// Whether a request may go out again when a kept connection dies under it. Default: if idempotent.
    Self& replay(Replay r);
    /// New attempts after an answer or an error that says "later". Default: none. Errc::invalid_argument for
    /// 0 attempts or a negative duration.
    Self& retry(RetryPolicy policy);

    // Of these the last one set counts. They are not sent along on a redirect to another origin.
    Self& basic_auth(std::string_view user, std::string_view password);
    /// A GET, HEAD or other request without a body asks for the server's challenge by itself. With a body
    /// libcurl asks by the same request with an empty one: a server that demands no credentials sees both.
    Self& digest_auth(std::string_view user, std::string_view password);
    Self& bearer(std::string_view token);

    /// "http://host:port", "https://", "socks5://", "socks5h://", with user:password@ where needed. "" :
    /// none, whatever the environment says. Errc::invalid_argument for another scheme. Default: libcurl's
    /// environment variables (http_proxy, https_proxy, all_proxy, no_proxy). Connection.
    Self& proxy(std::string_view url);
    /// Connects to that socket instead of the URL's host. Connection.
    Self& unix_socket(const std::filesystem::path& path);
    /// The local address, or interface name, to connect from. Connection.
    Self& local_address(std::string_view address);
    /// Connection. Default: any.
    Self& ip_version(IpVersion version);
    /// Connection. Default: automatic.
    Self& http_version(HttpVersion version);

    /// Certificate authorities instead of the system's, as PEM; of a file, or the text itself. Connection.
    Self& ca_file(const std::filesystem::path& pem);
    Self& ca_blob(std::string_view pem);
    /// Files in PEM. An empty `key`: it is in the certificate's file. Connection.
    Self& client_certificate(const std::filesystem::path& pem, const std::filesystem::path& key,
                             std::string_view key_password = {});
    /// false: any certificate for any host is accepted. Never in production. Connection. Default true.
    Self& verify_tls(bool on);
    /// "sha256//base64" of the public key (several with ';'), or a file. Besides verification. Connection.
    Self& pinned_key(std::string_view pin);
    /// Connection. Default: what libcurl takes as such.
    Self& tls_version(TlsVersion lowest, TlsVersion highest = TlsVersion::automatic);
    /// OpenSSL's cipher list (up to TLS 1.2). Connection.
    Self& tls_ciphers(std::string_view ciphers);

    /// Content codings asked for and decoded. Default: gzip, brotli and zstd, as far as this libcurl has
    /// them; std::nullopt: nothing is asked for or decoded.
    Self& accept_encoding(std::optional<std::string_view> codings);
    /// Errc::too_large beyond this many decoded body bytes. Default unlimited.
    Self& max_body_size(Limit bytes);
    /// The User-Agent field. Default: none is sent.
    Self& user_agent(std::string_view value);

    /// Requests share a connection only within the same tag. Connection. Default: the empty one.
    Self& isolation(std::string_view tag);
    /// Cancels the request, whatever it is doing: Errc::cancelled, within 100 ms, from any thread. Its
    /// connection is closed. A stop after the end of the body does nothing.
    Self& stop(std::stop_token token);
    /// Called on the calling thread while bytes move, at most 20 times a second for each request, and once at
    /// the end of the body. What it throws ends the request and is rethrown. It must not use the session.
    Self& progress(std::function<void(const Progress&)> fn);

  protected:
    Settings() = default;
    Settings(const Settings&) = default;
    Settings& operator=(const Settings&) = default;
    ~Settings() = default;

  private:
    detail::Options& record();
    Self& self() { return static_cast<Self&>(*this); }
};

}  // namespace v1
}  // namespace ringlet
