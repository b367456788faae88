#include "compat/pooled_transfer.hpp"

#include <chrono>
#include <cstdio>
#include <string_view>

namespace ringlet::detail {
namespace {

constexpr std::chrono::seconds dns_timeout(60);  // libcurl's own CURLOPT_DNS_CACHE_TIMEOUT

constexpr std::chrono::seconds own_max_age(118);  // libcurl's own CURLOPT_MAXAGE_CONN

void set_max_age(CURL* easy, std::chrono::seconds age) noexcept {
    curl().easy_setopt(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(age.count()));
}

void restore_dns_timeout(CURL* easy, const EasyRecord& record) noexcept {
    if (!record.own_dns_timeout()) {
        curl().easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, static_cast<long>(dns_timeout.count()));
    }
}

}  // namespace

void give_names(CURL* easy, const EasyRecord& record) noexcept {
    if (auto* names = record.names()) curl().easy_setopt(easy, CURLOPT_RESOLVE, names);
}

bool limited(const CacheSettings& settings) noexcept {
    return !settings.max_connections.is_unlimited() || !settings.max_connections_per_host.is_unlimited() ||
           !settings.host_limits.empty();
}

bool may_have_negotiated(CURL* easy, const EasyRecord& record) noexcept {
    if (!record.may_negotiate()) return false;
    long offered = 0;
    curl().easy_getinfo(easy, CURLINFO_HTTPAUTH_AVAIL, &offered);
    return (static_cast<unsigned long>(offered) & CURLAUTH_NEGOTIATE) != 0;
}

void take_off_lane(CURL* copy, const EasyRecord& record) noexcept {
    Lane::unhook(copy, record.socket_functions());
    restore_dns_timeout(copy, record);
    if (!record.own_max_age()) set_max_age(copy, own_max_age);
}

/// libcurl closes a dead connection when it looks for one: inside the transfer, which what the program's
/// function sets on the handle is too late for.
void PooledTransfer::close_unfit_lanes() noexcept {
    const Cancellation off;
    record_.private_lanes->close_unfit();
}

/// libcurl opens a socket: for a request that it has sent on the kept connection, perhaps, and got no answer
/// to.
bool PooledTransfer::on_open_socket() noexcept {
    if (on_private_lane_) close_unfit_lanes();
    if (was_open_ && !may_be_replayed()) {
        replay_refused_ = true;
        return false;
    }
    tell_connected();  // of the connection before this one, where a redirect leads on at once
    opened_ = true;
    sent_before_ = info<curl_off_t>(CURLINFO_PRETRANSFER_TIME_T);
    requested_before_ = info<long>(CURLINFO_REQUEST_SIZE);
    record_.verified.reset();
    return true;
}

/// The program would never see its POST sent twice with a connection of its own for each handle
/// (behaviour.md, Replay).
bool PooledTransfer::may_be_replayed() noexcept {
    if (replay_refused_) return false;
    if (!record_.may_be_unsafe() || info<long>(CURLINFO_RESPONSE_CODE) != 0) return true;
    ear_.closing(kept_socket_);
    if (ear_.nothing_sent()) return true;
    const char* method = info<char*>(CURLINFO_EFFECTIVE_METHOD);
    for (const std::string_view safe : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
        if (method != nullptr && safe == method) return true;
    }
    return record_.has_idempotency_key();
}

CURLcode PooledTransfer::explain_refusal() noexcept {
    if (char* buffer = record_.error_buffer()) {
        std::snprintf(
            buffer, CURL_ERROR_SIZE,
            "The server closed the kept connection without an answer; the request may have been carried out "
            "and is not sent again");
    }
    return CURLE_GOT_NOTHING;
}

/// The connection stands as soon as bytes can have moved: libcurl adds to that time then. 8.23 does so as
/// well where it failed to connect, and so something must have been sent.
void PooledTransfer::tell_connected() noexcept {
    if (!opened_ || info<curl_off_t>(CURLINFO_PRETRANSFER_TIME_T) == sent_before_) return;
    if (info<long>(CURLINFO_REQUEST_SIZE) == requested_before_) return;
    opened_ = false;
    const Cancellation off;
    const auto version = info<long>(CURLINFO_HTTP_VERSION);
    lease_->set_protocol(version == CURL_HTTP_VERSION_2_0 ? Protocol::http_2 : Protocol::http_1_1);
    lease_->name_cache() = {Clock::now(), false};
    const Lane::VerifyResults results{info<long>(CURLINFO_SSL_VERIFYRESULT),
                                      info<long>(CURLINFO_PROXY_SSL_VERIFYRESULT)};
    const bool besides = established_ && lease_->keeps_redirects() && lease_->sockets().all().size() > 1;
    mixed_results_ = mixed_results_ || (besides && results != lease_->verify_results());
    lease_->set_verify_results(results);
    if (besides) return;  // they count as one, by what the first was opened for
    lease_->set_addresses(info<char*>(CURLINFO_LOCAL_IP), static_cast<int>(info<long>(CURLINFO_LOCAL_PORT)),
                          info<char*>(CURLINFO_PRIMARY_IP),
                          static_cast<int>(info<long>(CURLINFO_PRIMARY_PORT)));
    if (established_) {
        lease_.cache()->reconnected(lease_, CloseReason::peer_closed);
    } else {
        lease_.cache()->connected(lease_);
    }
    established_ = true;
}

/// After each transfer libcurl looks through all of the multi's DNS cache for entries that are out of date.
/// Where there can be none it need not: the guest says so for this transfer, which makes no connection as a
/// rule.
bool PooledTransfer::leave_name_cache(Clock::time_point now) noexcept {
    constexpr auto surely_current = dns_timeout - std::chrono::seconds(10);
    const auto& names = lease_->name_cache();
    if (record_.own_dns_timeout() || record_.names() != nullptr ||
        !(names.empty || now - names.filled_at < surely_current))
        return false;
    constexpr long forever = -1;
    return curl().easy_setopt(easy_, CURLOPT_DNS_CACHE_TIMEOUT, forever) == CURLE_OK;
}

