#include "value/url.hpp"

#include "ringlet/error.hpp"
#include "value/origin.hpp"

#include <algorithm>
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

}  // namespace

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
