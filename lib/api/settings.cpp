#include "ringlet/settings.hpp"

#include "api/access.hpp"
#include "api/adopted_http.hpp"
#include "api/session_state.hpp"
#include "ringlet/error.hpp"
#include "ringlet/request.hpp"
#include "ringlet/session.hpp"
#include "ringlet/socket.hpp"
#include "value/options.hpp"
#include "value/text.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <type_traits>
#include <utility>

namespace ringlet::inline v1 {
namespace {

using detail::Options;
using detail::WireOptions;

std::string checked(std::string_view setting, std::string_view value) {
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
        throw Error(Errc::invalid_argument, std::string(setting) + ": CR, LF and NUL are not allowed");
    }
    return std::string(value);
}

Duration checked(std::string_view setting, Duration d) {
    if (d.negative()) throw Error(Errc::invalid_argument, std::string(setting) + ": a negative duration");
    return d;
}

template <class T>
void set_wire(Options& options, std::optional<T> WireOptions::*field, T value) {
    options.wire.*field = std::move(value);
    options.touch_wire();
}

/// Of a proxy's URL: "" where it has none (RFC 3986 section 3.1), and libcurl is to judge. What stands before
/// a "://" may be a password.
std::string scheme_of(std::string_view url) {
    const auto end = url.find("://");
    std::string scheme(url.substr(0, end == std::string_view::npos ? 0 : end));
    for (auto& c : scheme) {
        c = detail::lower(c);
        const bool of_scheme =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!of_scheme) return {};
    }
    return scheme;
}

std::string checked_proxy(std::string_view url) {
    constexpr std::array<std::string_view, 8> known{"",       "http",    "https",  "socks",
                                                    "socks4", "socks4a", "socks5", "socks5h"};
    auto text = checked("proxy", url);
    const auto scheme = scheme_of(text);
    if (std::find(known.begin(), known.end(), scheme) == known.end())
        throw Error(Errc::invalid_argument, "proxy: \"" + scheme + "\" is no proxy's scheme");
    return text;
}

void authenticate(Options& options, std::string_view user, std::string_view password, bool digest) {
    options.wire.bearer.reset();
    set_wire(options, &WireOptions::credentials,
             detail::Credentials{checked("auth", user), checked("auth", password), digest});
}

}  // namespace

template <class Self>
Self& Settings<Self>::header(std::string_view name, std::string_view value) {
    auto& options = record();
    options.headers.set(name, value);
    options.touch_headers();
    options.note_field(name, value, !std::is_same_v<Self, Request>);  // a Request may be a copy of another's
    return self();
}

template <class Self>
Self& Settings<Self>::add_header(std::string_view name, std::string_view value) {
    auto& options = record();
    options.headers.add(name, value);
    options.touch_headers();
    options.note_field(name, value, !std::is_same_v<Self, Request>);  // a Request may be a copy of another's
    return self();
}

template <class Self>
Self& Settings<Self>::timeout(Duration d) {
    record().timeout = checked("timeout", d);
    return self();
}

template <class Self>
Self& Settings<Self>::connect_timeout(Duration d) {
    set_wire(record(), &WireOptions::connect_timeout, checked("connect_timeout", d));
    return self();
}

template <class Self>
Self& Settings<Self>::first_byte_timeout(Duration d) {
    record().first_byte_timeout = checked("first_byte_timeout", d);
    return self();
}

template <class Self>
Self& Settings<Self>::low_speed(std::uint64_t bytes_per_second, Duration d) {
    record().low_speed = detail::LowSpeed{bytes_per_second, checked("low_speed", d)};
    return self();
}

template <class Self>
Self& Settings<Self>::follow_redirects(unsigned n) {
    record().follow_redirects = n;
    return self();
}

template <class Self>
Self& Settings<Self>::replay(Replay r) {
    record().replay = r;
    return self();
}

template <class Self>
Self& Settings<Self>::retry(RetryPolicy policy) {
    if (policy.attempts == 0) throw Error(Errc::invalid_argument, "retry: 0 attempts; the first is one");
    if (policy.backoff.count() < 0 || policy.max_backoff.count() < 0)
        throw Error(Errc::invalid_argument, "retry: a negative duration");
    record().retry = std::move(policy);
    return self();
}

template <class Self>
Self& Settings<Self>::basic_auth(std::string_view user, std::string_view password) {
    authenticate(record(), user, password, false);
    return self();
}

template <class Self>
Self& Settings<Self>::digest_auth(std::string_view user, std::string_view password) {
    authenticate(record(), user, password, true);
    return self();
}

