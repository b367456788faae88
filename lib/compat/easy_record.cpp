#include "compat/easy_record.hpp"

#include "curl/handles.hpp"
#include "curl/option_rules.hpp"
#include "value/origin.hpp"
#include "value/text.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

namespace ringlet::detail {
namespace {

/// Options whose effects outlive them: a handle's HSTS and alt-svc memory, an engine; and those nobody knows.
bool stays_with_handle(CURLoption option) noexcept {
    switch (option) {
        case CURLOPT_OPENSOCKETFUNCTION:
        case CURLOPT_OPENSOCKETDATA:
        case CURLOPT_CLOSESOCKETFUNCTION:
        case CURLOPT_CLOSESOCKETDATA:
        case CURLOPT_SOCKOPTFUNCTION:
        case CURLOPT_SOCKOPTDATA:
        case CURLOPT_SSL_CTX_FUNCTION:
        case CURLOPT_SSL_CTX_DATA:
        case CURLOPT_RESOLVER_START_FUNCTION:
        case CURLOPT_RESOLVER_START_DATA:
        case CURLOPT_CERTINFO:
            return false;
        default:
            return true;
    }
}

std::string lower_case(std::string text) {
    for (auto& c : text) c = lower(c);
    return text;
}

/// A value as it stands in a key.
std::string text_of(CURLoption option, const void* value) {
    if (value == nullptr) return "0";  // not the same as never set: CURLOPT_CAINFO
    switch (option_type(option)) {
        case OptionType::text:
            return '=' + std::string(static_cast<const char*>(value));
        case OptionType::blob: {
            const auto& blob = *static_cast<const curl_blob*>(value);
            return '=' + std::string(static_cast<const char*>(blob.data), blob.len);
        }
        case OptionType::list: {
            std::string text;
            for (auto* item = static_cast<const curl_slist*>(value); item != nullptr; item = item->next) {
                text.append(1, '+')
                    .append(std::to_string(std::strlen(item->data)))
                    .append(1, ':')
                    .append(item->data);
            }
            return text;
        }
        default:
            return '*' + std::to_string(reinterpret_cast<std::uintptr_t>(value));
    }
}

/// What of a URL names its origin: scheme, user, host and port as they were written. Empty where it takes
/// libcurl's parser to tell.
std::string_view authority_of(std::string_view url) noexcept {
    const auto scheme = url.find("://");
    const auto end = url.find_first_of("/?#", scheme == std::string_view::npos ? 0 : scheme + 3);
    const auto text = url.substr(0, end);
    if (text.empty() || text.ends_with(':') || text.ends_with("://")) return {};
    return text;
}

}  // namespace

EasyRecord::EasyRecord(const EasyRecord& other)
    : values_(other.values_),
      private_options_(other.private_options_),
      keeps_private_(other.keeps_private_),
      given_up_(other.given_up_),
      pooled_(other.pooled_),
      share_(other.share_),
      connect_only_(other.connect_only_),
      url_(other.url_),
      has_url_(other.has_url_),
      curlu_(other.curlu_),
      http_auth_(other.http_auth_),
      proxy_auth_(other.proxy_auth_),
      netrc_(other.netrc_),
      fresh_connect_(other.fresh_connect_),
      follows_redirects_(other.follows_redirects_),
      own_dns_timeout_(other.own_dns_timeout_),
      may_be_unsafe_(other.may_be_unsafe_),
      timeout_ms_(other.timeout_ms_),
      headers_(other.headers_),
      names_(other.names_),
      has_names_(other.has_names_) {
    // libcurl does not copy CURLOPT_ERRORBUFFER.
}

void EasyRecord::note_number(CURLoption option, long long value) {
    switch (effect_of(option)) {
        case OptionEffect::harmless:
            return note_request(option, value, nullptr);
        case OptionEffect::own_way:
            connect_only_ = value != 0;
            return;  // CURLOPT_CONNECT_ONLY
        case OptionEffect::is_private:
            return set_private(option, value != 0);
        case OptionEffect::credential:
        case OptionEffect::names_origin:
        case OptionEffect::in_key:
            break;
    }
    if (option == CURLOPT_HTTPAUTH) http_auth_ = static_cast<long>(value);
    if (option == CURLOPT_PROXYAUTH) proxy_auth_ = static_cast<long>(value);
    if (option == CURLOPT_NETRC) netrc_ = value != CURL_NETRC_IGNORED;
    put(option, std::to_string(value));
}

void EasyRecord::note_pointer(CURLoption option, const void* value) {
    switch (effect_of(option)) {
        case OptionEffect::harmless:
            return note_request(option, 0, value);
        case OptionEffect::own_way:
            return give_up();
        case OptionEffect::is_private:
            return set_private(option, value != nullptr);
        case OptionEffect::credential:
        case OptionEffect::in_key:
            return put(option, text_of(option, value));
        case OptionEffect::names_origin:
            break;
    }
    if (option == CURLOPT_URL) {
        has_url_ = value != nullptr;
        if (has_url_ && url_ != static_cast<const char*>(value)) {
            url_.assign(static_cast<const char*>(value));
            url_in_key_ = false;
        }
    } else if (option == CURLOPT_CURLU) {
        curlu_ = static_cast<CURLU*>(const_cast<void*>(value));
        key_valid_ = false;
    } else {
        put(option, text_of(option, value));
    }
}

void EasyRecord::note_names(const curl_slist* names) {
    SlistPtr copy;
    for (; names != nullptr; names = names->next) append(copy, names->data);
    has_names_ = copy != nullptr;
    put(CURLOPT_RESOLVE, text_of(CURLOPT_RESOLVE, copy.get()));
    names_ = std::move(copy);
}

/// What does not concern the connection, but how a transfer is run on a lane.
void EasyRecord::note_request(CURLoption option, long long number, const void* pointer) noexcept {
    switch (option) {
        case CURLOPT_ERRORBUFFER:
            error_buffer_ = static_cast<char*>(const_cast<void*>(pointer));
            break;
        case CURLOPT_FRESH_CONNECT:
            fresh_connect_ = number != 0;
            break;
        case CURLOPT_DNS_CACHE_TIMEOUT:
            own_dns_timeout_ = true;
            break;
        case CURLOPT_FOLLOWLOCATION:
            follows_redirects_ = number != 0;
            break;
        case CURLOPT_TIMEOUT:
            timeout_ms_ = static_cast<long>(number) * 1000;
            break;
        case CURLOPT_TIMEOUT_MS:
            timeout_ms_ = static_cast<long>(number);
            break;
        case CURLOPT_HTTPHEADER:
            headers_ = static_cast<const curl_slist*>(pointer);
            break;
        case CURLOPT_POST:
            may_be_unsafe_ = may_be_unsafe_ || number != 0;
            break;
        case CURLOPT_POSTFIELDS:
        case CURLOPT_COPYPOSTFIELDS:
        case CURLOPT_MIMEPOST:
        case CURLOPT_CUSTOMREQUEST:
            may_be_unsafe_ = may_be_unsafe_ || pointer != nullptr;
            break;
        default:
            if (static_cast<int>(option) == CURLOPTTYPE_OBJECTPOINT + 24)
                may_be_unsafe_ = true;  // HTTPPOST, deprecated
            break;
    }
}

void EasyRecord::put(CURLoption option, std::string text) {
    const int number = static_cast<int>(option);
    const auto at = std::lower_bound(values_.begin(), values_.end(), number,
                                     [](const Value& value, int wanted) { return value.option < wanted; });
    if (at != values_.end() && at->option == number) {
        if (at->text == text) return;
        at->text = std::move(text);
    } else {
        values_.insert(at, {number, effect_of(option) == OptionEffect::credential, std::move(text)});
    }
    key_valid_ = false;
}

void EasyRecord::set_private(CURLoption option, bool on) {
    const int number = static_cast<int>(option);
    std::erase(private_options_, number);
    if (!on) return;
    private_options_.push_back(number);
    keeps_private_ = keeps_private_ || stays_with_handle(option);
}

void EasyRecord::reset() noexcept {
    values_.clear();
    private_options_.clear();
    connect_only_ = has_url_ = netrc_ = fresh_connect_ = may_be_unsafe_ = key_valid_ = false;
    follows_redirects_ = own_dns_timeout_ = has_names_ = false;
    curlu_ = nullptr;
    http_auth_ = proxy_auth_ = static_cast<long>(CURLAUTH_BASIC);
    error_buffer_ = nullptr;
    timeout_ms_ = 0;
    headers_ = nullptr;
    verified.reset();
}

bool EasyRecord::binds_credentials() const noexcept {
    return binds_connection(static_cast<unsigned long>(http_auth_)) ||
           binds_connection(static_cast<unsigned long>(proxy_auth_));
}

const LaneKey* EasyRecord::lane_key() {
    if (any_private() || connect_only_ || share_.kind == EasyShare::Kind::own_way) return nullptr;
    if (binds_credentials() && netrc_) return nullptr;  // whose, a file says
    if (curlu_ != nullptr) return fill_key(curlu_, {}) ? &key_ : nullptr;
    if (!has_url_) return nullptr;
    if (key_valid_ && url_in_key_) return &key_;
    const auto authority = authority_of(url_);
    url_in_key_ = (key_valid_ && !authority.empty() && authority == key_authority_) || make_key(url_.c_str());
    return url_in_key_ ? &key_ : nullptr;
}

bool EasyRecord::leads_to_key(const char* url) {
    if (url == nullptr) return false;
    const LaneKey old = key_;
    if (curlu_ == nullptr && key_valid_ && authority_of(url) == key_authority_) return true;
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
    if (protocol != nullptr && protocol->starts_with('=') &&
        std::string_view(url).find("://") == std::string_view::npos) {
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
    if (scheme_name != "http" && scheme_name != "https") return false;
    const auto* own_port = value_of(CURLOPT_PORT);
    std::string origin = scheme_name + "://" + lower_case(host.get()) + ':';
    origin += own_port != nullptr && *own_port != "0" ? *own_port : std::string(port ? port.get() : "");
    auto rest = rest_of_key();
    if (binds_credentials()) {
        const auto user = part(CURLUPART_USER), password = part(CURLUPART_PASSWORD);
        rest.append("user=")
            .append(user ? user.get() : "")
            .append(1, '\n')
            .append(password ? password.get() : "");
    }
    if (const auto proxy = proxy_origin(scheme_name); !proxy.empty()) {
        origin = proxy;
        rest += "through proxy\n";
    }
    if (key_.empty() || key_.origin() != origin || key_.text().substr(origin.size() + 1) != rest) {
        key_ = LaneKey(origin, rest);
    }
    key_authority_ = authority;
    key_valid_ = true;
    return true;
}

/// Plain requests through an HTTP proxy travel on a connection to the proxy, whatever their origin. Empty:
/// not so.
std::string EasyRecord::proxy_origin(std::string_view scheme) const {
    const auto given = [this](CURLoption option) {
        const auto* text = value_of(option);
        return text != nullptr && *text != "0" && *text != "=";
    };
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

const std::string* EasyRecord::value_of(CURLoption option) const noexcept {
    for (const auto& value : values_) {
        if (value.option == static_cast<int>(option)) return &value.text;
    }
    return nullptr;
}

namespace {

/// The value of the first field of that name; null: there is none.
const char* field(const curl_slist* headers, std::string_view name) noexcept {
    for (; headers != nullptr; headers = headers->next) {
        const std::string_view line(headers->data);
        if (line.size() > name.size() && line[name.size()] == ':' &&
            equal_ignoring_case(line.substr(0, name.size()), name)) {
            return headers->data + name.size() + 1;
        }
    }
    return nullptr;
}

}  // namespace

bool EasyRecord::says_connection_close() const noexcept {
    if (headers_ == nullptr) return false;
    const char* value = field(headers_, "Connection");
    return value != nullptr && list_contains(value, "close");
}

bool EasyRecord::has_idempotency_key() const noexcept {
    const char* value = field(headers_, "Idempotency-Key");
    return value != nullptr && value[std::strspn(value, " \t")] != '\0';
}

}  // namespace ringlet::detail
