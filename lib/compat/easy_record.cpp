#include "compat/easy_record.hpp"

#include "curl/header_lines.hpp"
#include "curl/option_rules.hpp"
#include "value/text.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ringlet::detail {
namespace {

// By number: their names are deprecated.
constexpr auto old_httppost = static_cast<CURLoption>(CURLOPTTYPE_OBJECTPOINT + 24);
constexpr auto old_put = static_cast<CURLoption>(CURLOPTTYPE_LONG + 54);

/// Options whose effects outlive them: a handle's HSTS and alt-svc memory, an engine, the TLS sessions that
/// came of its own TLS context (they are resumed without that context, and without a look at a certificate);
/// and those nobody knows.
bool stays_with_handle(CURLoption option) noexcept {
    switch (option) {
        case CURLOPT_OPENSOCKETFUNCTION:
        case CURLOPT_OPENSOCKETDATA:
        case CURLOPT_CLOSESOCKETFUNCTION:
        case CURLOPT_CLOSESOCKETDATA:
        case CURLOPT_SOCKOPTFUNCTION:
        case CURLOPT_SOCKOPTDATA:
        case CURLOPT_RESOLVER_START_FUNCTION:
        case CURLOPT_RESOLVER_START_DATA:
        case CURLOPT_CERTINFO:
            return false;
        default:
            return true;
    }
}

/// What a connection keeps until it is closed, and calls then: the program's function for its socket, what
/// the program put into its TLS context; and options nobody knows, when in doubt.
bool may_be_called_at_close(CURLoption option) noexcept {
    switch (option) {
        case CURLOPT_OPENSOCKETFUNCTION:
        case CURLOPT_OPENSOCKETDATA:
        case CURLOPT_SOCKOPTFUNCTION:
        case CURLOPT_SOCKOPTDATA:
        case CURLOPT_RESOLVER_START_FUNCTION:
        case CURLOPT_RESOLVER_START_DATA:
        case CURLOPT_SSLENGINE:
        case CURLOPT_SSLENGINE_DEFAULT:
        case CURLOPT_CERTINFO:
        case CURLOPT_ALTSVC:
        case CURLOPT_ALTSVC_CTRL:
        case CURLOPT_HSTS:
        case CURLOPT_HSTS_CTRL:
        case CURLOPT_HSTSREADFUNCTION:
        case CURLOPT_HSTSREADDATA:
        case CURLOPT_HSTSWRITEFUNCTION:
        case CURLOPT_HSTSWRITEDATA:
            return false;
        default:
            return true;
    }
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

}  // namespace

EasyRecord::EasyRecord(const EasyRecord& other)
    : values_(other.values_),
      private_options_(other.private_options_),
      keeps_private_(other.keeps_private_),
      ties_lanes_(other.ties_lanes_),
      socket_functions_(other.socket_functions_),
      given_up_(other.given_up_),
      pooled_(other.pooled_),
      connect_only_(other.connect_only_),
      url_(other.url_),
      has_url_(other.has_url_),
      curlu_(other.curlu_),
      http_auth_(other.http_auth_),
      proxy_auth_(other.proxy_auth_),
      netrc_(other.netrc_),
      error_buffer_(other.error_buffer_),
      fresh_connect_(other.fresh_connect_),
      follows_redirects_(other.follows_redirects_),
      own_dns_timeout_(other.own_dns_timeout_),
      own_max_age_(other.own_max_age_),
      may_be_unsafe_(other.may_be_unsafe_),
      no_body_(other.no_body_),
      timeout_ms_(other.timeout_ms_),
      headers_(other.headers_),
      proxy_headers_authenticate_(other.proxy_headers_authenticate_),
      names_(other.names_),
      has_names_(other.has_names_) {
    // libcurl does not copy CURLOPT_SHARE.
}

void EasyRecord::note_number(CURLoption option, long long value) {
    switch (effect_of(option)) {
        case OptionEffect::harmless:
            if (const auto take = taker_of(option)) take(*this, value, nullptr);
            return;
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
            if (const auto take = taker_of(option)) take(*this, 0, value);
            return;
        case OptionEffect::own_way:
            return give_up();
        case OptionEffect::is_private:
            note_socket_function(option, value);
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

/// Looked at now, as for the key: without a proxy libcurl leaves the list alone, and it may be gone by then.
void EasyRecord::note_proxy_headers(const curl_slist* list) {
    note_pointer(CURLOPT_PROXYHEADER, list);
    proxy_headers_authenticate_ = any_line(list, authenticates_connection);
}

void EasyRecord::note_names(const curl_slist* names) {
    SlistPtr copy;
    for (; names != nullptr; names = names->next) append(copy, names->data);
    has_names_ = copy != nullptr;
    put(CURLOPT_RESOLVE, text_of(CURLOPT_RESOLVE, copy.get()));
    names_ = std::move(copy);
}

bool EasyRecord::concerned_by(CURLoption option) noexcept {
    return taker_of(option) != nullptr || effect_of(option) != OptionEffect::harmless;
}

EasyRecord::Taker EasyRecord::taker_of(CURLoption option) noexcept {
    switch (option) {
        case CURLOPT_ERRORBUFFER:
            return [](EasyRecord& r, long long, const void* buffer) noexcept {
                r.error_buffer_ = static_cast<char*>(const_cast<void*>(buffer));
            };
        case CURLOPT_FRESH_CONNECT:
            return [](EasyRecord& r, long long on, const void*) noexcept { r.fresh_connect_ = on != 0; };
        case CURLOPT_DNS_CACHE_TIMEOUT:
            return [](EasyRecord& r, long long, const void*) noexcept { r.own_dns_timeout_ = true; };
        case CURLOPT_FOLLOWLOCATION:
            return [](EasyRecord& r, long long on, const void*) noexcept { r.follows_redirects_ = on != 0; };
        case CURLOPT_TIMEOUT:
            return [](EasyRecord& r, long long s, const void*) noexcept {
                r.timeout_ms_ = static_cast<long>(s) * 1000;
            };
        case CURLOPT_TIMEOUT_MS:
            return [](EasyRecord& r, long long ms, const void*) noexcept {
                r.timeout_ms_ = static_cast<long>(ms);
            };
        case CURLOPT_HTTPHEADER:
            return [](EasyRecord& r, long long, const void* list) noexcept {
                r.headers_ = static_cast<const curl_slist*>(list);
            };
        case CURLOPT_MAXAGE_CONN:
            return [](EasyRecord& r, long long, const void*) noexcept { r.own_max_age_ = true; };
        case CURLOPT_NOBODY:
            return [](EasyRecord& r, long long on, const void*) noexcept { r.no_body_ = on != 0; };
        case CURLOPT_HTTPGET:
        case CURLOPT_UPLOAD:
        case old_put:
            return
                [](EasyRecord& r, long long on, const void*) noexcept { r.no_body_ = r.no_body_ && on == 0; };
        case CURLOPT_POST:
            return [](EasyRecord& r, long long on, const void*) noexcept {
                r.no_body_ = r.no_body_ && on == 0;
                r.may_be_unsafe_ = r.may_be_unsafe_ || on != 0;
            };
        case CURLOPT_MIMEPOST:
        case old_httppost:
            return [](EasyRecord& r, long long, const void* form) noexcept {
                r.no_body_ = false;
                r.may_be_unsafe_ = r.may_be_unsafe_ || form != nullptr;
            };
        case CURLOPT_POSTFIELDS:
        case CURLOPT_COPYPOSTFIELDS:
        case CURLOPT_CUSTOMREQUEST:
            return [](EasyRecord& r, long long, const void* text) noexcept {
                r.may_be_unsafe_ = r.may_be_unsafe_ || text != nullptr;
            };
        default:
            return nullptr;
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
    const bool before = is_private();
    std::erase(private_options_, number);
    if (on) {
        private_options_.push_back(number);
        keeps_private_ = keeps_private_ || stays_with_handle(option);
        ties_lanes_ = ties_lanes_ || may_be_called_at_close(option);
        private_meanwhile_ = true;
    }
    key_valid_ = key_valid_ && is_private() == before;
}

void EasyRecord::keep_private() noexcept {
    key_valid_ = key_valid_ && is_private();
    keeps_private_ = true;
}

void EasyRecord::note_socket_function(CURLoption option, const void* value) noexcept {
    void* const pointer = const_cast<void*>(value);
    switch (option) {
        case CURLOPT_OPENSOCKETFUNCTION:
            socket_functions_.open = reinterpret_cast<curl_opensocket_callback>(pointer);
            break;
        case CURLOPT_OPENSOCKETDATA:
            socket_functions_.open_data = pointer;
            break;
        case CURLOPT_CLOSESOCKETFUNCTION:
            socket_functions_.close = reinterpret_cast<curl_closesocket_callback>(pointer);
            break;
        case CURLOPT_CLOSESOCKETDATA:
            socket_functions_.close_data = pointer;
            break;
        case CURLOPT_SSL_CTX_FUNCTION:
            socket_functions_.ssl_ctx = reinterpret_cast<curl_ssl_ctx_callback>(pointer);
            break;
        default:
            break;
    }
}

void EasyRecord::reset() noexcept {
    values_.clear();
    private_options_.clear();
    socket_functions_ = {};
    connect_only_ = has_url_ = netrc_ = fresh_connect_ = may_be_unsafe_ = key_valid_ = false;
    follows_redirects_ = own_dns_timeout_ = own_max_age_ = has_names_ = no_body_ = false;
    curlu_ = nullptr;
    http_auth_ = proxy_auth_ = static_cast<long>(CURLAUTH_BASIC);
    error_buffer_ = nullptr;
    timeout_ms_ = 0;
    headers_ = nullptr;
    proxy_headers_authenticate_ = false;
    verified.reset();
}

/// A field of the program's own that authenticates the connection which it is sent on: that speaks for a
/// user ever after.
bool EasyRecord::authenticates_by_itself() const noexcept {
    return proxy_headers_authenticate_ || any_line(headers_, authenticates_connection);
}

bool EasyRecord::says_connection_close() const noexcept {
    return any_line(headers_, says_close);
}

bool EasyRecord::has_idempotency_key() const noexcept {
    return any_line(headers_, [](std::string_view name, std::string_view value) {
        return equal_ignoring_case(name, "Idempotency-Key") && !trimmed(value).empty();
    });
}

}  // namespace ringlet::detail
