// Small questions about HTTP's text.
#pragma once

#include <string>
#include <string_view>

namespace ringlet::detail {

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

/// A token of RFC 9110 section 5.6.2: what a method and a field name are made of.
constexpr bool is_token(std::string_view text) noexcept {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    if (text.empty()) return false;
    for (const char c : text) {
        const bool letter = (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
        if (!letter && marks.find(c) == std::string_view::npos) return false;
    }
    return true;
}

constexpr std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view blank = " \t\r\n";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// Whether a comma-separated list holds the word, without regard to case (RFC 9110 section 5.6.1).
constexpr bool list_contains(std::string_view list, std::string_view word) noexcept {
    while (true) {
        const auto comma = list.find(',');
        if (equal_ignoring_case(trimmed(list.substr(0, comma)), word)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
}

/// Whether a request's field proves who asks once for its whole connection, and not for the request (NTLM,
/// Negotiate: RFC 4559): whatever is asked there later is asked in that name.
constexpr bool authenticates_connection(std::string_view name, std::string_view value) noexcept {
    if (!equal_ignoring_case(name, "Authorization") && !equal_ignoring_case(name, "Proxy-Authorization"))
        return false;
    const auto text = trimmed(value);
    for (const std::string_view scheme : {"NTLM", "Negotiate"}) {
        if (equal_ignoring_case(text.substr(0, scheme.size()), scheme)) return true;
    }
    return false;
}

/// RFC 9112 section 9.6, of a request's field.
constexpr bool says_close(std::string_view name, std::string_view value) noexcept {
    return equal_ignoring_case(name, "Connection") && list_contains(value, "close");
}

/// Control characters replaced, so that it can stand in a message.
inline std::string printable(std::string_view text) {
    std::string out(text.substr(0, 200));
    for (auto& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    return out;
}

}  // namespace ringlet::detail
