#include "compat/pooled_transfer.hpp"

#include "api/access.hpp"
#include "cache/cache.hpp"
#include "cache/reasons.hpp"
#include "compat/easy_table.hpp"
#include "compat/switches.hpp"
#include "ringlet/connection_cache.hpp"
#include "ringlet/error.hpp"
#include "transfer/socket_ear.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace ringlet::detail {
namespace {

std::atomic<bool>& parking() noexcept {
    static std::atomic<bool> on{curl_version_number() >= 0x081500};
    return on;
}

const std::shared_ptr<Cache>& process_wide_cache() {
    // Never destroyed, as the caches themselves.
    static const auto& cache = *new std::shared_ptr<Cache>(Access::cache(ConnectionCache::process_wide()));
    return cache;
}

constexpr std::chrono::seconds dns_timeout(60);  // libcurl's own CURLOPT_DNS_CACHE_TIMEOUT

void restore_dns_timeout(CURL* easy, const EasyRecord& record) noexcept {
    if (!record.own_dns_timeout()) {
        curl().easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, static_cast<long>(dns_timeout.count()));
    }
}

/// Lets the next transfer read CURLOPT_RESOLVE's list.
void give_names(CURL* easy, const EasyRecord& record) noexcept {
    if (auto* names = record.names()) curl().easy_setopt(easy, CURLOPT_RESOLVE, names);
}

/// Each socket counts.
bool limited(const CacheSettings& settings) noexcept {
    return !settings.max_connections.is_unlimited() || !settings.max_connections_per_host.is_unlimited() ||
           !settings.host_limits.empty();
}

/// The handle while it is on the lane.
class PooledTransfer final : public LaneClient {
  public:
    PooledTransfer(CURL* easy, EasyRecord& record, Lease& lease) noexcept
        : easy_(easy),
          record_(record),
          lease_(lease),
          was_open_(lease->socket() >= 0),
          established_(was_open_),
          opened_before_(lease->sockets().opened_count()),
          kept_socket_(lease->socket()) {}

    /// Nothing: libcurl does not take the handle, which is in a multi of the program's own or inside a
    /// callback.
    std::optional<CURLcode> run() noexcept;
    Verdict verdict() noexcept;

