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
    std::chrono::milliseconds backoff{
        100};  ///< doubles each time; the wait is drawn between 0 and it (full jitter)
    std::chrono::milliseconds max_backoff{10'000};  ///< also caps Retry-After
    std::vector<int> statuses{429, 502, 503, 504};
    bool connect_failures = true;
    bool any_method = false;  ///< also POST and PATCH
};

/// How far a transfer is. A total of 0 is unknown.
struct Progress {
    std::uint64_t downloaded = 0;
    std::uint64_t download_total = 0;
    std::uint64_t uploaded = 0;
    std::uint64_t upload_total = 0;
};

template <class Self>
class RINGLET_API Settings {
  public:
    /// Sets a header field, replacing one of that name. Errc::invalid_argument for CR, LF, NUL or an invalid
    /// name.
    Self& header(std::string_view name, std::string_view value);
    /// Appends a header field.
    Self& add_header(std::string_view name, std::string_view value);

    /// The one deadline of a request: queueing, connect, redirects, replays, body; not the caller's own
    /// pauses.
    Self& timeout(Duration d);
    /// For each connection's set-up: resolve, connect, TLS.
    Self& connect_timeout(Duration d);
    /// From the request's last byte sent to the answer's first.
    Self& first_byte_timeout(Duration d);
    /// Errc::timeout when fewer bytes a second than this move for that long while ringlet waits for the peer.
    Self& low_speed(std::uint64_t bytes_per_second, Duration d);

    /// How many redirects are followed; 0: none, the 3xx is the answer. Default 10.
    Self& follow_redirects(unsigned n);
    Self& replay(Replay r);
    Self& retry(RetryPolicy policy);

    Self& basic_auth(std::string_view user, std::string_view password);
    Self& digest_auth(std::string_view user, std::string_view password);
    Self& bearer(std::string_view token);

    /// "http://host:port", "https://", "socks5://", "socks5h://", with user:password@ where needed. "" :
    /// none, whatever the environment says. Default: libcurl's environment variables (http_proxy,
    /// https_proxy, all_proxy, no_proxy).
    Self& proxy(std::string_view url);
    /// Connects to that socket instead of the URL's host.
    Self& unix_socket(const std::filesystem::path& path);
    /// The local address, or interface name, to connect from.
    Self& local_address(std::string_view address);
    Self& ip_version(IpVersion version);
    Self& http_version(HttpVersion version);

    Self& ca_file(const std::filesystem::path& pem);
    Self& ca_blob(std::string_view pem);
    Self& client_certificate(const std::filesystem::path& pem, const std::filesystem::path& key,
                             std::string_view key_password = {});
    /// false: any certificate for any host is accepted. Never in production.
    Self& verify_tls(bool on);
    /// "sha256//base64" of the public key (several with ';'), or a file.
    Self& pinned_key(std::string_view pin);
    Self& tls_version(TlsVersion lowest, TlsVersion highest = TlsVersion::automatic);
    /// OpenSSL's cipher list (up to TLS 1.2).
    Self& tls_ciphers(std::string_view ciphers);

    /// Content codings asked for and decoded. Default: all that this libcurl has; std::nullopt: nothing is
    /// asked for or decoded.
    Self& accept_encoding(std::optional<std::string_view> codings);
    /// Errc::too_large beyond this many decoded body bytes.
    Self& max_body_size(Limit bytes);
    Self& user_agent(std::string_view value);

    /// Requests share a connection only within the same tag.
    Self& isolation(std::string_view tag);
    /// Cancels the request: Errc::cancelled, within 100 ms, from any thread.
    Self& stop(std::stop_token token);
    /// Called on the calling thread while bytes move, at most 20 times a second, and once at the end.
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
