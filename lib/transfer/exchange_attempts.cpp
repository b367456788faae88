// Exchange: new attempts after an answer or an error that says "later".
#include "transfer/exchange.hpp"

#include "transfer/interruptible_pause.hpp"
#include "transfer/retry.hpp"

#include <chrono>
#include <exception>
#include <stop_token>
#include <string>

namespace ringlet::detail {

void Exchange::run_attempts() {
    const auto policy = *call_.options->retry;
    const Call first = call_;
    const std::string method = method_;
    const bool may = policy.any_method || idempotent();
    for (unsigned attempt = 1;; ++attempt) {
        const bool last = !may || attempt >= policy.attempts;
        std::chrono::milliseconds wait{};
        try {
            run_hops();
            if (last || !wants_retry(policy, transfer_.head().status())) return;
            wait = retry_pause(policy, attempt, transfer_.head().field("Retry-After"));
            if (!fits(wait)) return;
            if (transfer_.active()) transfer_.latch_sent();
            if (!rewind_upload()) return;
            continue_later();
            drain_internally();
        } catch (const Error& error) {
            wait = retry_pause(policy, attempt, std::nullopt);
            const bool callers_own = callers_own_ || transfer_.exception() != nullptr;
            if (last || callers_own || !wants_retry(policy, error) || !fits(wait) || !rewind_upload()) throw;
            continue_later();
            end_transfer(CloseReason::transfer_error);
        }
        pause(wait);
        start_again(first, method);
    }
}

bool Exchange::fits(std::chrono::milliseconds wait) const noexcept {
    const auto deadline = patience_.deadline();
    return deadline == Clock::time_point::max() || wait < deadline - Clock::now();
}

/// Of a body that is still wanted.
bool Exchange::rewind_body() {
    return body_dropped_ || rewind_upload();
}

/// False: it cannot. What the source threw comes out.
bool Exchange::rewind_upload() {
    if (upload_.rewind()) return true;
    if (const auto thrown = upload_.error()) std::rethrow_exception(thrown);
    return false;
}

/// The upload has been rewound.
void Exchange::start_again(const Call& first, const std::string& method) {
    call_ = first;
    method_ = method;
    call_.method = method_;
    body_dropped_ = false;
    state_ = BodyState::unread;
    disposition_.reset();
    timings_ = {};
}

void Exchange::pause(std::chrono::milliseconds d) {
    const auto stop = call_.options->stop.value_or(std::stop_token{});
    const auto closing = cache_->shutdown_token();
    pause_unless_stopped(d, stop, closing);
    if (stop.stop_requested())
        give_up(Errc::cancelled, "stopped while waiting to try again", CloseReason::none);
    if (closing.stop_requested()) give_up(Errc::cache_closed, "the cache was shut down", CloseReason::none);
}

}  // namespace ringlet::detail