    std::size_t on_header(const char*, std::size_t size) noexcept override { return size; }
    std::size_t on_body(const char*, std::size_t size) noexcept override { return size; }
    std::size_t on_read(char*, std::size_t) noexcept override { return CURL_READFUNC_ABORT; }
    int on_seek(curl_off_t, int) noexcept override { return CURL_SEEKFUNC_CANTSEEK; }
    int on_send(const char*, int, const char*, int) noexcept override { return CURL_PREREQFUNC_OK; }
    int on_progress(curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept override { return 0; }
    bool on_open_socket() noexcept override;
    void on_close_socket(int fd) noexcept override { ear_.closing(fd); }

  private:
    CURLcode drive() noexcept;
    void tell_connected() noexcept;
    bool may_be_replayed() noexcept;
    bool leave_name_cache(Clock::time_point now) noexcept;
    void note_name_cache(Clock::time_point started) noexcept;
    CURLcode explain_refusal() noexcept;
    bool left_origin() noexcept;
    template <class T>
    T info(CURLINFO which) const noexcept {
        T value{};
        curl().easy_getinfo(easy_, which, &value);
        return value;
    }

    CURL* const easy_;
    EasyRecord& record_;
    Lease& lease_;
    const bool was_open_;
    bool established_;  // the cache knows the connection
    const std::size_t opened_before_;
    const int kept_socket_;
    bool knows_sockets_ = true;
    bool opened_ = false;  // a socket, since the cache was told last
    bool replay_refused_ = false;
    SocketEar ear_;
    CURLcode result_ = CURLE_OK;
};

/// libcurl opens a socket: for a request that it has sent on the kept connection, perhaps, and got no answer
/// to.
bool PooledTransfer::on_open_socket() noexcept {
    if (was_open_ && !may_be_replayed()) {
        replay_refused_ = true;
        return false;
    }
    opened_ = true;
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

/// The connection stands as soon as bytes can have moved.
void PooledTransfer::tell_connected() noexcept {
    if (!opened_ || info<curl_off_t>(CURLINFO_PRETRANSFER_TIME_T) == 0) return;
    opened_ = false;
    const auto version = info<long>(CURLINFO_HTTP_VERSION);
    lease_->set_protocol(version == CURL_HTTP_VERSION_2_0 ? Protocol::http_2 : Protocol::http_1_1);
    lease_->set_addresses(info<char*>(CURLINFO_LOCAL_IP), static_cast<int>(info<long>(CURLINFO_LOCAL_PORT)),
                          info<char*>(CURLINFO_PRIMARY_IP),
                          static_cast<int>(info<long>(CURLINFO_PRIMARY_PORT)));
    lease_->name_cache() = {Clock::now(), false};
    lease_->set_verify_results(
        {info<long>(CURLINFO_SSL_VERIFYRESULT), info<long>(CURLINFO_PROXY_SSL_VERIFYRESULT)});
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

CURLcode PooledTransfer::drive() noexcept {
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

std::optional<CURLcode> PooledTransfer::run() noexcept {
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
    const bool watched = !was_open_ || record_.may_be_unsafe() || record_.follows_redirects();
    if (lane.board(easy_, watched) != CURLM_OK) {
        lane.set_client(nullptr);
        return std::nullopt;
    }
    record_.boarded = true;
    const auto started = Clock::now();
    const bool as_it_is = !watched && leave_name_cache(started);
    result_ = drive();
    // No care is taken of SIGPIPE: libcurl does while it drives a handle, and what it writes to a connection
    // that it closes here goes out with MSG_NOSIGNAL.
    knows_sockets_ = lane.alight(easy_);
    if (as_it_is) restore_dns_timeout(easy_, record_);
    if (!as_it_is && !watched) note_name_cache(started);
    record_.boarded = false;
    lane.set_client(nullptr);
    if (was_open_ && lane.socket() == kept_socket_) record_.verified = lane.verify_results();
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

Verdict PooledTransfer::verdict() noexcept {
    // After these the answer was read as far as libcurl wanted it, and it knows whether the connection is
    // good.
    const bool over = result_ == CURLE_OK || result_ == CURLE_TOO_MANY_REDIRECTS ||
                      (result_ == CURLE_HTTP_RETURNED_ERROR && lease_->protocol() == Protocol::http_1_1);
    Verdict verdict;
    if (!over) {
        verdict.close = CloseReason::transfer_error;
    } else if (lease_->socket() < 0 || record_.says_connection_close()) {
        verdict.close = CloseReason::connection_close;
    } else if (record_.has_headers() && info<long>(CURLINFO_RESPONSE_CODE) == 101) {
        verdict.close = CloseReason::upgraded;
    } else if (left_origin()) {
        verdict.close = CloseReason::evicted;
    } else if (lanes_are_parked() && limited(lease_.cache()->settings()) &&
               lease_.cache()->is_wanted(lease_)) {
        verdict.close = CloseReason::over_limit;  // nobody else could have it while it is parked
    }
    return verdict;
}

/// Parked lanes hold slots for handles that may never need them again: they give way before anybody waits.
Lease acquire_from(Cache& cache, const LaneKey& key, AcquireLimits limits) {
    if (!lanes_are_parked() || !limited(cache.settings())) return cache.acquire(key, limits);
    const auto deadline = limits.deadline;
    while (true) {
        constexpr std::chrono::milliseconds patience(2);
        limits.deadline = std::min(deadline, Clock::now() + patience);
        try {
            return cache.acquire(key, limits);
        } catch (const Error& e) {
            const bool crowded = e.code() == Errc::timeout || e.code() == Errc::acquire_timeout;
            if (!crowded || Clock::now() >= deadline) throw;
        }
        if (!EasyTable::instance().close_a_parked_one()) {
            limits.deadline = deadline;
            return cache.acquire(key, limits);
        }
    }
}

/// The handle's own parked lane, where it will do, else one of the cache's.
Lease lease_for(Cache& cache, EasyRecord& record, const LaneKey& key, Lease& parked) {
    CloseReason why = CloseReason::over_limit;
    if (parked && !record.fresh_connect() && parked->key() == key) {
        why = reason_of(parked->check());
        if (why == CloseReason::none) why = cache.renew(parked);
        if (why == CloseReason::none) return std::move(parked);
    }
    if (parked && limited(cache.settings())) {  // it must not wait for itself
        cache.release(std::move(parked), {.close = why});
    }
    AcquireLimits limits;
    limits.fresh = record.fresh_connect();
    if (!limits.fresh && !record.last.key.empty() && record.last.key == key) {
        if (auto same = cache.acquire_again(key, record.last.slot, record.last.connection_id))
            return std::move(*same);
    }
    if (record.timeout().count() > 0) limits.deadline = Clock::now() + record.timeout();
    return acquire_from(cache, key, limits);
}

CURLcode failed(const EasyRecord& record, const std::exception& e, CURLcode code) noexcept {
    if (char* buffer = record.error_buffer()) std::snprintf(buffer, CURL_ERROR_SIZE, "%s", e.what());
    return code;
}

void end_loan(Lease&& lease, const Verdict& verdict) noexcept {
    const auto cache = lease.cache();
    cache->release(std::move(lease), verdict);
}

void remember(EasyRecord& record, const Lease& lease) noexcept {
    if (record.last.connection_id == lease->id()) return;
    record.last = {lease->key(), lease.slot(), lease->id()};
}

/// A handle lets go of the connection it used last when another transfer starts. With these codes perhaps
/// none did.
bool has_let_go(CURLcode result) noexcept {
    return result != CURLE_FAILED_INIT && result != CURLE_URL_MALFORMAT && result != CURLE_OUT_OF_MEMORY &&
           result != CURLE_RECURSIVE_API_CALL && result != CURLE_OPERATION_TIMEDOUT;
}

/// Nothing: no lane for it.
std::optional<CURLcode> try_pooled(CURL* easy, EasyRecord& record) noexcept {
    std::unique_lock<std::mutex> parking_lot;
    if (lanes_are_parked() || record.parked) parking_lot = std::unique_lock(record.park_mutex);
    record.verified.reset();
    Lease before = std::move(record.parked);  // given back once the handle has let go of it
    std::optional<CURLcode> result;
    try {
        if (const auto* key = record.lane_key()) {
            const auto& cache = process_wide_cache();
            Lease lease = lease_for(*cache, record, *key, before);
            PooledTransfer transfer(easy, record, lease);
            result = transfer.run();
            const auto verdict =
                result ? transfer.verdict() : Verdict{.close = CloseReason::none, .served = false};
            if (result && verdict.close == CloseReason::none && lanes_are_parked()) {
                record.parked = std::move(lease);
            } else {
                if (verdict.close == CloseReason::none) remember(record, lease);
                end_loan(std::move(lease), verdict);
            }
        }
    } catch (const Error& e) {
        if (e.code() == Errc::timeout || e.code() == Errc::acquire_timeout || e.code() == Errc::cancelled) {
            result = failed(record, e, CURLE_OPERATION_TIMEDOUT);
        }  // else: a cache that was shut down
    } catch (const std::exception& e) {
        result = failed(record, e, CURLE_OUT_OF_MEMORY);
    }
    if (!result) {
        count_passed_through();
        if (std::exchange(record.names_on_lane, false)) give_names(easy, record);
        result = curl().easy_perform(easy);
    }
    if (before && has_let_go(*result)) {
        end_loan(std::move(before), {});
    } else if (before) {
        record.parked = std::move(before);
    }
    return result;
}

}  // namespace

bool lanes_are_parked() noexcept {
    return parking().load(std::memory_order_relaxed);
}

void set_lanes_are_parked(bool on) noexcept {
    parking().store(on);
}

void take_off_lane(CURL* copy, const EasyRecord& record) noexcept {
    Lane::unhook(copy);
    restore_dns_timeout(copy, record);
}

void give_back(EasyRecord& record) noexcept {
    if (record.parked) end_loan(std::move(record.parked), {});
}

CURLcode perform_pooled(CURL* easy, EasyRecord& record) noexcept {
    if (record.running) return curl().easy_perform(easy);  // from one of its own callbacks: libcurl says no
    record.running = true;
    const auto result = try_pooled(easy, record);
    record.running = false;
    return *result;
}

}  // namespace ringlet::detail
