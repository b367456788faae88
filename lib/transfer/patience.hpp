// Patience: how long a request may still wait.
#pragma once

#include "transfer/transfer.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace ringlet::detail {

/// Counts only the time between enter() and leave(): the caller's own pauses are not the server's. Without
/// any time limit set, it asks no clock.
class Patience {
  public:
    Patience() = default;
    explicit Patience(const Options& options);

    void enter() noexcept;
    void leave() noexcept;
    /// When the whole request's time is over, while inside; time_point::max() when there is no such limit.
    Clock::time_point deadline() const noexcept;
    /// A new hop or attempt: its own first byte and speed are waited for.
    void next_transfer() noexcept;

    /// How long a wait may last before expired() has to be asked again.
    std::chrono::milliseconds longest_wait(const Transfer& transfer);
    /// What ran out; null: nothing did.
    const char* expired(const Transfer& transfer);

  private:
    bool limited() const noexcept { return budget_ || first_byte_ || low_speed_; }
    void watch_first_byte(const Transfer& transfer, Clock::time_point now);
    void watch_speed(const Transfer& transfer, Clock::time_point now);
    Clock::time_point earliest() const noexcept;

    std::optional<std::chrono::nanoseconds> budget_;  // what is left of it, outside
    std::optional<std::chrono::nanoseconds> first_byte_;
    std::optional<LowSpeed> low_speed_;
    Clock::time_point entered_;
    std::optional<Clock::time_point> first_byte_due_;
    std::chrono::nanoseconds first_byte_spent_{};  // inside calls before this one
    unsigned sends_seen_ = 0;  // each (authentication, a replay) has a first byte of its own to wait for
    std::optional<Clock::time_point> window_start_;
    std::chrono::nanoseconds window_spent_{};
    std::uint64_t window_bytes_ = 0;
    Clock::duration away_seen_{};  // of Transfer::time_away(): kept out of the window
    bool too_slow_ = false;
};

}  // namespace ringlet::detail
