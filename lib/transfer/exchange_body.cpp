// Exchange: the body of the answer, and what becomes of it.
#include "transfer/exchange.hpp"

#include "base/callback_scope.hpp"
#include "base/log.hpp"
#include "transfer/connect_only.hpp"
#include "transfer/drop_log.hpp"
#include "transfer/exchange_drive.hpp"
#include "transfer/failure.hpp"

#include <algorithm>
#include <utility>

namespace ringlet::detail {
namespace {

constexpr std::uint64_t unknown_size = UINT64_MAX;

/// Patience::enter() for the length of one call.
class InCallback {
  public:
    explicit InCallback(Patience& patience) : patience_(patience) { patience_.enter(); }
    ~InCallback() { patience_.leave(); }
    InCallback(const InCallback&) = delete;
    InCallback& operator=(const InCallback&) = delete;

  private:
    Patience& patience_;
};

}  // namespace

void Exchange::remove_handle() noexcept {
    if (handles_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const bool inside = transfer_.inside();
    drop();
    if (inside) return;  // the call that is under way ends it
    release_call();
    finished_.store(true, std::memory_order_release);
    free_.store(true, std::memory_order_release);
}

/// What a request brought along (a source, a stop token, closures) is not kept for the session's next one.
/// Its URL and method are: the session, on its own thread, may be about to describe() what it waits for.
void Exchange::release_call() noexcept {
    release_body();
    call_.options.reset();
    call_.cookies.reset();
    call_.given_connection.reset();
}

std::string Exchange::describe() const {
    std::string text = method_ + ' ' + redacted(call_.url->text()) + ", " + std::to_string(read_total_);
    const auto size = transfer_.head().content_length();
    if (size && !transfer_.head().encoded()) text += " of " + std::to_string(*size);
    return text + " bytes read";
}

void Exchange::require_unlocked() const {
    if (locked_)
        throw Error(Errc::body_locked,
                    "body locked: a chunks() or stream() reader of " + describe() + " lives");
}

void Exchange::require_alive() const {
    if (transfer_.inside()) {
        throw Error(Errc::body_locked,
                    "body locked: this is a callback of the very transfer it would wait for: " + describe());
    }
    if (state_ == BodyState::abandoned)
        throw Error(Errc::cancelled, "the response was aborted: " + describe());
    if (body_error_) std::rethrow_exception(body_error_);
}

void Exchange::require_unread() {
    require_unlocked();
    require_alive();
    if (read_total_ != 0 || discarded_ != 0) {
        throw Error(Errc::body_already_read,
                    "body already read: " + describe() + "; only read() goes on from there");
    }
}

void Exchange::lock() {
    require_unread();
    locked_ = true;
}

std::size_t Exchange::read(std::span<std::byte> to) {
    require_unlocked();
    return read_some(to);
}

/// A forked child must not touch the connection: its parent reads from it.
void Exchange::require_own_process() {
    if (!transfer_.active() || !transfer_.lane().forked()) return;
    end_transfer(CloseReason::forked);
    state_ = BodyState::failed;
    body_error_ = std::make_exception_ptr(
        Error(Errc::connection_lost,
              "the response belongs to the process that this one was forked from: " + describe()));
    finished_.store(true, std::memory_order_release);
    std::rethrow_exception(body_error_);
}

std::size_t Exchange::read_some(std::span<std::byte> to) {
    require_alive();
    if (to.empty() || state_ == BodyState::complete || !transfer_.active()) return 0;
    require_own_process();
    const InCallback inside(patience_);
    auto* const out = reinterpret_cast<char*>(to.data());
    std::size_t got = transfer_.buffer().take(out, to.size());
    if (got == 0 && !transfer_.done()) {
        transfer_.aim(out, to.size());
        try {
            drive([&] { return transfer_.aimed_bytes() != 0; });
        } catch (...) {
            transfer_.aimed();
            fail_body(std::current_exception());
        }
        got = transfer_.aimed();
    }
    if (got == 0) {  // the end, one way or the other
        if (transfer_.result() != CURLE_OK) fail_body(nullptr);
        settle();
        return 0;
    }
    read_total_ += got;
    state_ = BodyState::partially_read;
    after_bytes();
    return got;
}

/// The caller has what had arrived: lets more come, and notices an end that is already here.
void Exchange::after_bytes() {
    transfer_.resume_if_paused();
    if (!transfer_.buffer().empty()) return;
    if (!transfer_.done() && known_left().value_or(0) == 0) transfer_.step();
    if (body_over() && transfer_.result() == CURLE_OK) settle();
}

/// The message is over and its last byte taken: the connection goes back.
void Exchange::settle() {
    const bool complete = state_ != BodyState::failed;
    const auto progress = complete ? final_progress() : std::nullopt;
    if (complete) state_ = BodyState::complete;
    end_transfer(CloseReason::none);
    finished_.store(true, std::memory_order_release);
    tell_progress(progress);
}

/// What libcurl counted, before the transfer leaves it; for the last call of progress().
std::optional<Progress> Exchange::final_progress() const noexcept {
    return call_.options->progress ? std::optional(transfer_.progress()) : std::nullopt;
}

void Exchange::tell_progress(const std::optional<Progress>& progress) {
    if (!progress) return;
    const CallbackScope scope;
    callers_own_ = true;
    call_.options->progress(*progress);
    callers_own_ = false;
}

/// Throws what interrupted, or, when that is null, what ended the transfer; the body stays failed. (Whether
/// an exception is being handled says nothing: the caller may be in a handler of its own.)
void Exchange::fail_body(const std::exception_ptr& interruption) {
    try {
        if (interruption) std::rethrow_exception(interruption);
        throw_transfer_error();
    } catch (...) {
        body_error_ = std::current_exception();
        state_ = BodyState::failed;
        end_transfer(CloseReason::transfer_error);
        finished_.store(true, std::memory_order_release);
        throw;
    }
}

void Exchange::read_all(Sink sink) {
    require_unread();
    if (state_ == BodyState::complete || !transfer_.active()) return;
    require_own_process();
    const InCallback inside(patience_);
    state_ = BodyState::partially_read;
    auto& buffer = transfer_.buffer();
    try {
        if (!buffer.empty()) sink.put(sink.to, buffer.data(), buffer.size());
        buffer.clear();
        if (!transfer_.done()) {
            transfer_.pour_into(sink);
            transfer_.resume_if_paused();
            drive([] { return false; });
        }
    } catch (...) {
        transfer_.pour_into({});
        fail_body(std::current_exception());
    }
    transfer_.pour_into({});
    read_total_ = transfer_.body_bytes();
    const bool failed = transfer_.failure() != Failure::none || transfer_.exception();
    if (transfer_.result() != CURLE_OK || failed) fail_body(nullptr);
    settle();
}

std::optional<std::uint64_t> Exchange::known_left() const noexcept {
    if (bodiless() && transfer_.body_bytes() == 0)
        return 0;  // libcurl reads one where HEAD was sent with a body
    const auto size = transfer_.head().content_length();
    if (!size || transfer_.head().encoded() || transfer_.head().chunked()) return std::nullopt;
    return *size > transfer_.body_bytes() ? *size - transfer_.body_bytes() : 0;
}

Disposition Exchange::consume(DrainLimits limits) {
    require_unlocked();
    if (body_error_) std::rethrow_exception(body_error_);
    if (transfer_.inside()) require_alive();
    if (!transfer_.active()) return disposition_.value_or(Disposition{});
    require_own_process();
    const InCallback inside(patience_);
    const auto over = drain(limits);
    const auto progress = over == CloseReason::none ? final_progress() : std::nullopt;
    state_ = over == CloseReason::none ? BodyState::complete : BodyState::abandoned;
    end_transfer(over);
    finished_.store(true, std::memory_order_release);
    tell_progress(progress);
    return *disposition_;
}

/// Throws the rest away. Which limit was over before its end; none: it has come. Throws what fails the body.
CloseReason Exchange::drain(DrainLimits limits) {
    const auto before = transfer_.body_bytes() - transfer_.buffer().size();
    const auto until =
        limits.time.is_unlimited() ? Clock::time_point::max() : Clock::now() + limits.time.value();
    transfer_.buffer().clear();
    transfer_.discard_until(before + std::min(limits.bytes.value(), unknown_size - before));
    const auto too_much = [&] {
        discarded_ = transfer_.body_bytes() - before;
        return discarded_ > limits.bytes.value();
    };
    if (too_much()) return CloseReason::drain_limit;
    try {
        transfer_.resume_if_paused();
        drive(too_much, until);
    } catch (...) {
        fail_body(std::current_exception());
    }
    if (too_much()) return CloseReason::drain_limit;
    if (!transfer_.done()) return CloseReason::drain_timeout;
    if (transfer_.result() != CURLE_OK) fail_body(nullptr);
    return CloseReason::none;
}

Upgraded Exchange::upgrade() {
    require_unread();
    const auto& options = *call_.options;
    if (!transfer_.active() || transfer_.head().status() != 101) {
        throw Error(Errc::invalid_argument, "upgrade: the answer is " +
                                                std::to_string(transfer_.head().status()) +
                                                ", not 101 Switching Protocols");
    }
    if (!options.headers.contains("Upgrade")) {
        throw Error(Errc::protocol,
                    "upgrade: the request had no Upgrade field, so the 101 is none of its protocols");
    }
    const bool encrypted = call_.url->https() || https_proxy_possible(options.wire);
    if (encrypted && !transfer_.upload_open()) {
        throw Error(Errc::invalid_argument, "upgrade: with TLS, a request with a body cannot be upgraded");
    }
    // libcurl calls it an empty reply when nothing follows a 101; but the 101 came.
    const bool clean = transfer_.result() == CURLE_OK || transfer_.result() == CURLE_GOT_NOTHING;
    if (transfer_.done() && !clean) fail_body(nullptr);
    waker_.reset();
    Upgraded upgraded;
    upgraded.ended = transfer_.done();
    upgraded.in_transfer = encrypted;
    upgraded.url = call_.url;
    if (options.stop) upgraded.stop = *options.stop;
    timings_ = transfer_.timings();
    timings_.queued = queued_;
    timings_.redirects = earlier_hops_;
    upgraded.lease = transfer_.hand_over(upgraded.early);
    state_ = BodyState::complete;
    disposition_ = Disposition{false, CloseReason::upgraded, 0};
    finished_.store(true, std::memory_order_release);
    return upgraded;
}

void Exchange::abort() noexcept {
    if (!transfer_.active()) return;
    if (transfer_.inside()) return transfer_.give_up();
    close_unread(false);
    finished_.store(true, std::memory_order_release);
}

/// The last holder is gone (behaviour.md, section 3).
void Exchange::drop() noexcept {
    if (!transfer_.active()) return;
    if (transfer_.forked()) return end_transfer(CloseReason::forked);
    if (transfer_.inside()) return transfer_.give_up();
    const bool failed = transfer_.done() && transfer_.result() != CURLE_OK;
    if (failed || body_error_ || internal_) return end_transfer(CloseReason::transfer_error);
    if (transfer_.head().status() == 101) return end_transfer(CloseReason::upgraded);
    try {
        // The end may be here already. But libcurl would ask the source of an upload that is not over, and
        // that may block.
        if (!transfer_.done() && transfer_.buffer().empty() && transfer_.sent()) transfer_.step();
        if (body_over() && transfer_.result() == CURLE_OK) return end_transfer(CloseReason::none);
        // HTTP/2 may say the end in a frame that is still to come: nothing of the body is lost.
        const bool all_taken = known_left() == std::uint64_t{0} && transfer_.buffer().empty();
        if (all_taken && !transfer_.done() && transfer_.reset_keeps_connection(0))
            return end_transfer(CloseReason::none);
        // Nor is it where only the request is not sent to its end.
        if (all_taken && !transfer_.sent()) return end_transfer(CloseReason::transfer_error);
        if (transfer_.done() && transfer_.result() != CURLE_OK)
            return end_transfer(CloseReason::transfer_error);
        if (drain_dropped()) return;
    } catch (...) {
        return end_transfer(CloseReason::transfer_error);
    }
    close_unread(true);
}

/// With drain_on_drop: reads the rest, if it is known to fit (and the upload is over: see drop()). True: the
/// transfer is over. False: it is still there, to be closed.
bool Exchange::drain_dropped() noexcept {
    const auto& settings = cache_->settings();
    const auto left = transfer_.done() ? std::optional<std::uint64_t>(0) : known_left();
    const auto all = left ? *left + transfer_.buffer().size() : unknown_size;
    if (settings.drain_bytes.value() == 0 || settings.drain_time.value().count() <= 0) return false;
    if (all > settings.drain_bytes.value() || !transfer_.sent()) return false;
    try {
        const InCallback inside(patience_);
        if (drain({settings.drain_bytes, settings.drain_time}) != CloseReason::none) return false;
        settle();
    } catch (...) {
        // Failed, closed and said so by its reason; or progress() threw at the end, and nobody is there to be
        // told.
    }
    return true;
}

/// Ends a transfer whose body is not wanted: HTTP/1 closes, HTTP/2 resets the stream.
void Exchange::close_unread(bool warn) noexcept {
    if (transfer_.forked()) {
        state_ = BodyState::abandoned;
        return end_transfer(CloseReason::forked);
    }
    const auto left = known_left().value_or(unknown_size);
    const bool keeps = !transfer_.done() && transfer_.reset_keeps_connection(left);
    const bool finished_stream = transfer_.done() && protocol_ == Protocol::http_2;
    state_ = BodyState::abandoned;
    if (warn) cache_->count_dropped(transfer_.lease());
    if (warn && !keeps && !finished_stream) {
        warn_dropped();
    } else if (warn) {
        note_stream_reset();
    }
    end_transfer(keeps || finished_stream ? CloseReason::none : CloseReason::unread_body);
}

void Exchange::note_stream_reset() noexcept {
    if (!cache_->log().debug_enabled()) return;
    try {
        cache_->log().debug("response dropped unread, HTTP/2 stream reset: " + describe());
    } catch (...) {
        // Out of memory: the counter and the event tell.
    }
}

void Exchange::warn_dropped() noexcept {
    try {
        std::string left = "an unknown number";
        const auto size = transfer_.head().content_length();
        if (known_left() && size) left = std::to_string(*size - read_total_);
        DropLog::instance().warn(
            cache_->log(), call_.key.origin(),
            describe() + ", " + left +
                " left; read it to the end, or call consume() to keep the connection, or abort() to "
                "close it on purpose");
    } catch (...) {
        // Out of memory: the counter and the event tell.
    }
}

}  // namespace ringlet::detail
