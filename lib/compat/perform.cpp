#include "compat/perform.hpp"

#include "api/access.hpp"
#include "base/made_once.hpp"
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

enum class Parks : unsigned char { as_libcurl_needs, no, yes };
constinit std::atomic<Parks> parking{Parks::as_libcurl_needs};

/// Parked lanes hold slots for handles that may never need them again: they give way to those who wait.
/// Called by each of these once it stands in the order, so that it either finds a lane parked, or is seen to
/// wait by whoever parks one: see give_way().
void look_for_a_place() noexcept {
    EasyTable::instance().close_one_that_is_wanted();
}

const std::shared_ptr<Cache>& process_wide_cache() {
    static constinit std::atomic<std::shared_ptr<Cache>*> cache{nullptr};
    return made_once(cache, [] {
        auto made = std::make_unique<std::shared_ptr<Cache>>(Access::cache(ConnectionCache::process_wide()));
        if (lanes_are_parked()) (*made)->when_somebody_waits(look_for_a_place);
        return made.release();
    });
}

/// The handle's own lane that was kept or parked, where it will do, else one of the cache's.
Lease lease_for(Cache& cache, EasyRecord& record, const LaneKey& key, Lease& parked) {
    if (record.key_is_private()) {
        record.private_lanes->remember(key, cache);
        if (!record.fresh_connect()) {
            if (auto kept = record.private_lanes->take_kept(key)) return kept;
        }
    }
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
    return cache.acquire(key, limits);
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

/// Its lane is good for another transfer. What is lent between two of them must be nothing that anybody could
/// wait for, unless another thread may close it.
void keep_tied(EasyRecord& record, Lease&& lease) noexcept {
    const auto& settings = lease.cache()->settings();
    if (lease.cache()->closed()) {
        end_loan(std::move(lease), {.close = CloseReason::shutdown});
    } else if (limited(settings) || settings.max_idle == Limit(0) || lease->holds_many_closers()) {
        end_loan(std::move(lease), {.close = CloseReason::over_limit});
    } else {
        record.private_lanes->keep(std::move(lease));
    }
}

/// Nothing: libcurl does not take the handle.
std::optional<CURLcode> ride_lane(CURL* easy, EasyRecord& record, const Cancellation& cancellation,
                                  bool parks) {
    auto& ride = *record.ride;
    const bool is_private = record.key_is_private();
    auto& transfer = ride.transfer.emplace(easy, record, ride.lease);
    const auto result = transfer.run(cancellation);
    if (may_have_negotiated(easy, record)) record.keep_private();
    const auto verdict = result ? transfer.verdict() : Verdict{.close = CloseReason::none, .served = false};
    ride.transfer.reset();
    const bool fit = verdict.close == CloseReason::none;
    const bool tied = is_private && record.ties_lanes();
    if (fit && tied && ride.lease->socket() >= 0) {  // also one that libcurl did not let the handle use
        keep_tied(record, std::move(ride.lease));
    } else if (fit && result && parks) {
        record.parked = std::move(ride.lease);
    } else {
        if (fit) remember(record, ride.lease);
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

/// A lane that was parked while somebody waited: nobody else can have it.
void give_way(EasyRecord& record) noexcept {
    const std::unique_lock lock(record.park_lock, std::try_to_lock);
    if (!lock || !record.parked) return;  // somebody who waits is at it
    const auto cache = record.parked.cache();
    if (cache->is_wanted(record.parked))
        end_loan(std::move(record.parked), {.close = CloseReason::over_limit});
}

CURLcode perform_somehow(CURL* easy, EasyRecord& record) {
    const Cancellation cancellation;
    const bool parks = lanes_are_parked();
    auto& ride = *record.ride;
    if (parks || record.parked) ride.parking_lot = std::unique_lock(record.park_lock);
    record.verified.reset();
    if (record.parked) ride.before = std::move(record.parked);
    CURLcode failure = CURLE_OK;
    std::optional<CURLcode> result;
    if (take_lane(record, ride, failure)) result = ride_lane(easy, record, cancellation, parks);
    if (!result) {
        result = failure != CURLE_OK ? failure : pass_through(easy, record, cancellation);
        if (record.private_lanes) record.private_lanes->close_unfit();
    }
    if (ride.before && has_let_go(*result)) {
        end_loan(std::move(ride.before), {});
    } else if (ride.before) {
        record.parked = std::move(ride.before);
    }
    ride.parking_lot = {};
    if (parks && limited(process_wide_cache()->settings())) give_way(record);
    return *result;
}

}  // namespace

bool lanes_are_parked() noexcept {
    constexpr unsigned shares_objects_since = 0x081500;
    const auto set = parking.load(std::memory_order_relaxed);
    if (set == Parks::as_libcurl_needs) return curl_version_number() >= shares_objects_since;
    return set == Parks::yes;
}

void set_lanes_are_parked(bool on) noexcept {
    parking.store(on ? Parks::yes : Parks::no);
    process_wide_cache()->when_somebody_waits(on ? look_for_a_place : nullptr);
}

void give_back(EasyRecord& record) noexcept {
    if (record.parked) end_loan(std::move(record.parked), {});
}

void close_private_lanes(EasyRecord& record) noexcept {
    if (!record.private_lanes) return;
    if (record.running) return record.private_lanes->close_kept();  // the others are the transfer's
    {
        const std::unique_lock lock(record.park_lock);  // one that is tied is never parked
        if (record.parked && record.private_lanes->has(record.parked->key()))
            end_loan(std::move(record.parked), {.close = CloseReason::evicted});
    }
    record.private_lanes->close(*process_wide_cache());
}

bool is_on_lane(const EasyRecord& record) noexcept {
    return record.ride && record.ride->transfer;
}

bool hook_again(CURL* easy, EasyRecord& record) noexcept {
    return record.ride->lease->hook_again(easy);
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

void rescue_transfer(CURL* easy, EasyRecord& record) noexcept {
    auto& ride = *record.ride;
    if (!ride.transfer || !ride.lease->rescue(easy)) return;
    ride.transfer.reset();
    end_loan(std::move(ride.lease), {.close = CloseReason::transfer_error});
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
    record.running = false;
}

}  // namespace ringlet::detail
