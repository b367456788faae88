// Opt-in: fmt formatters for the public enumerations and values. A program that includes it links fmt itself.
//
//     fmt::print("{}\n", cache.stats());      // 3 open (0 connecting, 1 leased, 2 idle), 0 waiting; ...
//     fmt::print("{:>20}\n", error.phase());  // each takes the format specification of a string
//
// Every text is one line, but for those of Explanation and Headers. They are for people and logs: their words
// may change between versions. The values of Authorization, Proxy-Authorization, Cookie and
// Set-Cookie are left out.
#pragma once

#include <ringlet/connection_cache.hpp>
#include <ringlet/error.hpp>
#include <ringlet/events.hpp>
#include <ringlet/headers.hpp>
#include <ringlet/limits.hpp>
#include <ringlet/response.hpp>
#include <ringlet/settings.hpp>
#include <ringlet/socket.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>  // fmt::join, since fmt 11

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// A measured time, to three or four digits: "840us", "1.2ms", "3.4s".
inline std::string elapsed(std::chrono::nanoseconds d) {
    using std::chrono::duration;
    if (d < std::chrono::milliseconds(1))
        return fmt::format("{}us", std::chrono::round<std::chrono::microseconds>(d).count());
    if (d < std::chrono::seconds(1)) return fmt::format("{:.1f}ms", duration<double, std::milli>(d).count());
    return fmt::format("{:.1f}s", duration<double>(d).count());
}

inline std::string_view text_of(Errc v) noexcept {
    return to_string(v);
}
inline std::string_view text_of(Phase v) noexcept {
    return to_string(v);
}
inline std::string_view text_of(CloseReason v) noexcept {
    return to_string(v);
}
inline std::string_view text_of(ConnectionState v) noexcept {
    return to_string(v);
}
inline std::string_view text_of(Protocol v) noexcept {
    return to_string(v);
}
inline std::string_view text_of(BodyState v) noexcept {
    return to_string(v);
}
inline std::string_view text_of(Event::Kind v) noexcept {
    return to_string(v);
}
inline std::string_view text_of(SocketState v) noexcept {
    return to_string(v);
}
inline std::string_view text_of(Replay v) noexcept {
    switch (v) {
        case Replay::never:
            return "never";
        case Replay::idempotent:
            return "idempotent";
        case Replay::always:
            return "always";
    }
    return "unknown";
}
inline std::string_view text_of(HttpVersion v) noexcept {
    switch (v) {
        case HttpVersion::automatic:
            return "automatic";
        case HttpVersion::http_1_0:
            return "HTTP/1.0";
        case HttpVersion::http_1_1:
            return "HTTP/1.1";
        case HttpVersion::http_2:
            return "HTTP/2";
        case HttpVersion::http_2_prior_knowledge:
            return "HTTP/2 with prior knowledge";
    }
    return "unknown";
}
inline std::string_view text_of(IpVersion v) noexcept {
    switch (v) {
        case IpVersion::any:
            return "any";
        case IpVersion::v4:
            return "IPv4";
        case IpVersion::v6:
            return "IPv6";
    }
    return "unknown";
}
inline std::string_view text_of(TlsVersion v) noexcept {
    switch (v) {
        case TlsVersion::automatic:
            return "automatic";
        case TlsVersion::v1_0:
            return "TLS 1.0";
        case TlsVersion::v1_1:
            return "TLS 1.1";
        case TlsVersion::v1_2:
            return "TLS 1.2";
        case TlsVersion::v1_3:
            return "TLS 1.3";
    }
    return "unknown";
}

inline std::string text_of(const Limit& limit) {
    if (!limit.valid()) return "invalid";
    return limit.is_unlimited() ? "unlimited" : fmt::format("{}", limit.value());
}

/// Exact, in the largest unit that leaves no fraction: "118s", "1500ms".
inline std::string text_of(const Duration& duration) {
    if (duration.is_unlimited()) return "unlimited";
    const auto ns = duration.value().count();
    if (ns % 1'000'000'000 == 0) return fmt::format("{}s", ns / 1'000'000'000);
    if (ns % 1'000'000 == 0) return fmt::format("{}ms", ns / 1'000'000);
    if (ns % 1'000 == 0) return fmt::format("{}us", ns / 1'000);
    return fmt::format("{}ns", ns);
}

