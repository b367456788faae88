#include "ringlet/connection_cache.hpp"

#include "api/access.hpp"
#include "api/error_code.hpp"
#include "cache/cache.hpp"
#include "ringlet/error.hpp"
#include "ringlet/request.hpp"
#include "transfer/drop_log.hpp"
#include "transfer/entry.hpp"
#include "value/origin.hpp"

#include <utility>

namespace ringlet::inline v1 {

using detail::Cache;
using detail::CacheSettings;

namespace {

/// What all copies of a ConnectionCache share. Leases own the cache itself, so that it outlives its handles;
/// the last handle only abandons it.
std::shared_ptr<Cache> handle_on(std::shared_ptr<Cache> cache) {
    Cache* const raw = cache.get();
    return {raw, [owner = std::move(cache)](Cache*) {
                detail::DropLog::instance().finish(owner->log());
                owner->abandon();
            }};
}

}  // namespace

ConnectionCache::ConnectionCache() : ConnectionCache(Cache::create({})) {}

ConnectionCache::ConnectionCache(std::shared_ptr<Cache> cache) : cache_(handle_on(std::move(cache))) {}

ConnectionCache::Builder ConnectionCache::builder() {
    return {};
}

CacheStats ConnectionCache::stats() const {
    return cache_->stats();
}

std::vector<ConnectionInfo> ConnectionCache::connections() const {
    return cache_->connections();
}

Explanation ConnectionCache::explain(const Request& request) const {
    return cache_->explain(detail::lane_key_of(request));
}

std::size_t ConnectionCache::prewarm(std::string_view url, std::size_t n) {
    return detail::prewarm(cache_, url, n);
}

std::size_t ConnectionCache::prewarm(std::string_view url, std::size_t n, std::error_code& ec) {
    return detail::with_error_code(ec, [&] { return prewarm(url, n); });
}

std::size_t ConnectionCache::close_idle() {
    return cache_->close_idle({});
}

std::size_t ConnectionCache::close_idle(Duration idle_for) {
    return cache_->close_idle(idle_for);
}

std::size_t ConnectionCache::evict(std::string_view origin) {
    return cache_->evict(detail::normalise_origin(origin));
}

void ConnectionCache::shutdown(Duration grace) {
    cache_->shutdown(grace);
    detail::DropLog::instance().finish(cache_->log());
}

// --- Builder

ConnectionCache::Builder::Builder() : settings_(std::make_unique<CacheSettings>()) {}
ConnectionCache::Builder::Builder(const Builder& other)
    : settings_(std::make_unique<CacheSettings>(*other.settings_)) {}
ConnectionCache::Builder::Builder(Builder&&) noexcept = default;
ConnectionCache::Builder& ConnectionCache::Builder::operator=(const Builder& other) {
    settings_ = std::make_unique<CacheSettings>(*other.settings_);
    return *this;
}
ConnectionCache::Builder& ConnectionCache::Builder::operator=(Builder&&) noexcept = default;
ConnectionCache::Builder::~Builder() = default;

ConnectionCache::Builder& ConnectionCache::Builder::max_connections(Limit n) {
    settings_->max_connections = n;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::max_connections_per_host(Limit n) {
    settings_->max_connections_per_host = n;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::host_limit(std::string_view origin, Limit n) {
    std::string name(origin);
    try {
        name = detail::normalise_origin(origin);
    } catch (const Error&) {
        // build() says so, naming the setting
    }
    settings_->host_limits.insert_or_assign(std::move(name), n);
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::max_idle(Limit n) {
    settings_->max_idle = n;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::max_idle_per_host(Limit n) {
    settings_->max_idle_per_host = n;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::idle_timeout(Duration d) {
    settings_->idle_timeout = d;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::max_lifetime(Duration d) {
    settings_->max_lifetime = d;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::max_requests_per_connection(Limit n) {
    settings_->max_requests_per_connection = n;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::acquire_timeout(Duration d) {
    settings_->acquire_timeout = d;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::tcp_keepalive(Duration idle, Duration interval) {
    settings_->tcp_keepalive_idle = idle;
    settings_->tcp_keepalive_interval = interval;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::dns_ttl(Duration d) {
    settings_->dns_ttl = d;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::resolve(std::string_view host, std::uint16_t port,
                                                            std::string_view address) {
    settings_->resolve.push_back({std::string(host), port, std::string(address)});
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::drain_on_drop(Limit bytes, Duration time) {
    settings_->drain_bytes = bytes;
    settings_->drain_time = time;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::honour_keep_alive_hint(bool on) {
    settings_->honour_keep_alive_hint = on;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::watch_idle(bool on) {
    settings_->watch_idle = on;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::busy_poll(Duration d) {
    settings_->busy_poll = d;
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::logger(std::shared_ptr<spdlog::logger> logger) {
    settings_->logger = std::move(logger);
    return *this;
}

ConnectionCache::Builder& ConnectionCache::Builder::observer(std::shared_ptr<Observer> observer) {
    settings_->observer = std::move(observer);
    return *this;
}

ConnectionCache ConnectionCache::Builder::build() const {
    return ConnectionCache(Cache::create(settings_->judged()));
}

}  // namespace ringlet::inline v1

std::shared_ptr<ringlet::detail::Cache> ringlet::detail::Access::cache(const ConnectionCache& cache) {
    return cache.cache_->shared_from_this();
}
