// BodyBuffer: body bytes that have arrived and that nobody has taken yet.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace ringlet::detail {

/// A queue of bytes in one piece of memory, kept from request to request up to a modest size.
class BodyBuffer {
  public:
    std::size_t size() const noexcept { return end_ - begin_; }
    bool empty() const noexcept { return begin_ == end_; }
    const char* data() const noexcept { return bytes_.data() + begin_; }

    void append(const char* data, std::size_t size) {
        if (size > bytes_.size() - end_) make_room(size);
        std::memcpy(bytes_.data() + end_, data, size);
        end_ += size;
    }
    std::size_t take(char* to, std::size_t size) noexcept {
        const auto n = std::min(size, this->size());
        std::memcpy(to, data(), n);
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
        if (bytes_.size() > kept_size) std::vector<char>().swap(bytes_);
    }

  private:
    static constexpr std::size_t kept_size = 64 * 1024;

    void make_room(std::size_t size) {
        const auto used = this->size();
        if (bytes_.size() - used >= size && begin_ >= used) {  // enough room at the front, and no overlap
            std::memcpy(bytes_.data(), data(), used);
        } else {
            std::vector<char> larger(std::max(2 * bytes_.size(), std::max<std::size_t>(used + size, 4096)));
            if (used != 0) std::memcpy(larger.data(), data(), used);
            bytes_.swap(larger);
        }
        begin_ = 0;
        end_ = used;
    }

    std::vector<char> bytes_;
    std::size_t begin_ = 0, end_ = 0;
};

}  // namespace ringlet::detail
