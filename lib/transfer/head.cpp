#include "transfer/head.hpp"

#include "value/text.hpp"

#include <algorithm>
#include <charconv>

namespace ringlet::detail {
namespace {

// All header bytes of one answer, interim answers included.
constexpr std::size_t size_limit = 300 * 1024;

// libcurl refuses a lower one too, but 8.23 (8.14 was not tried) only when the head is over.
constexpr int lowest_status = 100;

// Interim answers (1xx) before the final one.
constexpr unsigned interim_limit = 100;

std::string_view without_line_end(std::string_view line) noexcept {
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    return line;
}

struct Field {
    std::string_view name, value;
};

Field split(std::string_view line) noexcept {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return {trimmed(line), {}};
    return {trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1))};
}

/// Calls fn(name, value) for each field line; obsolete folding (RFC 9112 section 5.2) arrives unfolded or as
/// lines that start with a blank, which are no fields.
template <class Fn>
void each_field(std::string_view text, Fn fn) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1);
        const auto line = without_line_end(text.substr(0, end + 1));
        text.remove_prefix(end + 1);
        const bool folded = !line.empty() && (line.front() == ' ' || line.front() == '\t');
        if (line.empty() || line.starts_with("HTTP/") || folded) continue;
        const auto field = split(line);
        if (!field.name.empty()) fn(field.name, field.value);
    }
}

Headers parse(std::string_view text) {
    Headers headers;
    each_field(text, [&](auto name, auto value) { headers.append_unchecked(name, value); });
    return headers;
}

template <class Number>
std::optional<Number> number(std::string_view text) noexcept {
    Number value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

Protocol protocol_of(std::string_view status_line) noexcept {
    if (status_line.starts_with("HTTP/1.1")) return Protocol::http_1_1;
    if (status_line.starts_with("HTTP/1.0")) return Protocol::http_1_0;
    if (status_line.starts_with("HTTP/2")) return Protocol::http_2;
    if (status_line.starts_with("HTTP/3")) return Protocol::http_3;
    return Protocol::unknown;
}

/// More than three digits, of which libcurl 8 takes the first three.
bool overlong_status(std::string_view status_line) noexcept {
    const auto blank = status_line.find(' ');
    const auto fourth = blank == std::string_view::npos ? blank : blank + 4;
    return fourth < status_line.size() && status_line[fourth] >= '0' && status_line[fourth] <= '9';
}

}  // namespace

void Head::clear() noexcept {
    text_.clear();
    trailers_text_.clear();
    total_ = 0;
    interims_ = 0;
    status_ = 0;
    protocol_ = Protocol::unknown;
    complete_ = ended_ = chunked_ = encoded_ = close_ = keep_alive_ = false;
    length_seen_ = length_invalid_ = gzip_ = false;
    codings_ = 0;
    content_length_.reset();
    keep_alive_timeout_.reset();
    headers_.reset();
    trailers_.reset();
}

void Head::start_block(std::string_view status_line) {
    const auto total = total_;
    const auto interims = interims_;
    clear();
    total_ = total;
    interims_ = interims;
    text_.append(status_line);
    protocol_ = protocol_of(status_line);
    const auto line = without_line_end(status_line);
    const auto blank = line.find(' ');
    if (blank != std::string_view::npos) status_ = number<int>(line.substr(blank + 1, 3)).value_or(0);
}

Head::Line Head::add(std::string_view line) {
    total_ += line.size();
    if (total_ > size_limit) return Line::too_large;
    if (without_line_end(line).find('\r') != std::string_view::npos) return Line::malformed;
    if (line.starts_with("HTTP/")) {
        start_block(line);
        return status_ < lowest_status || overlong_status(line) ? Line::malformed : Line::more;
    }
    if (without_line_end(line).empty()) {
        if (status_ >= 100 && status_ < 200 && status_ != 101) {
            return ++interims_ > interim_limit ? Line::too_large : Line::interim_end;
        }
        ended_ = true;
        return Line::end;
    }
    text_.append(line);
    if (line.back() != '\n') text_.push_back('\n');
    // Only fields that start with these letters are of interest here: the rest is not even split.
    const char first = lower(line.front());
    if (first == 'c' || first == 't' || first == 'k' || first == 'p') {
        const auto field = split(without_line_end(line));
        note(field.name, field.value);
    }
    return Line::more;
}

