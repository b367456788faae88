// PlainStream: a descriptor whose bytes are the peer's.
#pragma once

#include "socket/stream.hpp"

#include <memory>
#include <string>

namespace ringlet::detail {

/// Needs no non-blocking descriptor, and leaves it as it is. `early` was received before: it is read first. A
/// descriptor of -1: the peer has ended the connection, and `early` is all there is.
class PlainStream final : public Stream {
  public:
    explicit PlainStream(Descriptor descriptor, std::string early = {}) noexcept;
    ~PlainStream() override;

    std::size_t read(std::span<std::byte> to, const StreamLimits& limits) override;
    void write(std::span<const std::byte> bytes, const StreamLimits& limits) override;
    Waiting waiting() noexcept override;
    bool holds_bytes() const noexcept override { return !early_.empty(); }
    /// A descriptor that no cache counts is like any other: both processes have it.
    bool inherited() const noexcept override { return account_ && account_->lane().forked(); }
    bool plain() const noexcept override { return true; }
    Descriptor release() override;
    std::string local_address() const override;
    std::string remote_address() const override;

  private:
    Lane* lane() const noexcept { return account_ ? &account_->lane() : nullptr; }

    int fd_;
    std::shared_ptr<Account> account_;
    std::string early_;
};

/// Throws Error{invalid_argument} unless it is a connected stream socket.
void require_connected_stream(int fd);

}  // namespace ringlet::detail
