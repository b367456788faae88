#include "value/url.hpp"

#include "ringlet/error.hpp"
#include "value/origin.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <new>

namespace ringlet::detail {
namespace {

Error bad_url(std::string_view text, std::string_view why, Errc code = Errc::invalid_argument) {
    ErrorDetails details;
    details.url = redacted_unparsed(text);
    return Error(code, "URL \"" + details.url + "\": " + std::string(why), details);
}

/// A part of the URL; null where it is absent.
CurlText part(CURLU* url, CURLUPart what, unsigned flags = 0) {
    char* text = nullptr;
    const auto code = curl().url_get(url, what, &text, flags);
    CurlText owned(text);  // 7.88 leaves text behind even when it fails
    if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
    return code == CURLUE_OK ? std::move(owned) : CurlText{};
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
}

/// An internationalised host in its ASCII form. What libcurl says when it cannot (no IDN built in, a name or
/// a locale that does not allow it) differs from version to version, and is "out of memory" on 7.88.
CurlText ascii_host(CURLU* url, std::string_view text) {
    char* host = nullptr;
    const auto code = curl().url_get(url, CURLUPART_HOST, &host, CURLU_PUNYCODE);
    CurlText owned(host);
    if (code != CURLUE_OK)
        throw bad_url(text, "its host name has no ASCII form (IDN needs a locale with UTF-8)");
    return owned;
}

void set_url(CURLU* url, const std::string& text) {
    const auto code =
        curl().url_set(url, CURLUPART_URL, text.c_str(), CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OK) return;
    if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
    if (code == CURLUE_BAD_SCHEME) throw bad_url(text, "it needs a scheme, http:// or https://");
    throw bad_url(text, "not a URL");
}

void refuse_control_characters(std::string_view text) {
    const auto bad = [](unsigned char c) { return c == '\r' || c == '\n' || c == '\0'; };
    if (std::any_of(text.begin(), text.end(), bad)) throw bad_url(text, "CR, LF and NUL are not allowed");
}

void to_lower(std::string& text) {
    for (auto& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
}

/// Characters that mean themselves in a path and in a query (RFC 3986 section 3.3), so that nobody rewrites
/// them.
constexpr auto plain_characters = [] {
    std::array<bool, 256> plain{};
    for (const char c :
         std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.~!$&'()*+,;=:@"))
        plain[static_cast<unsigned char>(c)] = true;
    return plain;
}();

bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return plain_characters[c]; });
}

/// From its slash on: no segment that starts with a dot, which could have to be removed.
bool is_plain_path(std::string_view path) {
    return path.starts_with('/') && is_plain(path) && path.find("/.") == std::string_view::npos;
}

bool set_part(CURLU* url, CURLUPart what, const char* text) {
    const auto code = curl().url_set(url, what, text, 0);
    if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
    return code == CURLUE_OK;
}

}  // namespace

bool Url::retarget(std::string_view text) {
    if (text == text_) return true;
    const auto scheme = text_.find("://");
    if (handle_ == nullptr || scheme == std::string::npos || text_.find('#') != std::string::npos)
        return false;
    const auto authority = std::min(text_.find_first_of("/?\\", scheme + 3), text_.size());
    if (!text.starts_with(std::string_view(text_).substr(0, authority))) return false;
    const auto mark = std::min(text.find('?', authority), text.size());
    const bool has_query = mark != text.size();
    const auto query = text.substr(has_query ? mark + 1 : mark);
    if (!is_plain_path(text.substr(authority, mark - authority)) || !is_plain(query)) return false;
    if (has_query && query.empty()) return false;
    text_ = text;
    if (has_query) text_[mark] = '\0';  // for a moment the path ends there
    const bool done = set_part(handle(), CURLUPART_PATH, text_.c_str() + authority) &&
                      set_part(handle(), CURLUPART_QUERY, has_query ? text_.c_str() + mark + 1 : nullptr);
    if (has_query) text_[mark] = '?';
    return done;
}

