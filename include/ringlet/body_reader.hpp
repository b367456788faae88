// Chunks and BodyStream: a response's body as a range and as a stream. While one lives, the body is locked.
#pragma once

#include <ringlet/export.hpp>

#include <cstddef>
#include <istream>
#include <iterator>
#include <memory>
#include <span>
#include <streambuf>
#include <vector>

namespace ringlet {
namespace detail {
class Exchange;
}

inline namespace v1 {

class Response;

/// An input range over a body: `for (std::span<const std::byte> piece : response.chunks())`. Move-only,
/// single pass, and a view's argument: `response.chunks() | std::views::take(3)`. Keeps the exchange alive.
/// Throws what Response::read() throws.
class RINGLET_API Chunks {
  public:
    class Iterator {
      public:
        using iterator_concept = std::input_iterator_tag;
        using value_type = std::span<const std::byte>;
        using difference_type = std::ptrdiff_t;

        Iterator() = default;
        explicit Iterator(Chunks* owner) : owner_(owner) {}
        value_type operator*() const noexcept { return owner_->piece_; }
        Iterator& operator++() {
            owner_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return it.at_end(); }

      private:
        bool at_end() const noexcept { return owner_ == nullptr || owner_->piece_.empty(); }
        Chunks* owner_ = nullptr;
    };

    Chunks(Chunks&&) noexcept;
    Chunks& operator=(Chunks&&) noexcept;
    ~Chunks();

    /// Reads the first piece. Once only.
    Iterator begin();
    static std::default_sentinel_t end() noexcept { return std::default_sentinel; }

  private:
    friend class Response;
    explicit Chunks(std::shared_ptr<detail::Exchange> exchange);
    void advance();
    void let_go() noexcept;

    std::shared_ptr<detail::Exchange> exchange_;
    std::vector<std::byte> buffer_;
    std::span<const std::byte> piece_;
};

/// An std::istream over a body. Move-only. Keeps the exchange alive.
class RINGLET_API BodyStream : public std::istream {
  public:
    BodyStream(BodyStream&&) noexcept;
    BodyStream& operator=(BodyStream&&) = delete;
    ~BodyStream() override;

  private:
    friend class Response;
    explicit BodyStream(std::shared_ptr<detail::Exchange> exchange);
    std::unique_ptr<std::streambuf> buffer_;
};

}  // namespace v1
}  // namespace ringlet
