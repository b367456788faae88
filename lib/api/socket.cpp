#include "ringlet/socket.hpp"

#include "api/access.hpp"
#include "api/error_code.hpp"
#include "ringlet/error.hpp"
#include "socket/connector.hpp"
#include "socket/plain_stream.hpp"
#include "socket/socket_core.hpp"
#include "socket/upgrade.hpp"
#include "transfer/exchange.hpp"

#include <utility>

namespace ringlet::inline v1 {

using detail::with_error_code;

std::string_view to_string(SocketState state) noexcept {
    switch (state) {
        case SocketState::connecting:
            return "connecting";
        case SocketState::open:
            return "open";
        case SocketState::reading:
            return "reading";
        case SocketState::writing:
            return "writing";
        case SocketState::half_closed:
            return "half_closed";
        case SocketState::closed:
            return "closed";
        case SocketState::taken:
            return "taken";
    }
    return "unknown";
}

Socket::Socket() noexcept = default;
Socket::Socket(std::shared_ptr<detail::SocketCore> core) noexcept : core_(std::move(core)) {}
Socket::Socket(Socket&& other) noexcept
    : core_(std::move(other.core_)), moved_(std::exchange(other.moved_, true)) {}
Socket& Socket::operator=(Socket&& other) noexcept {
    if (this != &other) {
        core_ = std::move(other.core_);
        moved_ = std::exchange(other.moved_, true);
    }
    return *this;
}
Socket::~Socket() = default;

detail::SocketCore& Socket::core() const {
    if (!core_) detail::throw_socket_state(state());
    return *core_;
}

Socket Socket::connect(std::string_view host, std::uint16_t port, const SocketOptions& options) {
    detail::ensure_curl();
    if (options.timeout.negative()) throw Error(Errc::invalid_argument, "timeout: a negative duration");
    const auto cache = options.cache.value_or(ConnectionCache::process_wide());
    auto stream = detail::dial(host, port, options, detail::Access::cache(cache),
                               detail::limits_from_now(options.timeout, options.stop));
    Socket socket(std::make_shared<detail::SocketCore>(std::move(stream)));
    socket.timeout(options.timeout).stop(options.stop);
    return socket;
}

Socket Socket::adopt(int fd) {
    detail::require_connected_stream(fd);
    return Socket(std::make_shared<detail::SocketCore>(
        std::make_unique<detail::PlainStream>(detail::Descriptor{fd, nullptr})));
}

std::size_t Socket::read(std::span<std::byte> buffer) {
    return core().read(buffer);
}
std::size_t Socket::write(std::span<const std::byte> bytes) {
    return core().write(bytes);
}
void Socket::flush() {
    core().flush();
}

void Socket::close() {
    if (core_) core_->close();
}

void Socket::start_tls(std::string_view host, const TlsOptions& options) {
    core().start_tls(host, options);
}
int Socket::release() {
    return core().release();
}

SocketState Socket::state() const noexcept {
    if (core_) return core_->state();
    return moved_ ? SocketState::taken : SocketState::closed;
}

Socket& Socket::timeout(Duration d) {
    if (d.negative()) throw Error(Errc::invalid_argument, "timeout: a negative duration");
    if (core_) core_->set_timeout(d);
    return *this;
}

Socket& Socket::stop(std::stop_token token) {
    if (core_) core_->set_stop(std::move(token));
    return *this;
}

std::string Socket::local_address() const {
    return core_ ? core_->local_address() : std::string{};
}
std::string Socket::remote_address() const {
    return core_ ? core_->remote_address() : std::string{};
}

Socket Socket::connect(std::string_view host, std::uint16_t port, const SocketOptions& options,
                       std::error_code& ec) {
    return with_error_code(ec, [&] { return connect(host, port, options); });
}
std::size_t Socket::read(std::span<std::byte> buffer, std::error_code& ec) {
    return with_error_code(ec, [&] { return read(buffer); });
}
std::size_t Socket::write(std::span<const std::byte> bytes, std::error_code& ec) {
    return with_error_code(ec, [&] { return write(bytes); });
}
void Socket::flush(std::error_code& ec) {
    with_error_code(ec, [&] { flush(); });
}
void Socket::start_tls(std::string_view host, const TlsOptions& options, std::error_code& ec) {
    with_error_code(ec, [&] { start_tls(host, options); });
}

Socket Response::upgrade() {
    if (!exchange_) throw Error(Errc::invalid_argument, "upgrade: the response is of no request");
    auto upgraded = exchange_->upgrade();
    auto stop = upgraded.stop;
    auto socket = detail::Access::socket(
        std::make_shared<detail::SocketCore>(detail::stream_after(std::move(upgraded))));
    socket.stop(std::move(stop));
    return socket;
}

}  // namespace ringlet::inline v1