Url Url::parse(std::string_view text, const Url& base) {
    ensure_curl();
    refuse_control_characters(text);
    Url url;
    url.handle_.reset(base.empty() ? curl().url() : curl().url_dup(base.handle()));
    if (!url.handle_) throw std::bad_alloc();
    url.text_ = text;
    set_url(url.handle(), url.text_);
    if (!base.empty()) {
        const auto full = part(url.handle(), CURLUPART_URL);
        if (full) url.text_ = full.get();
    }
    url.read_origin();
    return url;
}

Url Url::parse(std::string_view text) {
    return parse(text, Url{});
}

void Url::read_origin() {
    const auto scheme = part(handle(), CURLUPART_SCHEME);
    origin_ = scheme ? scheme.get() : "";
    to_lower(origin_);
    if (origin_ != "http" && origin_ != "https") {
        throw bad_url(text_, "only http and https are supported", Errc::unsupported_protocol);
    }
    auto host = part(handle(), CURLUPART_HOST);
    if (host && !is_ascii(host.get())) host = ascii_host(handle(), text_);
    const auto port = part(handle(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (!host || *host.get() == '\0' || !port) throw bad_url(text_, "it has no host");
    origin_ += "://";
    origin_ += host.get();
    if (const auto zone = part(handle(), CURLUPART_ZONEID))
        origin_.insert(origin_.size() - 1, std::string("%") + zone.get());
    origin_ += ':';
    origin_ += port.get();
    to_lower(origin_);
    has_user_info_ = part(handle(), CURLUPART_USER) != nullptr;
}

void Url::keep_user_of(const Url& other) {
    if (has_user_info_ || !other.has_user_info_) return;
    for (const auto what : {CURLUPART_USER, CURLUPART_PASSWORD}) {
        const auto text = part(other.handle(), what);
        if (text && !set_part(handle(), what, text.get())) throw bad_url(text_, "it takes no user");
    }
    if (const auto full = part(handle(), CURLUPART_URL)) text_ = full.get();
    has_user_info_ = true;
}

std::string Url::host() const {
    const auto from = origin_.find("://") + 3;
    return origin_.substr(from, origin_.rfind(':') - from);
}

int Url::port() const {
    int port = 0;
    const auto* end = origin_.data() + origin_.size();
    std::from_chars(origin_.data() + origin_.rfind(':') + 1, end, port);
    return port;
}

Url Url::copy() const {
    Url other;
    if (handle_) {
        other.handle_.reset(curl().url_dup(handle()));
        if (!other.handle_) throw std::bad_alloc();
    }
    other.text_ = text_;
    other.origin_ = origin_;
    other.has_user_info_ = has_user_info_;
    return other;
}

std::string redacted(std::string_view url) {
    url = url.substr(0, url.find_first_of("?#"));
    std::string out;
    const auto scheme = url.find("://");
    const auto authority = scheme == std::string_view::npos ? 0 : scheme + 3;
    const auto path = std::min(url.find_first_of("/\\", authority), url.size());
    auto at = url.substr(0, path).rfind('@');
    if (scheme == std::string_view::npos) at = url.rfind('@');  // no URL: hide what may be a password
    if (at != std::string_view::npos && at >= authority) {
        out.append(url.substr(0, authority)).append(url.substr(at + 1));
    } else {
        out = url;
    }
    for (auto& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    return out;
}

std::string redacted_unparsed(std::string_view text) {
    const auto scheme = text.find("://");
    const auto from = scheme == std::string_view::npos ? 0 : scheme + 3;
    const auto at = text.rfind('@');
    if (at == std::string_view::npos || at < from) return redacted(text);
    return redacted(std::string(text.substr(0, from)).append(text.substr(at + 1)));
}

std::string normalise_origin(std::string_view text) {
    return Url::parse(text).origin();
}

}  // namespace ringlet::detail