inline std::string text_of(const ConnectionInfo& c) {
    auto text = fmt::format("#{} {} {}", c.id, c.origin, to_string(c.state));
    if (c.state == ConnectionState::idle) text += " for " + elapsed(c.idle_time);
    if (c.protocol != Protocol::unknown) text.append(", ").append(to_string(c.protocol));
    text += fmt::format(", served {}, age {}", c.requests_served, elapsed(c.age));
    if (!c.remote_address.empty()) text += fmt::format(", {} -> {}", c.local_address, c.remote_address);
    return text;
}

inline std::string text_of(const Event& e) {
    auto text = fmt::format("{} #{} {}", to_string(e.kind), e.connection_id, e.origin);
    if (e.kind == Event::Kind::closed) text.append(": ").append(to_string(e.reason));
    if (e.kind == Event::Kind::waited) text.append(": ").append(elapsed(e.waited));
    return text;
}

/// Those that happened: "expired 3, peer_closed 1".
inline std::string text_of(const ClosedBy& closed) {
    std::string text;
    for (std::size_t i = 0; i < close_reason_count; ++i) {
        const auto reason = static_cast<CloseReason>(i);
        if (closed[reason] == 0) continue;
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", to_string(reason), closed[reason]);
    }
    return text;
}

inline std::string text_of(const CacheStats& s) {
    auto text = fmt::format(
        "{} open ({} connecting, {} leased, {} idle), {} waiting; {} requests, {} opened, {} reused, {} "
        "closed",
        s.open, s.connecting, s.leased, s.idle, s.waiting, s.requests, s.opened, s.reused, s.closed);
    if (const auto reasons = text_of(s.closed_by); !reasons.empty())
        text.append(" (").append(reasons).append(")");
    return text + fmt::format(", {} waits, {} acquire timeouts, {} dropped unread, {} replays", s.waits,
                              s.acquire_timeouts, s.dropped_unread, s.replays);
}

inline std::string text_of(const Disposition& d) {
    auto text = d.reused ? std::string("kept open") : fmt::format("closed: {}", to_string(d.reason));
    if (d.discarded_bytes != 0) text += fmt::format(", {} bytes discarded", d.discarded_bytes);
    return text;
}

inline std::string text_of(const DrainLimits& limits) {
    return fmt::format("bytes {}, time {}", text_of(limits.bytes), text_of(limits.time));
}

inline std::string text_of(const Explanation::Candidate& c) {
    return fmt::format("#{} {}", c.connection.id, c.reason);
}

inline std::string text_of(const Explanation& e) {
    auto text = e.summary;
    for (const auto& c : e.candidates) text.append("\n  ").append(text_of(c));
    return text;
}

inline std::string_view text_of(const Error& error) noexcept {
    return error.what();
}

inline bool is_secret(std::string_view field_name) noexcept {
    constexpr std::string_view secret[] = {"authorization", "proxy-authorization", "cookie", "set-cookie"};
    return std::ranges::any_of(secret, [field_name](std::string_view name) {
        return std::ranges::equal(name, field_name, [](char a, char b) {
            return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
        });
    });
}

inline std::string text_of(const HeaderField& field) {
    return fmt::format("{}: {}", field.name, is_secret(field.name) ? "..." : field.value);
}

inline std::string text_of(const Headers& headers) {
    std::string text;
    for (const auto& field : headers) text.append(text.empty() ? "" : "\n").append(text_of(field));
    return text;
}

inline std::string text_of(const Timings& t) {
    auto text = fmt::format("queued {}, resolved {}, connected {}, tls {}, sent {}, first byte {}, total {}",
                            elapsed(t.queued), elapsed(t.resolved), elapsed(t.connected), elapsed(t.tls),
                            elapsed(t.sent), elapsed(t.first_byte), elapsed(t.total));
    if (t.redirects.count() != 0) text += fmt::format(", redirects {}", elapsed(t.redirects));
    return text;
}

inline std::string text_of(const Progress& p) {
    const auto of = [](auto done, auto total) {
        return total == 0 ? fmt::format("{}", done) : fmt::format("{} of {}", done, total);
    };
    return fmt::format("{} bytes down, {} up", of(p.downloaded, p.download_total),
                       of(p.uploaded, p.upload_total));
}

inline std::string text_of(const RetryPolicy& r) {
    return fmt::format("{} attempts, backoff {} to {}, on {}{}{}", r.attempts, text_of(Duration(r.backoff)),
                       text_of(Duration(r.max_backoff)), fmt::join(r.statuses, " "),
                       r.connect_failures ? " and connect failures" : "", r.any_method ? ", any method" : "");
}