/// A transfer is over after which libcurl did so.
void PooledTransfer::note_name_cache(Clock::time_point started) noexcept {
    auto& names = lease_->name_cache();
    if (!record_.own_dns_timeout() && started - names.filled_at > dns_timeout + std::chrono::seconds(2))
        names.empty = true;
}

CURLcode PooledTransfer::drive() {
    constexpr int longest_wait_ms = 1000;  // libcurl's own
    CURLM* const multi = lease_->multi();
    while (true) {
        int running = 0, left = 0;
        auto code = curl().multi_perform(multi, &running);
        tell_connected();
        if (code == CURLM_OK && running == 0) {
            if (const auto* message = curl().multi_info_read(multi, &left)) return message->data.result;
        }
        if (lease_->interrupted()) return CURLE_ABORTED_BY_CALLBACK;
        if (code == CURLM_OK) code = curl().multi_poll(multi, nullptr, 0, longest_wait_ms, nullptr);
        if (code != CURLM_OK)
            return code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_BAD_FUNCTION_ARGUMENT;
    }
}

std::optional<CURLcode> PooledTransfer::run(const Cancellation& cancellation) {
    auto& lane = *lease_;
    if (char* buffer = record_.error_buffer()) *buffer = '\0';
    if (was_open_ && record_.may_be_unsafe())
        ear_.start(kept_socket_, lane.key().origin().starts_with("https:"));
    lane.set_client(this);
    // Whoever opened a connection on this lane has given it the names: they are part of its key.
    record_.names_on_lane = record_.names() != nullptr;
    if (!was_open_) give_names(easy_, record_);
    if (record_.follows_redirects() && !limited(lease_.cache()->settings())) lane.keep_redirects();
    // A plain request on a kept connection opens none, as a rule.
    const bool watched =
        !was_open_ || record_.may_be_unsafe() || record_.follows_redirects() || on_private_lane_;
    if (lane.board(easy_, watched, record_.socket_functions()) != CURLM_OK) {
        lane.set_client(nullptr);
        return std::nullopt;
    }
    // How old a connection may get is the cache's to say.
    const bool older =
        was_open_ && !record_.own_max_age() && lease_.cache()->settings().idle_timeout > own_max_age;
    if (older) set_max_age(easy_, std::chrono::hours(24 * 365));
    if (was_open_) record_.verified = lane.verify_results();
    const auto started = Clock::now();
    const bool as_it_is = !watched && leave_name_cache(started);
    result_ = cancellation.allowed([this] { return drive(); });
    if (on_private_lane_) close_unfit_lanes();
    // No care is taken of SIGPIPE: libcurl does while it drives a handle, and what it writes to a connection
    // that it closes here goes out with MSG_NOSIGNAL.
    knows_sockets_ = lane.alight(easy_);
    if (as_it_is) restore_dns_timeout(easy_, record_);
    if (older && !record_.own_max_age()) set_max_age(easy_, own_max_age);  // else a callback has set it
    if (!as_it_is && !watched) note_name_cache(started);
    lane.set_client(nullptr);
    if (was_open_ && lane.socket() != kept_socket_ && info<long>(CURLINFO_NUM_CONNECTS) != 0)
        record_.verified.reset();
    if (replay_refused_ && result_ != CURLE_OK) result_ = explain_refusal();
    return result_;
}

/// libcurl follows redirects by itself, and so may have left the lane with a connection to another origin.
bool PooledTransfer::left_origin() noexcept {
    if (lease_->keeps_redirects()) return !knows_sockets_;
    if (!record_.follows_redirects() || info<long>(CURLINFO_REDIRECT_COUNT) == 0) return false;
    const auto opened = lease_->sockets().opened_count() - opened_before_;
    return opened > (was_open_ ? 0 : 1) || !record_.leads_to_key(info<char*>(CURLINFO_EFFECTIVE_URL));
}

/// With CURLOPT_NOBODY libcurl is done when the head is there and keeps the connection, also where a body
/// follows by all rules. Streams of HTTP/2 end one by one.
bool PooledTransfer::left_body_unread() noexcept {
    if (!record_.no_body() || info<long>(CURLINFO_HTTP_VERSION) == CURL_HTTP_VERSION_2_0) return false;
    const char* method = info<char*>(CURLINFO_EFFECTIVE_METHOD);
    return method == nullptr || std::string_view(method) != "HEAD";
}

Verdict PooledTransfer::verdict() noexcept {
    // After these the answer was read as far as libcurl wanted it, and it knows whether the connection is
    // good.
    const bool over = result_ == CURLE_OK || result_ == CURLE_TOO_MANY_REDIRECTS ||
                      (result_ == CURLE_HTTP_RETURNED_ERROR && lease_->protocol() == Protocol::http_1_1);
    Verdict verdict;
    if (!over) {
        verdict.close = CloseReason::transfer_error;
    } else if (lease_->socket() < 0 || (record_.has_headers() && record_.says_connection_close())) {
        verdict.close = CloseReason::connection_close;
    } else if (record_.has_headers() && info<long>(CURLINFO_RESPONSE_CODE) == 101) {
        verdict.close = CloseReason::upgraded;
    } else if (left_body_unread()) {
        verdict.close = CloseReason::unread_body;
    } else if (left_origin() || mixed_results_ || (record_.was_private() && !on_private_lane_)) {
        verdict.close = CloseReason::evicted;
    }
    return verdict;
}

}  // namespace ringlet::detail
