// BodyBuffer: body bytes that have arrived and that nobody has taken yet.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

namespace ringlet::detail {

/// A queue of bytes in one piece of memory, kept from request to request up to a modest size.
class BodyBuffer {
  public:
    std::size_t size() const noexcept { return end_ - begin_; }
    bool empty() const noexcept { return begin_ == end_; }
    const char* data() const noexcept { return bytes_.get() + begin_; }

    void append(const char* data, std::size_t size) {
        if (size > capacity_ - end_) make_room(size);
        std::memcpy(bytes_.get() + end_, data, size);
        end_ += size;
    }
    std::size_t take(char* to, std::size_t size) noexcept {
        const auto n = std::min(size, this->size());
        if (n != 0) std::memcpy(to, data(), n);
        drop(n);
        return n;
    }
    void drop(std::size_t n) noexcept {
        begin_ += n;
        if (begin_ == end_) begin_ = end_ = 0;
    }
    /// For the next request: what a large body made it grow to is given back.
    void clear() noexcept {
        begin_ = end_ = 0;
        if (capacity_ <= kept_size) return;
        bytes_.reset();
        capacity_ = 0;
    }

  private:
    static constexpr std::size_t smallest_size = 4 * 1024;
    static constexpr std::size_t kept_size = 64 * 1024;
    // What a large body brings at a time (where Transfer pauses late, and a read more): at once, not by
    // doubling.
    static constexpr std::size_t large_size = (256 + 32) * 1024;

    void make_room(std::size_t size) {
        const auto used = this->size();
        if (capacity_ - used >= size && begin_ >= used) {  // enough room at the front, and no overlap
            if (used != 0) std::memcpy(bytes_.get(), data(), used);
        } else {
            auto wanted = std::max({2 * capacity_, used + size, smallest_size});
            if (wanted > kept_size && wanted < large_size) wanted = large_size;
            auto larger = std::make_unique_for_overwrite<char[]>(wanted);
            if (used != 0) std::memcpy(larger.get(), data(), used);
            bytes_ = std::move(larger);
            capacity_ = wanted;
        }
        begin_ = 0;
        end_ = used;
    }

    std::unique_ptr<char[]> bytes_;
    std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace ringlet::detail
