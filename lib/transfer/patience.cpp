#include "transfer/patience.hpp"

#include <algorithm>

namespace ringlet::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Without a limit of our own libcurl's timers and the socket end a wait; this only bounds a poll.
// curl_easy_perform has the same bound, which hides what libcurl forgets to announce.
constexpr milliseconds no_hurry{1000};

std::optional<nanoseconds> finite(const std::optional<Duration>& d) {
    if (!d || d->is_unlimited()) return std::nullopt;
    return std::max(d->value(), nanoseconds::zero());
}

}  // namespace

Patience::Patience(const Options& options)
    : budget_(finite(options.timeout)), first_byte_(finite(options.first_byte_timeout)) {
    if (options.low_speed && options.low_speed->bytes_per_second > 0 &&
        !options.low_speed->time.is_unlimited()) {
        low_speed_ = options.low_speed;
    }
}

void Patience::enter() noexcept {
    if (limited()) entered_ = Clock::now();
}

void Patience::leave() noexcept {
    if (!limited()) return;
    const auto now = Clock::now();
    if (budget_) *budget_ -= now - entered_;
    if (first_byte_due_) {  // goes on where it was when the caller comes back
        first_byte_spent_ = *first_byte_ - (*first_byte_due_ - now);
        first_byte_due_.reset();
    }
    if (window_start_) {
        window_spent_ += now - *window_start_;
        window_start_.reset();
    }
}

Clock::time_point Patience::deadline() const noexcept {
    return budget_ ? later(entered_, *budget_) : Clock::time_point::max();
}

void Patience::next_transfer() noexcept {
    sends_seen_ = 0;
    first_byte_due_.reset();
    first_byte_spent_ = {};
    window_start_.reset();
    window_spent_ = {};
    window_bytes_ = 0;
    away_seen_ = {};
}

void Patience::watch_first_byte(const Transfer& transfer, Clock::time_point now) {
    if (!first_byte_) return;
    if (transfer.sends() != sends_seen_) {
        sends_seen_ = transfer.sends();
        first_byte_due_.reset();
        first_byte_spent_ = {};
    }
    if (transfer.head().is_final() && transfer.answered()) {
        first_byte_due_.reset();
    } else if (!first_byte_due_ && transfer.sent()) {
        first_byte_due_ = later(now, *first_byte_ - first_byte_spent_);
    }
}

void Patience::watch_speed(const Transfer& transfer, Clock::time_point now) {
    if (!low_speed_) return;
    const auto away = transfer.time_away();
    if (!window_start_) {
        window_start_ = now;
        if (window_spent_ == nanoseconds::zero()) window_bytes_ = transfer.bytes_moved();
    } else {
        *window_start_ += away - away_seen_;
    }
    away_seen_ = away;
    const auto span = low_speed_->time.value();
    if (window_spent_ + (now - *window_start_) < span) return;
    const auto moved = transfer.bytes_moved() - window_bytes_;
    const auto wanted =
        static_cast<double>(low_speed_->bytes_per_second) * std::chrono::duration<double>(span).count();
    too_slow_ = static_cast<double>(moved) < wanted;
    window_start_ = now;
    window_spent_ = {};
    window_bytes_ += moved;
}

Clock::time_point Patience::earliest() const noexcept {
    auto at = deadline();
    if (first_byte_due_) at = std::min(at, *first_byte_due_);
    if (window_start_) at = std::min(at, later(*window_start_, low_speed_->time.value() - window_spent_));
    return at;
}

milliseconds Patience::longest_wait(const Transfer& transfer) {
    if (!limited()) return no_hurry;
    const auto now = Clock::now();
    watch_first_byte(transfer, now);
    watch_speed(transfer, now);
    const auto left = std::chrono::ceil<milliseconds>(earliest() - now);
    return std::clamp(left, milliseconds(0), no_hurry);
}

const char* Patience::expired(const Transfer& transfer) {
    if (!limited()) return nullptr;
    const auto now = Clock::now();
    watch_first_byte(transfer, now);
    watch_speed(transfer, now);
    if (now >= deadline()) return "timeout";
    if (first_byte_due_ && now >= *first_byte_due_) return "first_byte_timeout";
    return too_slow_ ? "low_speed" : nullptr;
}

}  // namespace ringlet::detail
