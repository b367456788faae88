// The half of the replay guard that answers libcurl (docs/design/replay-guard.md).
#include "transfer/transfer.hpp"

namespace ringlet::detail {
namespace {

// A server may call each answer to its challenge stale, and libcurl would never tire.
constexpr unsigned most_sends = 10;

}  // namespace

/// What is known of a kept connection, or what the kernel says.
void Transfer::listen_to_socket() noexcept {
    const bool http1 = lease_->protocol() != Protocol::http_2;
    const int fd = lease_.reused() && http1 ? lease_->socket() : -1;
    const bool tls = plan_.url->https();
    auto& tally = lease_->tally();
    const auto tallied = tally.take();
    // Whether nothing was sent matters for those only that may not be sent twice.
    if (fd >= 0 && tallied && plan_.replay_allowed && !tls && tally.believed())
        return ear_.start_from(fd, *tallied);
    ear_.start(fd, tls);
    const auto kernels = ear_.received_before();
    if (tallied && kernels) tally.compare(*tallied, *kernels);
}

/// At the end of a request whose connection is kept. Chunks and further rounds have bytes that nobody counts,
/// and with raw options libcurl may leave a body out, or throw one away.
void Transfer::note_tally() noexcept {
    const auto before = ear_.received_before();
    const bool countable =
        sends_ == 1 && !head_.chunked() && !plan_.url->https() && plan_.options->wire.raw == nullptr;
    if (!before || !countable) return;
    const bool bodiless = body_bytes_ == 0 && (plan_.method == "HEAD" || head_.bodiless_status());
    const auto body = bodiless ? std::optional<std::uint64_t>(0) : head_.content_length();
    if (body) lease_->tally().note(*before + head_.size() + *body);
}

/// A request that was sent and not answered may only be sent again where the policy allows it, whatever
/// libcurl would do.
bool Transfer::replay_refused() const noexcept {
    if (sends_ == 0 || answered_) return false;  // the first time, or a new round of authentication
    if (ear_.nothing_sent()) return false;
    return !plan_.replay_allowed || ear_.answered() || replays_ != 0;
}

bool Transfer::on_open_socket() noexcept {
    if (replay_refused() || !may_connect_) {
        failure_ = Failure::replay_refused;
        return false;
    }
    connecting_ = dialled_ = true;
    established_ = false;
    return true;
}

int Transfer::on_send(const char*, int, const char*, int) noexcept {
    if (replay_refused()) {
        failure_ = Failure::replay_refused;
        return CURL_PREREQFUNC_ABORT;
    }
    if (sends_ >= most_sends) {
        failure_ = Failure::asked_again;
        return CURL_PREREQFUNC_ABORT;
    }
    if (sends_ != 0 && !answered_) ++replays_;
    if (connecting_) {
        if (!lease_->on_offered()) connect_pending_ = true;
        ear_.stop();  // what it heard concerned the connection before
    }
    upload_ended_ = false;
    connecting_ = false;
    answered_ = false;
    ++sends_;
    return CURL_PREREQFUNC_OK;
}

}  // namespace ringlet::detail
