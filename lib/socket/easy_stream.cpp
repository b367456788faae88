#include "socket/easy_stream.hpp"

#include "curl/api.hpp"
#include "lane/lane.hpp"
#include "ringlet/error.hpp"
#include "socket/wait.hpp"
#include "transfer/connect_only.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

namespace ringlet::detail {

EasyStream::EasyStream(Lease lease, bool plain, std::shared_ptr<Account> outer) noexcept
    : outer_(std::move(outer)),
      account_(std::make_shared<Account>(std::move(lease))),
      lane_(account_->lane()),
      plain_(plain) {}

EasyStream::~EasyStream() {
    // In a forked child the connection is the parent's: closing would speak on it.
    if (attached_ && !lane_.forked()) curl().multi_remove_handle(lane_.multi(), lane_.easy());
}

void EasyStream::lost(const char* doing, int code) {
    ErrorDetails details;
    details.native_code = code;
    details.remote_address = remote_address();
    std::string why =
        std::string("socket: ") + doing + ": " + curl().easy_strerror(static_cast<CURLcode>(code));
    throw Error(Errc::connection_lost, why, std::move(details));
}

std::size_t EasyStream::read(std::span<std::byte> to, const StreamLimits& limits) {
    check_limits(limits, &counting());
    while (true) {
        std::size_t got = 0;
        const auto code = curl().easy_recv(lane_.easy(), to.data(), to.size(), &got);
        if (code == CURLE_OK) return got;
        if (code != CURLE_AGAIN) lost("read", code);
        wait_ready(lane_.socket(), POLLIN, limits, &counting());
    }
}

void EasyStream::write(std::span<const std::byte> bytes, const StreamLimits& limits) {
    check_limits(limits, &counting());
    while (!bytes.empty()) {
        std::size_t sent = 0;
        const auto code = curl().easy_send(lane_.easy(), bytes.data(), bytes.size(), &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN) lost("write", code);
        bytes = bytes.subspan(sent);
        if (sent == 0) wait_ready(lane_.socket(), POLLOUT, limits, &counting());
    }
}

Stream::Waiting EasyStream::waiting() noexcept {
    char byte = 0;
    const auto got = ::recv(lane_.socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0) return Waiting::bytes;
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? Waiting::nothing : Waiting::end;
}

Descriptor EasyStream::release() {
    const int fd = take_descriptor(lane_);
    attached_ = false;
    return {fd, outer_ ? std::move(outer_) : std::move(account_)};
}

std::string EasyStream::local_address() const {
    return lane_.local_address();
}
std::string EasyStream::remote_address() const {
    return lane_.remote_address();
}

}  // namespace ringlet::detail