template <class Self>
Self& Settings<Self>::bearer(std::string_view token) {
    auto& options = record();
    options.wire.credentials.reset();
    set_wire(options, &WireOptions::bearer, checked("bearer", token));
    return self();
}

template <class Self>
Self& Settings<Self>::proxy(std::string_view url) {
    set_wire(record(), &WireOptions::proxy, checked_proxy(url));
    return self();
}

template <class Self>
Self& Settings<Self>::unix_socket(const std::filesystem::path& path) {
    set_wire(record(), &WireOptions::unix_socket, checked("unix_socket", path.string()));
    return self();
}

template <class Self>
Self& Settings<Self>::local_address(std::string_view address) {
    set_wire(record(), &WireOptions::local_address, checked("local_address", address));
    return self();
}

template <class Self>
Self& Settings<Self>::ip_version(IpVersion version) {
    set_wire(record(), &WireOptions::ip_version, version);
    return self();
}

template <class Self>
Self& Settings<Self>::http_version(HttpVersion version) {
    set_wire(record(), &WireOptions::http_version, version);
    return self();
}

template <class Self>
Self& Settings<Self>::ca_file(const std::filesystem::path& pem) {
    set_wire(record(), &WireOptions::ca_file, checked("ca_file", pem.string()));
    return self();
}

template <class Self>
Self& Settings<Self>::ca_blob(std::string_view pem) {
    set_wire(record(), &WireOptions::ca_blob, std::string(pem));
    return self();
}

template <class Self>
Self& Settings<Self>::client_certificate(const std::filesystem::path& pem, const std::filesystem::path& key,
                                         std::string_view key_password) {
    set_wire(record(), &WireOptions::client_certificate,
             detail::ClientCertificate{checked("client_certificate", pem.string()),
                                       checked("client_certificate", key.string()),
                                       checked("client_certificate", key_password)});
    return self();
}

template <class Self>
Self& Settings<Self>::verify_tls(bool on) {
    set_wire(record(), &WireOptions::verify_tls, on);
    return self();
}

template <class Self>
Self& Settings<Self>::pinned_key(std::string_view pin) {
    set_wire(record(), &WireOptions::pinned_key, checked("pinned_key", pin));
    return self();
}

template <class Self>
Self& Settings<Self>::tls_version(TlsVersion lowest, TlsVersion highest) {
    auto& options = record();
    options.wire.tls_lowest = lowest;
    set_wire(options, &WireOptions::tls_highest, highest);
    return self();
}

template <class Self>
Self& Settings<Self>::tls_ciphers(std::string_view ciphers) {
    set_wire(record(), &WireOptions::tls_ciphers, checked("tls_ciphers", ciphers));
    return self();
}

template <class Self>
Self& Settings<Self>::accept_encoding(std::optional<std::string_view> codings) {
    std::optional<std::string> value;
    if (codings) value = checked("accept_encoding", *codings);
    set_wire(record(), &WireOptions::accept_encoding, std::move(value));
    return self();
}

template <class Self>
Self& Settings<Self>::max_body_size(Limit bytes) {
    if (!bytes.valid()) throw Error(Errc::invalid_argument, "max_body_size: a negative number");
    record().max_body_size = bytes;
    return self();
}

template <class Self>
Self& Settings<Self>::user_agent(std::string_view value) {
    set_wire(record(), &WireOptions::user_agent, checked("user_agent", value));
    return self();
}

template <class Self>
Self& Settings<Self>::isolation(std::string_view tag) {
    set_wire(record(), &WireOptions::isolation, std::string(tag));
    return self();
}

template <class Self>
Self& Settings<Self>::stop(std::stop_token token) {
    record().stop = std::move(token);
    return self();
}

template <class Self>
Self& Settings<Self>::progress(std::function<void(const Progress&)> fn) {
    record().progress = std::move(fn);
    return self();
}

template <>
detail::Options& Settings<Request>::record() {
    return detail::Access::data(static_cast<Request&>(*this)).options;
}

template <>
detail::Options& Settings<Session>::record() {
    auto& state = static_cast<Session&>(*this).state_;
    if (!state) throw Error(Errc::invalid_argument, "the Session has been moved from");
    return state->options_to_change();
}

template <>
detail::Options& Settings<HttpOverSocket>::record() {
    return static_cast<HttpOverSocket&>(*this).http().session().options_to_change();
}

template class Settings<HttpOverSocket>;
template class Settings<Request>;
template class Settings<Session>;

}  // namespace ringlet::inline v1
