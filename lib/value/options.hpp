// Options: every setting that a Session and a Request share, as plain values.
#pragma once

#include "ringlet/headers.hpp"
#include "ringlet/limits.hpp"
#include "ringlet/settings.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

using CURL = void;  // as <curl/curl.h> has it; this layer knows no libcurl

namespace ringlet::detail {

class RawOptions;

struct Credentials {
    std::string user;
    std::string password;
    bool digest = false;
    friend bool operator==(const Credentials&, const Credentials&) = default;
};

struct LowSpeed {
    std::uint64_t bytes_per_second = 0;
    Duration time;
};

struct ClientCertificate {
    std::string certificate;
    std::string key;
    std::string password;
};

/// What libcurl is told before a transfer, and stays on a lane's easy handle while the same options are used
/// again.
struct WireOptions {
    std::optional<Duration> connect_timeout;
    std::optional<Credentials> credentials;
    std::optional<std::string> bearer;
    std::optional<std::string> proxy;
    std::optional<std::string> unix_socket;
    std::optional<std::string> local_address;
    std::optional<IpVersion> ip_version;
    std::optional<HttpVersion> http_version;
    std::optional<std::string> ca_file;
    std::optional<std::string> ca_blob;
    std::optional<ClientCertificate> client_certificate;
    std::optional<bool> verify_tls;
    std::optional<std::string> pinned_key;
    std::optional<TlsVersion> tls_lowest, tls_highest;
    std::optional<std::string> tls_ciphers;
    // nullopt: not set (all codings); an inner nullopt: none, raw
    std::optional<std::optional<std::string>> accept_encoding;
    std::optional<std::string> user_agent;
    std::optional<std::string> isolation;
    // What setopt() and with_handle() said; never changed once a request has it.
    std::shared_ptr<const RawOptions> raw;
    std::uint64_t private_to =
        0;  // a number of these very options, where they make a connection private; 0: shared
    // The same for a field of the caller's that authenticates the connection itself (NTLM, Negotiate).
    std::uint64_t authenticated_by = 0;
};

struct Options {
    static constexpr std::uint64_t nothing_set = 1;
    /// Of this very content of `wire`, unique in the process: equal ids mean equal options. Never 0.
    std::uint64_t wire_id = nothing_set;
    WireOptions wire;
    /// The same for `headers`; 0: none.
    std::uint64_t headers_id = 0;
    Headers headers;

    // what ringlet itself acts on
    std::optional<Duration> timeout;
    std::optional<Duration> first_byte_timeout;
    std::optional<LowSpeed> low_speed;
    std::optional<unsigned> follow_redirects;
    std::optional<Replay> replay;
    std::optional<RetryPolicy> retry;
    std::optional<Limit> max_body_size;
    std::optional<std::stop_token> stop;
    std::function<void(const Progress&)> progress;

    /// To be called after each change of `wire` / `headers`.
    void touch_wire();
    void touch_headers();
    /// To be called with each field that was set: what it authenticates is nobody else's. `next_leg`: a later
    /// one of the same asker's, which belongs on the same connection.
    void note_field(std::string_view name, std::string_view value, bool next_leg);
};

/// `over` wins, field by field; header fields of `over` replace those of the same name. An id is a new one
/// only if `over` changes what it stands for.
Options merged(const Options& base, const Options& over);

/// The part of a lane key that depends on options: "name=value" lines, equal only if connections may be
/// shared.
std::string isolation_text(const WireOptions& options);

}  // namespace ringlet::detail