void Head::note(std::string_view name, std::string_view value) noexcept {
    if (equal_ignoring_case(name, "content-length")) {
        note_content_length(value);
    } else if (equal_ignoring_case(name, "transfer-encoding")) {
        chunked_ = chunked_ || list_contains(value, "chunked");
    } else if (equal_ignoring_case(name, "content-encoding")) {
        encoded_ = encoded_ || !equal_ignoring_case(value, "identity");
        gzip_ = equal_ignoring_case(value, "gzip") || equal_ignoring_case(value, "x-gzip");
        ++codings_;
    } else if (equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "proxy-connection")) {
        close_ = close_ || list_contains(value, "close");
        keep_alive_ = keep_alive_ || list_contains(value, "keep-alive");
    } else if (equal_ignoring_case(name, "keep-alive")) {
        note_keep_alive(value);
    }
}

/// A number, or several that agree (RFC 9110 section 8.6). libcurl reads as far as there are digits, and
/// takes the last of several; whoever else reads this connection may take the first.
void Head::note_content_length(std::string_view value) noexcept {
    for (bool more = true; more;) {
        const auto comma = value.find(',');
        const auto item = trimmed(value.substr(0, comma));
        more = comma != std::string_view::npos;
        if (more) value.remove_prefix(comma + 1);
        const bool digits = !item.empty() && item.find_first_not_of("0123456789") == std::string_view::npos;
        const auto length =
            number<std::uint64_t>(item);  // none when it is beyond 64 bits: then the connection's end counts
        if (!digits || (length_seen_ && length != content_length_)) length_invalid_ = true;
        length_seen_ = true;
        content_length_ = length;
    }
}

void Head::note_keep_alive(std::string_view value) noexcept {
    while (!value.empty()) {
        const auto end = std::min(value.find_first_of(",;"), value.size());
        const auto item = trimmed(value.substr(0, end));
        value.remove_prefix(std::min(end + 1, value.size()));
        const auto equals = item.find('=');
        if (equals == std::string_view::npos ||
            !equal_ignoring_case(trimmed(item.substr(0, equals)), "timeout"))
            continue;
        auto text = trimmed(item.substr(equals + 1));
        if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
            text = text.substr(1, text.size() - 2);
        const auto seconds = number<std::uint32_t>(text);
        if (!seconds) continue;
        const std::chrono::seconds hint{*seconds};
        if (!keep_alive_timeout_ || hint < *keep_alive_timeout_) keep_alive_timeout_ = hint;
    }
}

bool Head::add_trailer(std::string_view line) {
    total_ += line.size();
    if (total_ > size_limit) return false;
    trailers_text_.append(line);
    return true;
}

std::string_view Head::reason() const noexcept {
    const std::string_view text = text_;
    const auto line = without_line_end(text.substr(0, text.find('\n')));
    const auto blank = line.find(' ');
    const auto second = blank == std::string_view::npos ? blank : line.find(' ', blank + 1);
    return second == std::string_view::npos ? std::string_view{} : trimmed(line.substr(second + 1));
}

std::optional<std::string_view> Head::field(std::string_view name) const noexcept {
    std::optional<std::string_view> found;
    each_field(text_, [&](auto field_name, auto value) {
        if (!found && equal_ignoring_case(field_name, name)) found = value;
    });
    return found;
}

bool Head::ambiguous_location() const noexcept {
    std::optional<std::string_view> first;
    bool differ = false;
    each_field(text_, [&](auto name, auto value) {
        if (!equal_ignoring_case(name, "location")) return;
        differ = differ || (first && *first != value);
        first = value;
    });
    return differ;
}

const Headers& Head::headers() const {
    if (!headers_) headers_ = parse(text_);
    return *headers_;
}

const Headers& Head::trailers() const {
    if (!trailers_ || !complete_) trailers_ = parse(trailers_text_);
    return *trailers_;
}

}  // namespace ringlet::detail
