// EasyStream: a connection that libcurl made, or does TLS on, without HTTP (CURLOPT_CONNECT_ONLY).
#pragma once

#include "socket/stream.hpp"

#include <memory>

namespace ringlet::detail {

class EasyStream final : public Stream {
  public:
    /// `lease`: connected by connect_only(). `plain`: what its descriptor carries is not encrypted. `outer`:
    /// what the socket was counted by before, if anything.
    EasyStream(Lease lease, bool plain, std::shared_ptr<Account> outer) noexcept;
    ~EasyStream() override;

    std::size_t read(std::span<std::byte> to, const StreamLimits& limits) override;
    void write(std::span<const std::byte> bytes, const StreamLimits& limits) override;
    Waiting waiting() noexcept override;
    bool inherited() const noexcept override { return lane_.forked(); }
    bool plain() const noexcept override { return plain_; }
    Descriptor release() override;
    std::string local_address() const override;
    std::string remote_address() const override;

  private:
    [[noreturn]] void lost(const char* doing, int code);
    /// Whose cache counts the socket: its shutdown ends operations.
    Lane& counting() const noexcept { return outer_ ? outer_->lane() : lane_; }

    std::shared_ptr<Account> outer_;
    std::shared_ptr<Account> account_;  // of the lane that has the connection
    Lane& lane_;
    bool plain_;
    bool attached_ = true;  // the easy handle is in the multi
};

}  // namespace ringlet::detail
