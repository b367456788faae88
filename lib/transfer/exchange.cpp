// Exchange: sending. Hops, and the loop that waits.
#include "transfer/exchange.hpp"

#include "curl/raw_options.hpp"
#include "transfer/connect_only.hpp"
#include "transfer/drop_log.hpp"
#include "transfer/exchange_drive.hpp"
#include "transfer/failure.hpp"
#include "transfer/lane_key_of.hpp"
#include "transfer/redirect.hpp"
#include "value/text.hpp"

#include <algorithm>
#include <utility>

namespace ringlet::detail {
namespace {

constexpr unsigned default_redirects = 10;

// What of a discarded answer's body is read to keep its connection (behaviour.md, section 7).
constexpr std::uint64_t internal_drain_bytes = 64 * 1024;
constexpr std::chrono::milliseconds internal_drain_time{100};

bool is_idempotent(std::string_view method) noexcept {
    for (const std::string_view safe : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
        if (method == safe) return true;
    }
    return false;
}

bool defines_content(std::string_view method) noexcept {
    return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

Exchange::~Exchange() {
    drop();
}

void Exchange::reset() noexcept {
    state_ = BodyState::unread;
    locked_ = false;
    internal_ = true;
    read_total_ = 0;
    discarded_ = 0;
    body_error_ = nullptr;
    disposition_.reset();
    protocol_ = Protocol::unknown;
    reused_ = false;
    connection_id_ = 0;
    local_ = remote_ = {};
    timings_ = {};
    earlier_hops_ = {};
}

void Exchange::run(Call call) {
    reset();
    call_ = std::move(call);
    method_.assign(call_.method);
    call_.method = method_;
    patience_ = Patience(*call_.options);
    patience_.enter();
    try {
        DropLog::instance().catch_up(cache_->log());
        upload_ = Upload(call_.body);
        empty_body_ = !upload_.present() && defines_content(method_);
        body_dropped_ = false;
        finished_.store(false, std::memory_order_release);
        if (call_.options->retry) {
            run_attempts();
        } else {
            run_hops();
        }
        internal_ = false;
        continuation_.reset();
    } catch (...) {
        end_transfer(CloseReason::transfer_error);
        release_body();
        continuation_.reset();
        finished_.store(true, std::memory_order_release);
        throw;
    }
    patience_.leave();
    if (!transfer_.active()) finished_.store(true, std::memory_order_release);
}

void Exchange::run_hops() {
    const auto limit = call_.options->follow_redirects.value_or(default_redirects);
    for (unsigned hops = 0;; ++hops) {
        run_transfer();
        if (limit == 0 || !is_redirect(transfer_.head())) return finish_bodiless();
        if (call_.given_connection && leads_elsewhere()) return finish_bodiless();
        if (transfer_.head().ambiguous_location()) {
            give_up(Errc::protocol, "the redirect names two different locations",
                    CloseReason::transfer_error);
        }
        const std::string location(*transfer_.head().field("Location"));
        const int status = transfer_.head().status();
        continue_later();
        drain_internally();
        if (hops == limit)
            give_up(Errc::too_many_redirects, "more than " + std::to_string(limit), CloseReason::none);
        prepare_redirect(redirect(method_, *call_.url, call_.options, status, location));
    }
}

/// The lease goes back, and the request goes on: see Continuation.
void Exchange::continue_later() {
    if (!continuation_) continuation_.emplace(cache_);
}

/// The redirect's target is another origin, or cannot be told.
bool Exchange::leads_elsewhere() const {
    try {
        return Url::parse(*transfer_.head().field("Location"), *call_.url).origin() != call_.url->origin();
    } catch (const Error&) {
        return true;
    }
}

void Exchange::prepare_redirect(Redirection next) {
    earlier_hops_ += timings_.queued + timings_.total;
    timings_ = {};  // of the last hop, and when that is over
    if (!call_.given_connection) call_.key = lane_key(*next.url, *next.options);
    call_.url = std::move(next.url);
    call_.options = std::move(next.options);
    if (next.to_get) {
        method_ = "GET";
        call_.method = method_;
        body_dropped_ = true;
    } else if (!rewind_body()) {
        give_up(Errc::body_not_replayable, "the redirect wants the body again, and its source cannot rewind",
                CloseReason::none);
    }
}

/// Over HTTP/2 libcurl never ends its request for a challenge where the body is a stream: most servers wait
/// for that end.
bool Exchange::streams_with_digest() const noexcept {
    const auto& credentials = call_.options->wire.credentials;
    return credentials && credentials->digest && upload_.present() && !upload_.memory() && !upload_.empty();
}

/// Upgrade is HTTP/1.1's (RFC 9110 section 7.8); TLS would negotiate HTTP/2.
void Exchange::ask_for_http_1() {
    auto options = std::make_shared<Options>(*call_.options);
    options->wire.http_version = HttpVersion::http_1_1;
    options->touch_wire();
    call_.options = std::move(options);
    if (!call_.given_connection) call_.key = lane_key(*call_.url, *call_.options);
}

void Exchange::run_transfer() {
    const bool upgrade = call_.options->headers.contains("Upgrade");
    const bool negotiates_http_2 =
        call_.url->https() && call_.options->wire.http_version != HttpVersion::http_1_1;
    if (negotiates_http_2 && (upgrade || streams_with_digest())) ask_for_http_1();
    auto turn = Turn::first;
    while (!send_once(turn, upgrade)) turn = next_turn(turn);
    note_head();
}

/// True: the answer's head is here. False: the transfer has ended before.
bool Exchange::send_once(Turn turn, bool upgrade) {
    const auto& options = *call_.options;
    patience_.next_transfer();
    state_ = BodyState::unread;
    Lease lease;
    try {
        AcquireLimits limits;
        limits.deadline = patience_.deadline();
        limits.continuation = continuation_.has_value();
        if (options.stop) limits.stop = *options.stop;
        limits.fresh =
            turn != Turn::first || (options.wire.raw && options.wire.raw->is_set(CURLOPT_FRESH_CONNECT));
        lease = cache_->acquire(call_.key, limits, &transfer_.claim());
    } catch (const Error& error) {
        ErrorDetails details;
        details.phase = Phase::acquire;
        details.retryable = error.retryable();
        throw request_error(static_cast<Errc>(error.code().value()), method_, call_.url->text(), error.what(),
                            details);
    }
    if (call_.given_connection) lease->use_only(call_.given_connection);
    reused_ = lease.reused();
    queued_ = std::chrono::duration_cast<std::chrono::microseconds>(lease.waited());
    connection_id_ = lease->id();
    TransferPlan plan;
    plan.method = method_;
    plan.url = call_.url.get();
    plan.options = call_.options.get();
    plan.upload = body_dropped_ ? nullptr : &upload_;
    plan.cookies = call_.cookies.get();
    plan.empty_body = empty_body_ && !body_dropped_;
    plan.replay_allowed = replay_allowed();
    plan.replayed = turn == Turn::replay;
    plan.upgrade = upgrade && !upload_.present() && !empty_body_ && method_ != "HEAD" &&
                   (call_.url->https() || https_proxy_possible(options.wire));
    if (options.max_body_size) plan.max_body = options.max_body_size->value();
    disposition_.reset();
    callers_own_ = true;  // what a with_handle() function throws
    transfer_.start(std::move(lease), plan);
    callers_own_ = false;
    if (options.stop && options.stop->stop_possible()) waker_.emplace(*options.stop, Waker{&transfer_});
    drive([this] { return transfer_.head_done(); });
    return transfer_.head_done();
}

void Exchange::note_head() {
    auto& lane = transfer_.lane();
    protocol_ = lane.protocol();
    local_ = lane.local();
    remote_ = lane.remote();
    if (transfer_.replaced_connection()) reused_ = false;
}

bool Exchange::bodiless() const noexcept {
    const auto& head = transfer_.head();
    const bool empty = head.content_length() == std::uint64_t{0} && !head.chunked();
    return method_ == "HEAD" || (head.bodiless_status() && head.status() != 101) || empty;
}

/// A body of nothing is complete when the head is: its connection goes back at once.
void Exchange::finish_bodiless() {
    if (bodiless() && !transfer_.done()) {
        // HTTP/2 may say the end in a frame of its own; nobody should wait long for that.
        drive([] { return false; }, Clock::now() + internal_drain_time);
        if (!transfer_.done()) {
            end_transfer(CloseReason::unread_body);
            state_ = BodyState::complete;
            return;
        }
    }
    if (transfer_.head().status() == 101) return;  // whoever asked for it may still call upgrade()
    if (!body_over()) return;
    if (transfer_.result() == CURLE_OK) return settle();
    // The answer is whole; what failed is the rest of the upload, or of the stream.
    if (!bodiless() || transfer_.failure() != Failure::none || transfer_.exception()) return;
    end_transfer(CloseReason::transfer_error);
    state_ = BodyState::complete;
}

void Exchange::check_interruptions() {
    if (call_.options->stop && call_.options->stop->stop_requested()) {
        give_up(Errc::cancelled, "stopped by its stop token", CloseReason::cancelled);
    }
    if (transfer_.lane().interrupted())
        give_up(Errc::cancelled, "the cache was shut down", CloseReason::cancelled);
    if (const char* what = patience_.expired(transfer_)) {
        transfer_.step();  // what came in the last moment counts
        if (transfer_.done()) return;
        give_up(Errc::timeout, std::string(what) + " is over", CloseReason::transfer_error);
    }
}

void Exchange::give_up(Errc code, std::string_view why, CloseReason reason) {
    ErrorDetails details;
    details.phase = transfer_.active() ? transfer_.phase() : Phase::acquire;
    details.bytes_received = transfer_.body_bytes();
    if (transfer_.active()) {
        details.remote_address = transfer_.lane().remote_address();
        if (details.remote_address.empty()) details.remote_address = transfer_.lane().attempted_address();
    }
    details.retryable = code == Errc::timeout && idempotent() && !transfer_.head().started();
    auto error = request_error(code, method_, call_.url->text(), why, std::move(details));
    end_transfer(reason);
    throw Error(error);
}

void Exchange::throw_transfer_error() {
    if (const auto exception = transfer_.exception()) {
        end_transfer(CloseReason::transfer_error);
        std::rethrow_exception(exception);
    }
    auto error = transfer_error(transfer_, method_, *call_.url, idempotent());
    end_transfer(CloseReason::transfer_error);
    throw Error(error);
}

/// Of an answer that is not the caller's. Throws what a callback threw meanwhile: that ends the request.
void Exchange::drain_internally() {
    if (!transfer_.active()) return;
    CloseReason why = CloseReason::transfer_error;
    try {
        why = drain_discarded();
    } catch (...) {
    }
    if (transfer_.exception()) throw_transfer_error();
    end_transfer(why);
}

/// Why its connection is to be closed; none: the rest has come.
CloseReason Exchange::drain_discarded() {
    const auto until = std::min(Clock::now() + internal_drain_time, patience_.deadline());
    const auto too_much = [&](std::uint64_t left) {
        return transfer_.body_bytes() + left > internal_drain_bytes;
    };
    transfer_.buffer().clear();
    transfer_.discard_until(internal_drain_bytes);
    // An upload that is not over closes the connection anyway, and libcurl would ask its source, which may
    // block.
    if (!transfer_.done() && !transfer_.sent()) return CloseReason::transfer_error;
    if (!transfer_.done() && too_much(known_left().value_or(0))) return CloseReason::drain_limit;
    transfer_.resume_if_paused();
    while (!transfer_.done()) {
        transfer_.step();
        const auto now = Clock::now();
        if (transfer_.done()) break;
        if (call_.options->stop && call_.options->stop->stop_requested())
            return CloseReason::cancelled;  // what comes next says so to the caller
        if (now >= until) return CloseReason::drain_timeout;
        transfer_.wait(std::chrono::ceil<std::chrono::milliseconds>(until - now));
    }
    return too_much(0) ? CloseReason::drain_limit : CloseReason::none;
}

void Exchange::end_transfer(CloseReason why) noexcept {
    waker_.reset();  // from here on a stop does not concern this lane any more
    if (!transfer_.active()) return;
    timings_ = transfer_.timings();
    timings_.queued = queued_;
    timings_.redirects = earlier_hops_;
    const auto reason = transfer_.end(why);
    disposition_ = Disposition{reason == CloseReason::none, reason, discarded_};
}

/// A session keeps its exchange for the next request: not what the last one sent, whose Source may hold
/// anything.
void Exchange::release_body() noexcept {
    upload_ = Upload{};
    call_.body.reset();
}

bool Exchange::idempotent() const noexcept {
    return is_idempotent(method_);
}

}  // namespace ringlet::detail
