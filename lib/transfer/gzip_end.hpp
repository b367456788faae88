// GzipEnd: whether a gzip body that was framed as it should be is whole.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringlet::detail {

/// libcurl takes a gzip stream that breaks off (RFC 1952 section 2.3.1: it ends with its size) for its end,
/// and gives what was decoded so far as the whole. Here the bytes are followed as they travel.
class GzipEnd {
  public:
    void start(bool chunked) noexcept { *this = GzipEnd(chunked); }
    GzipEnd() = default;

    /// Body bytes, with their chunks around them if there are any.
    void add(std::string_view wire) noexcept;
    /// Without the chunks.
    std::uint64_t size() const noexcept { return size_; }
    /// The last bytes are not the size of what was decoded. (Bytes behind the end libcurl refuses itself.)
    bool cut(std::uint64_t decoded) const noexcept;

  private:
    enum class State : std::uint8_t { size_line, rest_of_line, data, after_data, over };
    static constexpr std::size_t smallest = 18;  // ten bytes of head, eight of trailer

    explicit GzipEnd(bool chunked) noexcept
        : state_(chunked ? State::size_line : State::data), chunked_(chunked) {}
    void keep(std::string_view bytes) noexcept;
    void read_framing(char c) noexcept;

    State state_ = State::data;
    bool chunked_ = false;
    std::uint64_t left_ = 0;  // of the chunk
    std::uint64_t size_ = 0;
    std::array<char, 8> tail_{};  // the last bytes: checksum and size
};

}  // namespace ringlet::detail
