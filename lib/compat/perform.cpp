#include "compat/perform.hpp"

#include "api/access.hpp"
#include "cache/cache.hpp"
#include "cache/reasons.hpp"
#include "compat/easy_table.hpp"
#include "compat/pooled_transfer.hpp"
#include "compat/switches.hpp"
#include "policy/ids.hpp"
#include "ringlet/connection_cache.hpp"
#include "ringlet/error.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
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

/// Parked lanes hold slots for handles that may never need them again: they give way to those who wait. One
/// may be parked while somebody waits already, and the cache wakes nobody for that: they look again and
/// again.
Lease acquire_crowded(Cache& cache, const LaneKey& key, AcquireLimits limits) {
    constexpr std::chrono::milliseconds longest(50);
    std::chrono::milliseconds patience(2);
    const auto deadline = limits.deadline;
    const auto timeout = cache.settings().acquire_timeout;
    const auto own_limit = timeout == Duration{} ? never : later(Clock::now(), timeout.value());
    while (true) {
        limits.deadline = std::min(deadline, Clock::now() + patience);
        try {
            return cache.acquire(key, limits);
        } catch (const Error& e) {
            const bool crowded = e.code() == Errc::timeout || e.code() == Errc::acquire_timeout;
            if (!crowded || Clock::now() >= deadline) throw;
            if (EasyTable::instance().close_a_parked_one()) continue;
            if (e.code() == Errc::acquire_timeout || Clock::now() >= own_limit) throw;
        }
        patience = std::min(2 * patience, longest);
    }
}

Lease acquire_from(Cache& cache, const LaneKey& key, const AcquireLimits& limits) {
    const bool crowded = lanes_are_parked() && limited(cache.settings());
    return crowded ? acquire_crowded(cache, key, limits) : cache.acquire(key, limits);
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
        if (auto same = cache.acquire_again(key, record.last.slot, record.last.connection_id)) return same;
    }
    if (record.timeout().count() > 0) limits.deadline = Clock::now() + record.timeout();
    return acquire_from(cache, key, limits);
}

CURLcode failed(const EasyRecord& record, const std::exception& e, CURLcode code) noexcept {
    if (char* buffer = record.error_buffer()) std::snprintf(buffer, CURL_ERROR_SIZE, "%s", e.what());
    return code;
}

void end_loan(Lease&& lease, const Verdict& verdict) noexcept {
    lease.cache()->release(std::move(lease), verdict);
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

}  // namespace

struct EasyRecord::Ride {
    std::unique_lock<FreeLock> parking_lot;
    Lease before;  // given back once the handle has let go of it
    Lease lease;
    std::optional<PooledTransfer> transfer;
};

namespace {

/// Takes a lane for the next transfer. False: there is none for it, and with a `failure` it is over.
bool take_lane(EasyRecord& record, EasyRecord::Ride& ride, CURLcode& failure) noexcept {
    try {
        const auto* key = record.lane_key();
        if (key == nullptr) return false;
        ride.lease = lease_for(*process_wide_cache(), record, *key, ride.before);
        return true;
    } catch (const Error& e) {
        if (e.code() == Errc::timeout || e.code() == Errc::acquire_timeout || e.code() == Errc::cancelled) {
            failure = failed(record, e, CURLE_OPERATION_TIMEDOUT);
        }  // else: a cache that was shut down
    } catch (const std::exception& e) {
        failure = failed(record, e, CURLE_OUT_OF_MEMORY);
    }
    return false;
}

/// Nothing: libcurl does not take the handle.
std::optional<CURLcode> ride_lane(CURL* easy, EasyRecord& record, const Cancellation& cancellation) {
    auto& ride = *record.ride;
    auto& transfer = ride.transfer.emplace(easy, record, ride.lease);
    const auto result = transfer.run(cancellation);
    if (may_have_negotiated(easy, record)) record.keep_private();
    auto verdict = result ? transfer.verdict() : Verdict{.close = CloseReason::none, .served = false};
    const auto& cache = *ride.lease.cache();
    if (result && verdict.close == CloseReason::none && lanes_are_parked() && limited(cache.settings()) &&
        cache.is_wanted(ride.lease)) {
        verdict.close = CloseReason::over_limit;  // nobody else could have it while it is parked
    }
    ride.transfer.reset();
    if (result && verdict.close == CloseReason::none && lanes_are_parked()) {
        record.parked = std::move(ride.lease);
    } else {
        if (verdict.close == CloseReason::none) remember(record, ride.lease);
        end_loan(std::move(ride.lease), verdict);
    }
    return result;
}

CURLcode pass_through(CURL* easy, EasyRecord& record, const Cancellation& cancellation) {
    count_passed_through();
    if (std::exchange(record.names_on_lane, false)) give_names(easy, record);
    const auto result = cancellation.allowed([easy] { return curl().easy_perform(easy); });
    if (may_have_negotiated(easy, record)) record.keep_private();
    return result;
}

CURLcode perform_somehow(CURL* easy, EasyRecord& record) {
    const Cancellation cancellation;
    auto& ride = *record.ride;
    if (lanes_are_parked() || record.parked) ride.parking_lot = std::unique_lock(record.park_lock);
    record.verified.reset();
    if (record.parked) ride.before = std::move(record.parked);
    CURLcode failure = CURLE_OK;
    std::optional<CURLcode> result;
    if (take_lane(record, ride, failure)) result = ride_lane(easy, record, cancellation);
    if (!result) result = failure != CURLE_OK ? failure : pass_through(easy, record, cancellation);
    if (ride.before && has_let_go(*result)) {
        end_loan(std::move(ride.before), {});
    } else if (ride.before) {
        record.parked = std::move(ride.before);
    }
    ride.parking_lot = {};
    return *result;
}

}  // namespace

bool lanes_are_parked() noexcept {
    return parking().load(std::memory_order_relaxed);
}

void set_lanes_are_parked(bool on) noexcept {
    parking().store(on);
}

void give_back(EasyRecord& record) noexcept {
    if (record.parked) end_loan(std::move(record.parked), {});
}

bool is_on_lane(const EasyRecord& record) noexcept {
    return record.ride && record.ride->transfer;
}

CURLcode perform_pooled(CURL* easy, EasyRecord& record) {
    if (record.running) return curl().easy_perform(easy);  // from one of its own callbacks: libcurl says no
    if (!record.ride) {
        try {
            record.ride = std::make_shared<EasyRecord::Ride>();
        } catch (const std::bad_alloc&) {
            return CURLE_OUT_OF_MEMORY;
        }
    }
    record.running = true;
    const auto result = perform_somehow(easy, record);
    record.running = false;
    return result;
}

void give_up_transfer(EasyRecord& record) noexcept {
    auto& ride = *record.ride;
    ride.transfer.reset();
    if (ride.lease) {
        ride.lease->abandon();
        end_loan(std::move(ride.lease), {.close = CloseReason::transfer_error});
    }
    if (ride.before) end_loan(std::move(ride.before), {});
    record.ride.reset();
}

}  // namespace ringlet::detail
