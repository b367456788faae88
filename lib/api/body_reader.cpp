#include "ringlet/body_reader.hpp"

#include "transfer/exchange.hpp"

#include <algorithm>
#include <utility>

namespace ringlet::inline v1 {
namespace {

constexpr std::size_t piece_size = 64 * 1024;

/// A share in an exchange whose body it has locked.
class LockedBody {
  public:
    explicit LockedBody(std::shared_ptr<detail::Exchange> exchange) : exchange_(std::move(exchange)) {
        if (!exchange_) return;
        exchange_->lock();
        exchange_->add_handle();
    }
    ~LockedBody() {
        if (!exchange_) return;
        exchange_->unlock();
        exchange_->remove_handle();
    }
    LockedBody(const LockedBody&) = delete;
    LockedBody& operator=(const LockedBody&) = delete;
    std::size_t read(std::span<std::byte> to) { return exchange_ ? exchange_->read_locked(to) : 0; }

  private:
    std::shared_ptr<detail::Exchange> exchange_;
};

class BodyBuf final : public std::streambuf {
  public:
    BodyBuf(std::shared_ptr<detail::Exchange> exchange, std::istream& stream)
        : body_(std::move(exchange)), bytes_(piece_size), stream_(&stream) {}

    void belong_to(std::istream& stream) noexcept { stream_ = &stream; }

  protected:
    /// A body that is cut: what came before is the reader's all the same. An exception would have the stream
    /// forget it.
    std::streamsize xsgetn(char* to, std::streamsize size) override {
        std::streamsize got = 0;
        try {
            while (got < size) {
                if (gptr() == egptr() && underflow() == traits_type::eof()) break;
                const auto n = std::min<std::streamsize>(egptr() - gptr(), size - got);
                std::copy_n(gptr(), n, to + got);
                setg(eback(), gptr() + n, egptr());
                got += n;
            }
        } catch (...) {
            if (got == 0 || (stream_->exceptions() & std::ios::badbit) != 0) throw;
            stream_->setstate(std::ios::badbit);
        }
        return got;
    }

    int_type underflow() override {
        const auto n = body_.read(bytes_);
        auto* const first = reinterpret_cast<char*>(bytes_.data());
        setg(first, first, first + n);
        return n == 0 ? traits_type::eof() : traits_type::to_int_type(*first);
    }

  private:
    LockedBody body_;
    std::vector<std::byte> bytes_;
    std::istream* stream_;  // that reads from here
};

}  // namespace

Chunks::Chunks(std::shared_ptr<detail::Exchange> exchange) : exchange_(std::move(exchange)) {
    if (!exchange_) return;
    exchange_->lock();
    exchange_->add_handle();
}

Chunks::Chunks(Chunks&& other) noexcept
    : exchange_(std::move(other.exchange_)),
      buffer_(std::move(other.buffer_)),
      piece_(std::exchange(other.piece_, {})) {}

Chunks& Chunks::operator=(Chunks&& other) noexcept {
    if (this == &other) return *this;
    let_go();
    exchange_ = std::move(other.exchange_);
    buffer_ = std::move(other.buffer_);
    piece_ = std::exchange(other.piece_, {});
    return *this;
}

Chunks::~Chunks() {
    let_go();
}

void Chunks::let_go() noexcept {
    if (!exchange_) return;
    exchange_->unlock();
    exchange_->remove_handle();
}

Chunks::Iterator Chunks::begin() {
    if (buffer_.empty()) buffer_.resize(piece_size);
    advance();
    return Iterator(this);
}

void Chunks::advance() {
    const auto n = exchange_ ? exchange_->read_locked(buffer_) : 0;
    piece_ = std::span<const std::byte>(buffer_).first(n);
}

BodyStream::BodyStream(std::shared_ptr<detail::Exchange> exchange)
    : std::istream(nullptr), buffer_(std::make_unique<BodyBuf>(std::move(exchange), *this)) {
    rdbuf(buffer_.get());
}

BodyStream::BodyStream(BodyStream&& other) noexcept
    : std::istream(static_cast<std::istream&&>(other)), buffer_(std::move(other.buffer_)) {
    set_rdbuf(buffer_.get());
    if (buffer_) static_cast<BodyBuf&>(*buffer_).belong_to(*this);
    // The standard leaves it the buffer, which lives as long as this stream does.
    other.exceptions(std::ios::goodbit);
    other.std::ios::rdbuf(nullptr);
}

BodyStream::~BodyStream() = default;

}  // namespace ringlet::inline v1
