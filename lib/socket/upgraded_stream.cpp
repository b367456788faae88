#include "socket/upgraded_stream.hpp"

#include "curl/api.hpp"
#include "ringlet/error.hpp"
#include "socket/wait.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace ringlet::detail {
namespace {

// Above it nothing more is read from the peer until the caller has taken half of it.
constexpr std::size_t soft_limit = 256 * 1024;

}  // namespace

UpgradedStream::UpgradedStream(Upgraded upgraded, std::shared_ptr<Account> outer)
    : url_(std::move(upgraded.url)),
      outer_(std::move(outer)),
      account_(std::make_shared<Account>(std::move(upgraded.lease))),
      lane_(account_->lane()),
      in_(std::move(upgraded.early)),
      done_(upgraded.ended) {
    lane_.set_client(this);
}

UpgradedStream::~UpgradedStream() {
    lane_.set_client(nullptr);
    if (lane_.forked()) return;  // the connection is the parent's: closing would speak on it
    curl().easy_setopt(lane_.easy(), CURLOPT_FORBID_REUSE, 1L);
    curl().multi_remove_handle(lane_.multi(), lane_.easy());
}

void UpgradedStream::step() {
    int running = 0, left = 0;
    const auto code = curl().multi_perform(lane_.multi(), &running);
    while (const CURLMsg* message = curl().multi_info_read(lane_.multi(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        done_ = true;
        // After a 101 with nothing behind it libcurl speaks of an empty reply.
        result_ = message->data.result == CURLE_GOT_NOTHING ? CURLE_OK : message->data.result;
    }
    if (code != CURLM_OK && !done_) {
        done_ = true;
        result_ = CURLE_RECV_ERROR;
    }
}

void UpgradedStream::wait(const StreamLimits& limits, bool for_bytes) {
    check_limits(limits, &lane_);
    const std::stop_callback wake(limits.stop, [this] { curl().multi_wakeup(lane_.multi()); });
    constexpr std::chrono::milliseconds longest(60'000);
    auto at_most = longest;
    if (limits.deadline != Clock::time_point::max()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(limits.deadline - Clock::now());
        at_most = std::clamp(left, std::chrono::milliseconds(0), longest);
    }
    curl_waitfd socket{lane_.socket(), CURL_WAIT_POLLIN, 0};
    const unsigned more = for_bytes && !read_paused_ && socket.fd >= 0 ? 1 : 0;
    curl().multi_poll(lane_.multi(), &socket, more, static_cast<int>(at_most.count()), nullptr);
}

void UpgradedStream::require_no_failure() const {
    if (!done_ || result_ == CURLE_OK) return;
    ErrorDetails details;
    details.native_code = result_;
    details.remote_address = remote_address();
    const std::string why =
        std::string("socket: ") + curl().easy_strerror(result_) + ": " + lane_.error_text();
    throw Error(Errc::connection_lost, why, std::move(details));
}

void UpgradedStream::resume_if_paused() noexcept {
    if (!read_paused_ || done_ || in_.size() > soft_limit / 2) return;
    read_paused_ = false;
    resuming_ = true;  // what libcurl held back comes within the call, and must be taken whole
    curl().easy_pause(lane_.easy(), CURLPAUSE_SEND);
    resuming_ = false;
}

std::size_t UpgradedStream::read(std::span<std::byte> to, const StreamLimits& limits) {
    while (true) {
        if (!in_.empty()) {
            const auto got = in_.take(reinterpret_cast<char*>(to.data()), to.size());
            resume_if_paused();
            return got;
        }
        require_no_failure();
        if (done_ || peer_ended_) return 0;
        step_and_notice_end();
        if (in_.empty() && !done_ && !peer_ended_) wait(limits, true);
    }
}

/// With the upload open, libcurl ends no transfer when the peer ends its side, and only stops looking at the
/// socket.
void UpgradedStream::step_and_notice_end() {
    char byte = 0;
    const auto before = read_paused_ ? -1 : ::recv(lane_.socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    step();
    if (!in_.empty() || done_ || before < 0) {
        ignored_ = 0;
        return;
    }
    // Bytes may also be a record's beginning, or one that carries no data; but not time and again.
    constexpr unsigned patience = 16;
    const auto after = ::recv(lane_.socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    ignored_ = after > 0 ? ignored_ + 1 : 0;
    peer_ended_ = before == 0 || ignored_ > patience;
}

/// Returns when libcurl has passed it all to the kernel: nobody would drive it after that.
void UpgradedStream::write(std::span<const std::byte> bytes, const StreamLimits& limits) {
    check_limits(limits, &lane_);
    out_ = bytes;
    const auto target = written_ + bytes.size();
    try {
        while (true) {
            require_no_failure();
            if (done_) throw Error(Errc::connection_lost, "socket: write: the peer has ended the connection");
            if (!out_.empty())
                curl().easy_pause(lane_.easy(), read_paused_ ? CURLPAUSE_RECV : CURLPAUSE_CONT);
            step();
            if (out_.empty() && uploaded() >= target) return;
            if (!done_) wait(limits, false);
        }
    } catch (...) {
        out_ = {};
        throw;
    }
}

std::uint64_t UpgradedStream::uploaded() noexcept {
    curl_off_t n = 0;
    curl().easy_getinfo(lane_.easy(), CURLINFO_SIZE_UPLOAD_T, &n);
    return static_cast<std::uint64_t>(n);
}

Stream::Waiting UpgradedStream::waiting() noexcept {
    if (!in_.empty()) return Waiting::bytes;
    return done_ || peer_ended_ ? Waiting::end : Waiting::nothing;
}

Descriptor UpgradedStream::release() {
    throw Error(Errc::invalid_argument, "socket: its bytes pass through TLS, which lives inside libcurl");
}

std::size_t UpgradedStream::on_header(const char*, std::size_t size) noexcept {
    return size;
}

std::size_t UpgradedStream::on_body(const char* data, std::size_t size) noexcept {
    if (in_.size() >= soft_limit && !resuming_) {
        read_paused_ = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    try {
        in_.append(data, size);
        return size;
    } catch (...) {
        return 0;
    }
}

std::size_t UpgradedStream::on_read(char* buffer, std::size_t size) noexcept {
    if (out_.empty()) return CURL_READFUNC_PAUSE;
    const auto n = std::min(size, out_.size());
    std::memcpy(buffer, out_.data(), n);
    out_ = out_.subspan(n);
    written_ += n;
    return n;
}

int UpgradedStream::on_seek(curl_off_t, int) noexcept {
    return CURL_SEEKFUNC_FAIL;
}
int UpgradedStream::on_send(const char*, int, const char*, int) noexcept {
    return CURL_PREREQFUNC_ABORT;
}
bool UpgradedStream::on_open_socket() noexcept {
    return false;
}

}  // namespace ringlet::detail
