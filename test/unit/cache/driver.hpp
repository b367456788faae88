// Driver: the least that makes a lane carry a request, so that the cache can be tested without the transfer
// layer.
#pragma once

#include "cache/cache.hpp"
#include "support/origin.hpp"
#include "support/timing.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace ringlet::test {

using detail::AcquireLimits;
using detail::Cache;
using detail::CacheSettings;
using detail::LaneKey;
using detail::Lease;
using detail::Verdict;

inline std::string origin_of(const Origin& server) {
    return "http://127.0.0.1:" + std::to_string(server.port());
}
inline LaneKey key_of(const Origin& server, std::string_view rest = {}) {
    return {origin_of(server), rest};
}

// Sends GET and reads the whole answer; the lane is still lent. Throws if libcurl fails.
inline void send_get(Lease& lease, const std::string& url) {
    const auto& api = detail::curl();
    auto* const easy = lease->easy();
    auto* const multi = lease->multi();
    const bool connected = lease->socket() >= 0;
    api.easy_setopt(easy, CURLOPT_URL, url.c_str());
    api.multi_add_handle(multi, easy);
    int running = 1;
    while (api.multi_perform(multi, &running) == CURLM_OK && running > 0) {
        api.multi_poll(multi, nullptr, 0, 1000, nullptr);
    }
    int left = 0;
    const CURLMsg* const message = api.multi_info_read(multi, &left);
    const CURLcode result = message != nullptr ? message->data.result : CURLE_ABORTED_BY_CALLBACK;
    curl_socket_t active = CURL_SOCKET_BAD;
    api.easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &active);
    lease->sockets().reconcile(active);
    api.multi_remove_handle(multi, easy);
    if (result != CURLE_OK) throw std::runtime_error(curl_easy_strerror(result));
    lease->set_protocol(Protocol::http_1_1);
    if (!connected) lease.cache()->connected(lease);
}

// A lane that has served one request of that server and is still lent.
inline Lease lend(const std::shared_ptr<Cache>& cache, const Origin& server, const AcquireLimits& limits = {},
                  const LaneKey& key = {}) {
    Lease lease = cache->acquire(key.empty() ? key_of(server) : key, limits);
    send_get(lease, server.url());
    return lease;
}

// One whole request: what became of its lane.
inline CloseReason request(const std::shared_ptr<Cache>& cache, const Origin& server,
                           const AcquireLimits& limits = {}) {
    Lease lease = lend(cache, server, limits);
    return cache->release(std::move(lease), {});
}

inline std::shared_ptr<Cache> make_cache(CacheSettings settings = {}) {
    return Cache::create(settings.judged());
}

inline AcquireLimits within(std::chrono::nanoseconds time) {
    AcquireLimits limits;
    limits.deadline = detail::Clock::now() + time;
    return limits;
}

// What a call threw; Errc{} if nothing.
template <class Call>
std::pair<Errc, std::string> thrown_by(Call call) {
    try {
        call();
    } catch (const Error& e) {
        return {static_cast<Errc>(e.code().value()), e.what()};
    }
    return {};
}

}  // namespace ringlet::test
