// Stream: what a Socket moves its bytes with.
#pragma once

#include "cache/cache.hpp"
#include "cache/lease.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

namespace ringlet::detail {

/// How long one operation may take, and what ends it.
struct StreamLimits {
    Clock::time_point deadline = Clock::time_point::max();  // Errc::timeout
    std::stop_token stop;                                   // Errc::cancelled
};

/// A socket's place in a cache's limits: a lease that is held while the socket is open, and that no request
/// ever gets.
class Account {
  public:
    explicit Account(Lease lease) noexcept : lease_(std::move(lease)) {}
    ~Account();
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;
    Lane& lane() noexcept { return *lease_; }

  private:
    Lease lease_;
};

/// A descriptor that leaves a stream: its new owner closes it.
struct Descriptor {
    int fd = -1;
    std::shared_ptr<Account> account;  // may be null
};

/// Driven by one thread at a time; the destructor closes.
class Stream {
  public:
    enum class Waiting { nothing, bytes, end };

    virtual ~Stream() = default;
    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// 0: the peer has ended its side. Throws Error: timeout, cancelled, connection_lost.
    virtual std::size_t read(std::span<std::byte> to, const StreamLimits& limits) = 0;
    /// Writes all, to the kernel. Throws the same.
    virtual void write(std::span<const std::byte> bytes, const StreamLimits& limits) = 0;
    /// What a read would find now.
    virtual Waiting waiting() noexcept = 0;
    /// Bytes that were received already, and would be lost with the stream.
    virtual bool holds_bytes() const noexcept { return false; }
    /// This is a forked child, and the connection its parent's: nothing but the destructor may be called.
    virtual bool inherited() const noexcept = 0;
    /// Its bytes are the descriptor's: release() is possible.
    virtual bool plain() const noexcept = 0;
    /// The descriptor; the stream is over.
    virtual Descriptor release() = 0;
    virtual std::string local_address() const = 0;
    virtual std::string remote_address() const = 0;
};

}  // namespace ringlet::detail
