// What lane a handle's next transfer takes.
#include "compat/easy_record.hpp"
#include "curl/handles.hpp"
#include "curl/library.hpp"
#include "curl/option_rules.hpp"
#include "value/origin.hpp"
#include "value/text.hpp"

#include <exception>

namespace ringlet::detail {
namespace {

std::string lower_case(std::string text) {
    for (auto& c : text) c = lower(c);
    return text;
}

/// Where "://" ends the scheme that a URL begins with; npos: it begins with none.
std::size_t end_of_scheme(std::string_view url) noexcept {
    const auto at = url.find("://");
    const bool first = at != std::string_view::npos && url.find_first_of("/?#") == at + 1;
    return first ? at : std::string_view::npos;
}

/// What of a URL names its origin: scheme, user, host and port as they were written. Empty where it takes
/// libcurl's parser to tell.
std::string_view authority_of(std::string_view url) noexcept {
    const auto scheme = end_of_scheme(url);
    const auto end = url.find_first_of("/?#", scheme == std::string_view::npos ? 0 : scheme + 3);
    const auto text = url.substr(0, end);
    if (text.empty() || text.ends_with(':') || text.ends_with("://")) return {};
    return text;
}

}  // namespace

bool EasyRecord::binds_credentials() const noexcept {
    return binds_connection(static_cast<unsigned long>(http_auth_)) ||
           binds_connection(static_cast<unsigned long>(proxy_auth_));
}

bool EasyRecord::is_set(CURLoption option) const noexcept {
    const auto* text = value_of(option);
    return text != nullptr && *text != "0";
}

bool EasyRecord::set_to_something(CURLoption option) const noexcept {
    const auto* text = value_of(option);
    return text != nullptr && *text != "0" && *text != "=";
}

/// Negotiate takes no notice of user and password, but begins only where one is given (":" as a rule, or "").
/// Among other schemes it needs an offer of the server's, which the end of the transfer tells: see
/// may_negotiate().
bool EasyRecord::identity_is_process_wide(const char* user, const char* password) const noexcept {
    if ((static_cast<unsigned long>(proxy_auth_) & CURLAUTH_NEGOTIATE) != 0) return true;
    if (!may_negotiate()) return false;
    const auto* both = value_of(CURLOPT_USERPWD);
    const bool given = user != nullptr || is_set(CURLOPT_USERPWD) || is_set(CURLOPT_USERNAME) ||
                       is_set(CURLOPT_XOAUTH2_BEARER);
    if (!given) return false;
    if (static_cast<unsigned long>(http_auth_) == CURLAUTH_NEGOTIATE) return true;
    const auto colon = both != nullptr ? both->find(':') : std::string::npos;
    const bool has_password = (password != nullptr && *password != '\0') ||
                              set_to_something(CURLOPT_PASSWORD) ||
                              (colon != std::string::npos && colon + 1 < both->size());
    return !has_password;
}

/// libcurl before 8.0.0 begins HTTP/2 anew on a kept connection when it is told beforehand that it is spoken
/// there, and fails: a handle that has not been used before would fail like one that has.
bool EasyRecord::needs_new_connection() const noexcept {
    const auto* version = value_of(CURLOPT_HTTP_VERSION);
    return version != nullptr && *version == std::to_string(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE) &&
           curl_version_number() < 0x080000;
}

/// The program's own list is looked at for HTTP only: for others libcurl leaves it alone, and it may be gone.
const LaneKey* EasyRecord::lane_key() {
    private_meanwhile_ = false;
    const auto* key = key_of_url();
    const bool fields = headers_ != nullptr || proxy_headers_authenticate_;
    if (key == nullptr || !fields || is_private() || !authenticates_by_itself()) return key;
    keep_private();
    return key_of_url();
}

const LaneKey* EasyRecord::key_of_url() {
    if (given_up_ || !pooled_ || connect_only_ || share_.kind == EasyShare::Kind::own_way) return nullptr;
    if (curlu_ != nullptr) return fill_key(curlu_, {}) ? &key_ : nullptr;
    if (!has_url_) return nullptr;
    if (key_valid_ && url_in_key_) return &key_;
    const auto authority = authority_of(url_);
    url_in_key_ = (key_valid_ && !authority.empty() && authority == key_authority_) || make_key(url_.c_str());
    return url_in_key_ ? &key_ : nullptr;
}

bool EasyRecord::leads_to_key(const char* url) {
    if (url == nullptr) return false;
    if (curlu_ == nullptr && key_valid_ && authority_of(url) == key_authority_) return true;
    const LaneKey old = key_;
    const bool same = make_key(url) && key_ == old;
    key_valid_ = false;  // it is another URL's
    return same;
}

bool EasyRecord::make_key(const char* url) {
    key_valid_ = false;
    const UrlPtr parsed(curl().url());
    if (!parsed) return false;
    std::string absolute;
    const auto* protocol = value_of(CURLOPT_DEFAULT_PROTOCOL);
    if (protocol != nullptr && protocol->starts_with('=') && end_of_scheme(url) == std::string_view::npos) {
        absolute = protocol->substr(1) + "://" + url;
        url = absolute.c_str();
    }
    constexpr unsigned flags = CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS;
    if (curl().url_set(parsed.get(), CURLUPART_URL, url, flags) != CURLUE_OK) return false;
    return fill_key(parsed.get(), authority_of(url));
}

bool EasyRecord::fill_key(CURLU* url, std::string_view authority) {
    const auto part = [url](CURLUPart what) {
        char* text = nullptr;
        if (curl().url_get(url, what, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) text = nullptr;
        return CurlText(text);
    };
    const auto scheme = part(CURLUPART_SCHEME), host = part(CURLUPART_HOST), port = part(CURLUPART_PORT);
    if (!scheme || !host) return false;
    const auto scheme_name = lower_case(scheme.get());
    if ((scheme_name != "http" && scheme_name != "https") || needs_new_connection()) return false;
    const auto* own_port = value_of(CURLOPT_PORT);
    std::string origin = scheme_name + "://" + lower_case(host.get()) + ':';
    origin += own_port != nullptr && *own_port != "0" ? *own_port : std::string(port ? port.get() : "");
    auto rest = rest_of_key();
    bool alone = is_private();
    if (binds_credentials()) {
        const auto user = part(CURLUPART_USER), password = part(CURLUPART_PASSWORD);
        // With .netrc a file says whose they are.
        alone = alone || netrc_ || identity_is_process_wide(user.get(), password.get());
        for (const auto* text : {user.get(), password.get()}) {
            const std::string_view given(text != nullptr ? text : "");
            rest.append("user ").append(std::to_string(given.size())).append(1, ' ');
            rest.append(given).append(1, '\n');
        }
    }
    if (const auto proxy = proxy_origin(scheme_name); !proxy.empty()) {
        origin = proxy;
        rest += "through proxy\n";
    }
    if (alone)
        rest.insert(0, "private " + std::to_string(private_id()) + '\n');  // where nobody's text can be
    if (key_.empty() || key_.origin() != origin || key_.text().substr(origin.size() + 1) != rest) {
        key_ = LaneKey(origin, rest, alone ? LaneKey::Memory::own : LaneKey::Memory::shared);
    }
    key_is_private_ = alone;
    key_authority_ = authority;
    key_valid_ = true;
    return true;
}

/// Plain requests through an HTTP proxy travel on a connection to the proxy, whatever their origin. Empty:
/// not so.
std::string EasyRecord::proxy_origin(std::string_view scheme) const {
    const auto given = [this](CURLoption option) { return set_to_something(option); };
    if (scheme != "http" || !given(CURLOPT_PROXY) || given(CURLOPT_PROXYTYPE) ||
        given(CURLOPT_HTTPPROXYTUNNEL) || given(CURLOPT_NOPROXY) || given(CURLOPT_UNIX_SOCKET_PATH) ||
        given(CURLOPT_ABSTRACT_UNIX_SOCKET) || given(CURLOPT_PRE_PROXY)) {
        return {};
    }
    auto proxy = value_of(CURLOPT_PROXY)->substr(1);
    if (proxy.find("://") == std::string::npos) proxy.insert(0, "http://");
    if (!proxy.starts_with("http://")) return {};
    try {
        return normalise_origin(proxy);
    } catch (const std::exception&) {
        return {};
    }
}

std::string EasyRecord::rest_of_key() const {
    const bool credentials = binds_credentials();
    std::string text = "easy\n";
    for (const auto& value : values_) {
        if (value.credential && !credentials) continue;
        text.append(std::to_string(value.option)).append(1, ' ').append(std::to_string(value.text.size()));
        text.append(1, ' ').append(value.text).append(1, '\n');
    }
    if (share_.kind == EasyShare::Kind::known)
        text.append("share ").append(std::to_string(share_.id)).append(1, '\n');
    return text;
}

std::uint64_t EasyRecord::private_id() {
    if (!private_lanes) private_lanes = std::make_unique<PrivateLanes>();
    return private_lanes->id();
}

const std::string* EasyRecord::value_of(CURLoption option) const noexcept {
    for (const auto& value : values_) {
        if (value.option == static_cast<int>(option)) return &value.text;
    }
    return nullptr;
}

}  // namespace ringlet::detail
