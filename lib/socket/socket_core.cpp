#include "socket/socket_core.hpp"

#include "socket/connector.hpp"

#include <utility>

namespace ringlet::detail {

void throw_socket_state(SocketState state) {
    switch (state) {
        case SocketState::closed:
            throw Error(Errc::socket_closed, "socket closed");
        case SocketState::taken:
            throw Error(Errc::socket_taken,
                        "socket taken: its stream was moved out; use the object that has it now");
        default:
            throw Error(Errc::socket_locked,
                        "socket locked: an operation is in flight on another thread; wait for its "
                        "end, or stop it by the stop token");
    }
}

/// Claims the socket for its scope.
class SocketCore::Operation {
  public:
    Operation(SocketCore& core, SocketState during) : core_(core), before_(core.state()) {
        do {
            if (before_ != SocketState::open && before_ != SocketState::half_closed)
                throw_socket_state(before_);
        } while (!core_.state_.compare_exchange_weak(before_, during, std::memory_order_acq_rel));
        after_ = before_;
    }
    ~Operation() { core_.state_.store(after_, std::memory_order_release); }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    SocketState before() const noexcept { return before_; }
    void leave(SocketState state) noexcept { after_ = state; }
    void close() noexcept {
        core_.stream_.reset();
        after_ = SocketState::closed;
    }
    /// In a forked child the socket is closed, and nothing said to the parent's peer.
    void require_own() {
        if (!core_.stream_->inherited()) return;
        close();
        throw Error(Errc::connection_lost,
                    "socket: the process has forked, and the connection is the parent's");
    }

  private:
    SocketCore& core_;
    SocketState before_;
    SocketState after_{};
};

StreamLimits limits_from_now(Duration timeout, std::stop_token stop) {
    StreamLimits limits;
    limits.stop = std::move(stop);
    const auto now = Clock::now();
    if (!timeout.is_unlimited() && timeout.value() < Clock::time_point::max() - now)
        limits.deadline = now + timeout.value();
    return limits;
}

StreamLimits SocketCore::limits() const {
    return limits_from_now(timeout_, stop_);
}

std::size_t SocketCore::read(std::span<std::byte> to) {
    Operation operation(*this, SocketState::reading);
    operation.require_own();
    if (operation.before() == SocketState::half_closed || to.empty()) return 0;
    try {
        const auto got = stream_->read(to, limits());
        if (got == 0) operation.leave(SocketState::half_closed);
        return got;
    } catch (const Error& error) {
        if (error.code() != Errc::timeout) operation.close();
        throw;
    }
}

std::size_t SocketCore::write(std::span<const std::byte> bytes) {
    Operation operation(*this, SocketState::writing);
    operation.require_own();
    try {
        stream_->write(bytes, limits());
        return bytes.size();
    } catch (...) {
        operation.close();
        throw;
    }
}

void SocketCore::flush() {
    Operation operation(*this, SocketState::writing);
    operation.require_own();
}

void SocketCore::close() {
    const auto now = state();
    if (now == SocketState::closed || now == SocketState::taken) return;
    Operation operation(*this, SocketState::writing);
    operation.close();
}

void SocketCore::start_tls(std::string_view host, const TlsOptions& options) {
    Operation operation(*this, SocketState::connecting);
    operation.require_own();
    if (operation.before() != SocketState::open) {
        throw Error(Errc::socket_closed, "start_tls: the peer has ended its side");
    }
    if (!stream_->plain()) throw Error(Errc::invalid_argument, "start_tls: TLS is on this socket already");
    const auto tls = tls_wire(options);
    const auto url = tls_url(host);
    if (stream_->waiting() == Stream::Waiting::bytes) {
        throw Error(Errc::socket_disturbed, "start_tls: the peer has sent plain bytes that nobody read");
    }
    try {
        stream_ = secured(stream_->release(), url, tls, limits());
    } catch (...) {
        operation.close();
        throw;
    }
}

void SocketCore::require_plain() const {
    if (stream_->plain()) return;
    throw Error(Errc::invalid_argument,
                "its bytes pass through TLS, which lives inside libcurl and cannot be handed over");
}

Descriptor SocketCore::take(Operation& operation) {
    require_plain();
    if (stream_->holds_bytes()) {
        throw Error(Errc::socket_disturbed,
                    "socket disturbed: bytes that came with the 101 are unread; read them first");
    }
    auto descriptor = stream_->release();
    stream_.reset();
    operation.leave(SocketState::taken);
    return descriptor;
}

int SocketCore::release() {
    Operation operation(*this, SocketState::writing);
    operation.require_own();
    return take(operation).fd;
}

Descriptor SocketCore::take_for_http() {
    Operation operation(*this, SocketState::writing);
    operation.require_own();
    require_plain();
    const auto waiting = stream_->waiting();
    if (waiting == Stream::Waiting::bytes) {
        throw Error(
            Errc::socket_disturbed,
            "socket disturbed: the peer has sent bytes that nobody read; they would become a response");
    }
    if (waiting == Stream::Waiting::end || operation.before() == SocketState::half_closed) {
        throw Error(Errc::socket_closed, "the peer has ended the connection");
    }
    return take(operation);
}

std::string SocketCore::local_address() const {
    return stream_ ? stream_->local_address() : std::string{};
}
std::string SocketCore::remote_address() const {
    return stream_ ? stream_->remote_address() : std::string{};
}

}  // namespace ringlet::detail
