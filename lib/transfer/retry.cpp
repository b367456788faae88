#include "transfer/retry.hpp"

#include "curl/api.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <random>
#include <string>

namespace ringlet::detail {
namespace {

using std::chrono::milliseconds;

// Thirty years: in range also where a point in time is added, and where it is doubled.
constexpr milliseconds longest_delay{1'000'000'000'000};

std::optional<milliseconds> asked_for(std::string_view text) {
    long long seconds = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (ec == std::errc::result_out_of_range) return longest_delay;
    if (ec == std::errc{} && end == text.data() + text.size() && seconds >= 0) {
        return milliseconds(std::min<long long>(seconds, longest_delay.count() / 1000) * 1000);
    }
    const std::time_t date = curl().getdate(std::string(text).c_str(), nullptr);
    if (date < 0) return std::nullopt;
    const auto left = static_cast<long long>(date) - static_cast<long long>(std::time(nullptr));
    return milliseconds(std::max(left, 0LL) * 1000);
}

milliseconds random_up_to(milliseconds most) {
    thread_local std::minstd_rand generator{std::random_device{}()};
    return milliseconds(
        std::uniform_int_distribution<long long>(0, std::max<long long>(most.count(), 0))(generator));
}

}  // namespace

bool wants_retry(const RetryPolicy& policy, int status) noexcept {
    return std::find(policy.statuses.begin(), policy.statuses.end(), status) != policy.statuses.end();
}

bool wants_retry(const RetryPolicy& policy, const Error& error) noexcept {
    if (!policy.connect_failures) return false;
    return error.code() == Errc::connect || error.code() == Errc::resolve;
}

milliseconds retry_pause(const RetryPolicy& policy, unsigned attempt,
                         std::optional<std::string_view> retry_after) {
    const auto cap = std::min(policy.max_backoff, longest_delay);
    if (retry_after) {
        if (const auto wanted = asked_for(*retry_after)) return std::min(*wanted, cap);
    }
    auto most = std::min(policy.backoff, cap);
    for (unsigned i = 1; i < attempt && most < cap; ++i) most *= 2;
    return random_up_to(std::min(most, cap));
}

}  // namespace ringlet::detail
