#include "transfer/request_fields.hpp"

#include "curl/apply_options.hpp"
#include "curl/raw_options.hpp"
#include "value/text.hpp"

namespace ringlet::detail {

SlistPtr header_list(const Headers& headers, std::string_view codings, bool without_cookies) {
    SlistPtr list;
    std::string line;
    if (!codings.empty() && !headers.contains("Accept-Encoding")) {
        line.append("Accept-Encoding: ").append(codings);
        append(list, line.c_str());
    }
    for (const auto& field : headers) {
        if (without_cookies && equal_ignoring_case(field.name, "cookie")) continue;
        line.assign(field.name);
        // libcurl takes "Name:" as "do not send", and "Name;" as a field without a value.
        if (trimmed(field.value).empty()) {
            line += ';';
        } else {
            line.append(": ").append(field.value);
        }
        append(list, line.c_str());
    }
    return list;
}

// libcurl composes its own Accept-Encoding byte by byte for each request, and then the request from that; a
// field of the list it copies once.
std::string_view offered_codings(const WireOptions& options) {
    if (options.raw) return {};
    if (!options.accept_encoding) return usual_codings();
    const auto& named = *options.accept_encoding;
    // A field of blanks alone, as libcurl sees them, is to libcurl one that is not to be sent.
    const bool says_something = named && named->find_first_not_of(" \t\v\f") != std::string::npos;
    return says_something ? std::string_view(*named) : std::string_view();
}

std::string cookie_text(const Headers& headers) {
    std::string text;
    for (const auto& field : headers) {
        const auto value = trimmed(field.value);
        if (value.empty() || !equal_ignoring_case(field.name, "cookie")) continue;
        if (!text.empty()) text += "; ";
        text += value;
    }
    return text;
}

bool ends_connection(const Options& options) noexcept {
    for (const auto& field : options.headers) {
        if (says_close(field.name, field.value)) return true;
    }
    const auto& raw = options.wire.raw;
    return raw && raw->closes_sockets();
}

}  // namespace ringlet::detail
