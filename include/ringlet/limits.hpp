// Limit and Duration: the two kinds of number a setting takes, each with a value for "no limit".
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace ringlet::inline v1 {

/// The type of `unlimited`.
struct Unlimited {
    explicit constexpr Unlimited(int) {}
};

/// "No limit", for every setting that takes a Limit or a Duration.
inline constexpr Unlimited unlimited{0};

/// A count with a value for "no limit". A negative number is kept as invalid, and refused by whoever
/// validates it.
class Limit {
  public:
    constexpr Limit(Unlimited) noexcept {}  // NOLINT(google-explicit-constructor): reads as the number it is
    template <std::integral T>
    constexpr Limit(T n) noexcept  // NOLINT(google-explicit-constructor)
        : value_(static_cast<std::uint64_t>(n)), valid_(!(n < T{})) {}

    constexpr bool is_unlimited() const noexcept { return value_ == none; }
    constexpr bool valid() const noexcept { return valid_; }
    /// The number; the largest std::uint64_t when unlimited.
    constexpr std::uint64_t value() const noexcept { return value_; }
    friend constexpr bool operator==(const Limit&, const Limit&) = default;

  private:
    static constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t value_ = none;
    bool valid_ = true;
};

/// A span of time: any std::chrono::duration, or `unlimited`. Nanoseconds inside; a duration too long for
/// that is unlimited, one that is not a number is negative.
class Duration {
  public:
    using rep = std::chrono::nanoseconds;

    constexpr Duration() noexcept = default;
    constexpr Duration(Unlimited) noexcept : value_(rep::max()) {}  // NOLINT(google-explicit-constructor)
    template <class Rep, class Period>
    constexpr Duration(std::chrono::duration<Rep, Period> d) noexcept  // NOLINT(google-explicit-constructor)
        : value_(saturate(d)) {}

    constexpr bool is_unlimited() const noexcept { return value_ == rep::max(); }
    constexpr bool negative() const noexcept { return value_ < rep::zero(); }
    constexpr std::chrono::nanoseconds value() const noexcept { return value_; }
    friend constexpr auto operator<=>(const Duration&, const Duration&) = default;

  private:
    template <class Rep, class Period>
    static constexpr rep saturate(std::chrono::duration<Rep, Period> d) noexcept {
        using seconds = std::chrono::duration<double>;
        const auto approximate = std::chrono::duration_cast<seconds>(d);
        if (approximate >= std::chrono::duration_cast<seconds>(rep::max())) return rep::max();
        if (!(approximate > std::chrono::duration_cast<seconds>(rep::min()))) return rep::min();
        return std::chrono::duration_cast<rep>(d);
    }

    rep value_{};
};

}  // namespace ringlet::inline v1