/// A formatter that writes text_of() the value.
template <class T>
struct TextFormatter : fmt::formatter<fmt::string_view> {
    template <class Context>
    auto format(const T& value, Context& context) const {
        const auto& text = text_of(value);
        return fmt::formatter<fmt::string_view>::format(fmt::string_view(text.data(), text.size()), context);
    }
};

}  // namespace ringlet::detail

template <>
struct fmt::formatter<ringlet::Errc> : ringlet::detail::TextFormatter<ringlet::Errc> {};
template <>
struct fmt::formatter<ringlet::Phase> : ringlet::detail::TextFormatter<ringlet::Phase> {};
template <>
struct fmt::formatter<ringlet::CloseReason> : ringlet::detail::TextFormatter<ringlet::CloseReason> {};
template <>
struct fmt::formatter<ringlet::ConnectionState> : ringlet::detail::TextFormatter<ringlet::ConnectionState> {};
template <>
struct fmt::formatter<ringlet::Protocol> : ringlet::detail::TextFormatter<ringlet::Protocol> {};
template <>
struct fmt::formatter<ringlet::BodyState> : ringlet::detail::TextFormatter<ringlet::BodyState> {};
template <>
struct fmt::formatter<ringlet::Event::Kind> : ringlet::detail::TextFormatter<ringlet::Event::Kind> {};
template <>
struct fmt::formatter<ringlet::SocketState> : ringlet::detail::TextFormatter<ringlet::SocketState> {};
template <>
struct fmt::formatter<ringlet::Replay> : ringlet::detail::TextFormatter<ringlet::Replay> {};
template <>
struct fmt::formatter<ringlet::HttpVersion> : ringlet::detail::TextFormatter<ringlet::HttpVersion> {};
template <>
struct fmt::formatter<ringlet::IpVersion> : ringlet::detail::TextFormatter<ringlet::IpVersion> {};
template <>
struct fmt::formatter<ringlet::TlsVersion> : ringlet::detail::TextFormatter<ringlet::TlsVersion> {};
template <>
struct fmt::formatter<ringlet::Limit> : ringlet::detail::TextFormatter<ringlet::Limit> {};
template <>
struct fmt::formatter<ringlet::Duration> : ringlet::detail::TextFormatter<ringlet::Duration> {};
template <>
struct fmt::formatter<ringlet::ConnectionInfo> : ringlet::detail::TextFormatter<ringlet::ConnectionInfo> {};
template <>
struct fmt::formatter<ringlet::Event> : ringlet::detail::TextFormatter<ringlet::Event> {};
template <>
struct fmt::formatter<ringlet::CacheStats> : ringlet::detail::TextFormatter<ringlet::CacheStats> {};
template <>
struct fmt::formatter<ringlet::Disposition> : ringlet::detail::TextFormatter<ringlet::Disposition> {};
template <>
struct fmt::formatter<ringlet::Explanation> : ringlet::detail::TextFormatter<ringlet::Explanation> {};
template <>
struct fmt::formatter<ringlet::Timings> : ringlet::detail::TextFormatter<ringlet::Timings> {};
template <>
struct fmt::formatter<ringlet::Progress> : ringlet::detail::TextFormatter<ringlet::Progress> {};
template <>
struct fmt::formatter<ringlet::RetryPolicy> : ringlet::detail::TextFormatter<ringlet::RetryPolicy> {};
template <>
struct fmt::formatter<ringlet::ClosedBy> : ringlet::detail::TextFormatter<ringlet::ClosedBy> {};
template <>
struct fmt::formatter<ringlet::DrainLimits> : ringlet::detail::TextFormatter<ringlet::DrainLimits> {};
template <>
struct fmt::formatter<ringlet::Explanation::Candidate>
    : ringlet::detail::TextFormatter<ringlet::Explanation::Candidate> {};
template <>
struct fmt::formatter<ringlet::Error> : ringlet::detail::TextFormatter<ringlet::Error> {};
template <>
struct fmt::formatter<ringlet::HeaderField> : ringlet::detail::TextFormatter<ringlet::HeaderField> {};
template <>
struct fmt::formatter<ringlet::Headers> : ringlet::detail::TextFormatter<ringlet::Headers> {};
