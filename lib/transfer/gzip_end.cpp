#include "transfer/gzip_end.hpp"

#include <algorithm>

namespace ringlet::detail {
namespace {

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char small = static_cast<char>(c | 0x20);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

}  // namespace

void GzipEnd::add(std::string_view wire) noexcept {
    while (!wire.empty() && state_ != State::over) {
        if (state_ != State::data) {
            read_framing(wire.front());
            wire.remove_prefix(1);
            continue;
        }
        const auto n =
            chunked_ ? static_cast<std::size_t>(std::min<std::uint64_t>(left_, wire.size())) : wire.size();
        keep(wire.substr(0, n));
        wire.remove_prefix(n);
        left_ -= chunked_ ? n : 0;
        if (chunked_ && left_ == 0) state_ = State::after_data;
    }
}

/// RFC 9112 section 7.1. What libcurl would not take for a chunk never comes to its end here.
void GzipEnd::read_framing(char c) noexcept {
    const int digit = state_ == State::size_line ? hex_digit(c) : -1;
    if (digit >= 0) {
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    } else if (c != '\n') {
        if (state_ == State::size_line) state_ = State::rest_of_line;
    } else if (state_ == State::after_data) {
        state_ = State::size_line;
        left_ = 0;
    } else {
        state_ = left_ == 0 ? State::over : State::data;
    }
}

void GzipEnd::keep(std::string_view bytes) noexcept {
    size_ += bytes.size();
    const auto n = std::min(bytes.size(), tail_.size());
    std::copy(tail_.begin() + static_cast<std::ptrdiff_t>(n), tail_.end(), tail_.begin());
    std::copy(bytes.end() - static_cast<std::ptrdiff_t>(n), bytes.end(),
              tail_.end() - static_cast<std::ptrdiff_t>(n));
}

bool GzipEnd::cut(std::uint64_t decoded) const noexcept {
    if (size_ < smallest) return size_ != 0;
    std::array<char, 8> wanted{};  // of the checksum only that of nothing is known here: 0
    for (std::size_t i = 0; i < 4; ++i) wanted[4 + i] = static_cast<char>(decoded >> (8 * i));
    const auto known = decoded == 0 ? wanted.begin() : wanted.begin() + 4;
    return !std::equal(known, wanted.end(), tail_.end() - (wanted.end() - known));
}

}  // namespace ringlet::detail
