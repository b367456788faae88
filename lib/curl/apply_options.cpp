#include "curl/apply_options.hpp"

#include "base/made_once.hpp"
#include "curl/raw_options.hpp"
#include "ringlet/error.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <new>
#include <string>

namespace ringlet::detail {
namespace {

/// libcurl has no word for "unlimited": what it can count to, 24 days.
long in_milliseconds(Duration d) {
    if (d.is_unlimited()) return std::numeric_limits<int>::max();
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(d.value()).count();
    return static_cast<long>(std::clamp<long long>(ms, 1, std::numeric_limits<int>::max()));
}

void set_text(CURL* easy, CURLoption option, const std::optional<std::string>& value, const char* setting) {
    if (value) set_option(easy, option, value->c_str(), setting);
}

void apply_authentication(CURL* easy, const WireOptions& options) {
    if (options.credentials) {
        const auto& c = *options.credentials;
        set_option(easy, CURLOPT_HTTPAUTH, static_cast<long>(c.digest ? CURLAUTH_DIGEST : CURLAUTH_BASIC),
                   "auth");
        set_option(easy, CURLOPT_USERNAME, c.user.c_str(), "auth");
        set_option(easy, CURLOPT_PASSWORD, c.password.c_str(), "auth");
    }
    if (options.bearer) {
        set_option(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER), "bearer");
        set_option(easy, CURLOPT_XOAUTH2_BEARER, options.bearer->c_str(), "bearer");
    }
}

long version_of(HttpVersion version) {
    switch (version) {
        case HttpVersion::automatic:
            return CURL_HTTP_VERSION_2TLS;
        case HttpVersion::http_1_0:
            return CURL_HTTP_VERSION_1_0;
        case HttpVersion::http_1_1:
            return CURL_HTTP_VERSION_1_1;
        case HttpVersion::http_2:
            return CURL_HTTP_VERSION_2_0;
        case HttpVersion::http_2_prior_knowledge:
            return CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    }
    return CURL_HTTP_VERSION_2TLS;
}

long tls_lowest(TlsVersion version) {
    switch (version) {
        case TlsVersion::automatic:
            return CURL_SSLVERSION_DEFAULT;
        case TlsVersion::v1_0:
            return CURL_SSLVERSION_TLSv1_0;
        case TlsVersion::v1_1:
            return CURL_SSLVERSION_TLSv1_1;
        case TlsVersion::v1_2:
            return CURL_SSLVERSION_TLSv1_2;
        case TlsVersion::v1_3:
            return CURL_SSLVERSION_TLSv1_3;
    }
    return CURL_SSLVERSION_DEFAULT;
}

long tls_highest(TlsVersion version) {
    switch (version) {
        case TlsVersion::automatic:
            return CURL_SSLVERSION_MAX_DEFAULT;
        case TlsVersion::v1_0:
            return CURL_SSLVERSION_MAX_TLSv1_0;
        case TlsVersion::v1_1:
            return CURL_SSLVERSION_MAX_TLSv1_1;
        case TlsVersion::v1_2:
            return CURL_SSLVERSION_MAX_TLSv1_2;
        case TlsVersion::v1_3:
            return CURL_SSLVERSION_MAX_TLSv1_3;
    }
    return CURL_SSLVERSION_MAX_DEFAULT;
}

void apply_connection(CURL* easy, const WireOptions& options) {
    if (options.connect_timeout) {
        set_option(easy, CURLOPT_CONNECTTIMEOUT_MS, in_milliseconds(*options.connect_timeout),
                   "connect_timeout");
    }
    // A lane says NOPROXY="*" for itself.
    if (options.proxy || options.raw) set_option(easy, CURLOPT_NOPROXY, static_cast<char*>(nullptr), "proxy");
    set_text(easy, CURLOPT_PROXY, options.proxy, "proxy");
    set_text(easy, CURLOPT_UNIX_SOCKET_PATH, options.unix_socket, "unix_socket");
    set_text(easy, CURLOPT_INTERFACE, options.local_address, "local_address");
    if (options.ip_version) {
        const long wanted = *options.ip_version == IpVersion::v4   ? CURL_IPRESOLVE_V4
                            : *options.ip_version == IpVersion::v6 ? CURL_IPRESOLVE_V6
                                                                   : CURL_IPRESOLVE_WHATEVER;
        set_option(easy, CURLOPT_IPRESOLVE, wanted, "ip_version");
    }
    if (options.http_version)
        set_option(easy, CURLOPT_HTTP_VERSION, version_of(*options.http_version), "http_version");
}

void apply_authorities(CURL* easy, const WireOptions& options) {
    if (!options.ca_file && !options.ca_blob) return;
    // The caller's authorities instead of the system's, not besides them.
    set_option(easy, CURLOPT_CAPATH, static_cast<char*>(nullptr), "ca_file");
    set_text(easy, CURLOPT_CAINFO, options.ca_file, "ca_file");
    if (options.ca_blob) {
        curl_blob blob{const_cast<char*>(options.ca_blob->data()), options.ca_blob->size(), CURL_BLOB_COPY};
        set_option(easy, CURLOPT_CAINFO_BLOB, &blob, "ca_blob");
    }
}

void apply_tls(CURL* easy, const WireOptions& options) {
    apply_authorities(easy, options);
    if (options.client_certificate) {
        const auto& c = *options.client_certificate;
        set_option(easy, CURLOPT_SSLCERT, c.certificate.c_str(), "client_certificate");
        if (!c.key.empty()) set_option(easy, CURLOPT_SSLKEY, c.key.c_str(), "client_certificate");
        if (!c.password.empty())
            set_option(easy, CURLOPT_KEYPASSWD, c.password.c_str(), "client_certificate");
    }
    if (options.verify_tls) {
        set_option(easy, CURLOPT_SSL_VERIFYPEER, *options.verify_tls ? 1L : 0L, "verify_tls");
        set_option(easy, CURLOPT_SSL_VERIFYHOST, *options.verify_tls ? 2L : 0L, "verify_tls");
    }
    set_text(easy, CURLOPT_PINNEDPUBLICKEY, options.pinned_key, "pinned_key");
    if (options.tls_lowest || options.tls_highest) {
        const long range = tls_lowest(options.tls_lowest.value_or(TlsVersion::automatic)) |
                           tls_highest(options.tls_highest.value_or(TlsVersion::automatic));
        set_option(easy, CURLOPT_SSLVERSION, range, "tls_version");
    }
    set_text(easy, CURLOPT_SSL_CIPHER_LIST, options.tls_ciphers, "tls_ciphers");
}

void apply_content(CURL* easy, const WireOptions& options) {
    if (!options.accept_encoding) {
        set_option(easy, CURLOPT_ACCEPT_ENCODING, usual_codings().c_str(), "accept_encoding");
    } else if (*options.accept_encoding) {
        set_option(easy, CURLOPT_ACCEPT_ENCODING, (*options.accept_encoding)->c_str(), "accept_encoding");
    }
    set_text(easy, CURLOPT_USERAGENT, options.user_agent, "user_agent");
}

}  // namespace

