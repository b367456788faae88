// SocketCore: a socket's states, and the rule of one operation at a time.
#pragma once

#include "ringlet/error.hpp"
#include "ringlet/socket.hpp"
#include "socket/stream.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// Each operation claims the state first: a second one on another thread finds it claimed and is refused.
class SocketCore {
  public:
    explicit SocketCore(std::unique_ptr<Stream> stream) noexcept : stream_(std::move(stream)) {}

    SocketState state() const noexcept { return state_.load(std::memory_order_acquire); }
    std::size_t read(std::span<std::byte> to);
    std::size_t write(std::span<const std::byte> bytes);
    void flush();
    void close();
    void start_tls(std::string_view host, const TlsOptions& options);
    /// The descriptor of an open plain stream for its owner, who closes it; the state is `taken`.
    int release();
    /// The same with its place in a cache's limits, for an exchange of HTTP: bytes, or the end, that nobody
    /// read are refused.
    Descriptor take_for_http();

    void set_timeout(Duration d) noexcept { timeout_ = d; }
    void set_stop(std::stop_token stop) noexcept { stop_ = std::move(stop); }
    std::string local_address() const;
    std::string remote_address() const;

  private:
    class Operation;
    Descriptor take(Operation& operation);
    void require_plain() const;
    StreamLimits limits() const;

    std::atomic<SocketState> state_{SocketState::open};
    std::unique_ptr<Stream> stream_;  // of whoever has claimed the state; null once closed or taken
    Duration timeout_ = unlimited;
    std::stop_token stop_;
};

StreamLimits limits_from_now(Duration timeout, std::stop_token stop);

[[noreturn]] void throw_socket_state(SocketState state);

}  // namespace ringlet::detail
