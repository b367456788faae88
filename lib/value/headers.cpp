#include "ringlet/headers.hpp"

#include "ringlet/error.hpp"
#include "value/text.hpp"

#include <algorithm>

namespace ringlet::inline v1 {
namespace {

void check(std::string_view name, std::string_view value) {
    if (!detail::is_token(name)) {
        throw Error(Errc::invalid_argument, "header name \"" + detail::printable(name) + "\" is not a token");
    }
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
        throw Error(Errc::invalid_argument,
                    "header " + std::string(name) + ": CR, LF and NUL are not allowed in a value");
    }
}

}  // namespace

bool Headers::contains(std::string_view name) const noexcept {
    return get(name).has_value();
}

std::optional<std::string_view> Headers::get(std::string_view name) const noexcept {
    for (const auto& field : *this) {
        if (detail::equal_ignoring_case(field.name, name)) return field.value;
    }
    return std::nullopt;
}

std::vector<std::string_view> Headers::get_all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& field : *this) {
        if (detail::equal_ignoring_case(field.name, name)) values.push_back(field.value);
    }
    return values;
}

HeaderField Headers::operator[](std::size_t index) const noexcept {
    const auto& e = entries_[index];
    const std::string_view text = text_;
    return {text.substr(e.name_at, e.name_size), text.substr(e.value_at, e.value_size)};
}

void Headers::set(std::string_view name, std::string_view value) {
    check(name, value);
    const std::string kept_name(name);  // the views may be our own
    const std::string kept_value(value);
    remove(kept_name);
    append_unchecked(kept_name, kept_value);
}

void Headers::add(std::string_view name, std::string_view value) {
    check(name, value);
    append_unchecked(std::string(name), std::string(value));
}

std::size_t Headers::remove(std::string_view name) {
    const std::string kept(name);
    const auto removed = std::erase_if(entries_, [&](const Entry& e) {
        return detail::equal_ignoring_case(std::string_view(text_).substr(e.name_at, e.name_size), kept);
    });
    if (removed != 0) compact();
    return removed;
}

void Headers::compact() {
    Headers packed;
    for (const auto& field : *this) packed.append_unchecked(field.name, field.value);
    *this = std::move(packed);
}

void Headers::clear() noexcept {
    text_.clear();
    entries_.clear();
}

void Headers::append_unchecked(std::string_view name, std::string_view value) {
    const auto size = [](std::size_t n) { return static_cast<std::uint32_t>(n); };
    Entry e{size(text_.size()), size(name.size()), size(text_.size() + name.size()), size(value.size())};
    text_.append(name).append(value);
    entries_.push_back(e);
}

}  // namespace ringlet::inline v1