// What is offered by default: whatever this libcurl decodes, but "deflate". Servers do not agree on what
// that means (RFC 9110 section 8.4.1.2), all of them have gzip, and libcurl writes a request byte by byte.
const std::string& usual_codings() {
    static constinit std::atomic<const std::string*> codings{nullptr};
    return made_once(codings, [] {
        const int features = curl_facts().features;
        std::string list;
        const auto add = [&](int feature, const char* name) {
            if ((features & feature) != 0) list.append(list.empty() ? "" : ", ").append(name);
        };
        add(CURL_VERSION_LIBZ, "gzip");
        add(CURL_VERSION_BROTLI, "br");
        add(CURL_VERSION_ZSTD, "zstd");
        return new const std::string(std::move(list));
    });
}

void check_option(CURLcode code, const char* setting) {
    if (code == CURLE_OK) return;
    if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
    ErrorDetails details;
    details.native_code = code;
    throw Error(Errc::invalid_argument, std::string(setting) + ": " + curl().easy_strerror(code), details);
}

void apply_options(CURL* easy, const WireOptions& options) {
    apply_authentication(easy, options);
    apply_connection(easy, options);
    apply_tls(easy, options);
    apply_content(easy, options);
    if (options.raw) options.raw->apply(easy, RawOptions::Use::besides);
}

}  // namespace ringlet::detail
