// ConnectionCache: the managed cache of connections, and its builder.
#pragma once

#include <ringlet/events.hpp>
#include <ringlet/export.hpp>
#include <ringlet/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace spdlog {
class logger;
}

namespace ringlet {
namespace detail {
class Cache;
struct CacheSettings;
struct Access;
}  // namespace detail

inline namespace v1 {

class Request;

/// What ConnectionCache::explain() found: which idle connection would serve a request, and why each other one
/// would not. By the cache's books: whether the server has closed the chosen one is only found out when it is
/// lent, and who is waiting already, and for how long anybody may, is not considered.
struct Explanation {
    struct Candidate {
        ConnectionInfo connection;
        bool usable = false;
        std::string reason;  ///< "usable", "leased", "other origin: http://a:80", "other settings: ..."
    };
    std::uint64_t chosen = 0;  ///< the connection's id; 0: none, a new one would be opened (or waited for)
    std::vector<Candidate> candidates;
    std::string summary;  ///< one line
};

/// Connections to HTTP origins, lent to one request at a time and kept for the next. Thread-safe; a copy is
/// another handle on the same cache. When the last handle (sessions hold one each) is gone, idle connections
/// are closed; a live Response keeps what it needs.
class RINGLET_API ConnectionCache {
  public:
    class Builder;

    /// A new cache with every default.
    ConnectionCache();
    static Builder builder();
    /// The cache that a Session without one uses.
    static ConnectionCache process_wide();
    /// The one cache of this process for that base URL's origin; made on first use.
    static ConnectionCache for_base_url(std::string_view url);
    /// The same with settings. Errc::conflicting_settings when the cache exists with other ones.
    static ConnectionCache for_base_url(std::string_view url, const Builder& settings);

    CacheStats stats() const;
    /// Every connection that the cache counts, at one moment.
    std::vector<ConnectionInfo> connections() const;
    /// Which idle connection would serve this request now, and for each other one why it would not. Of the
    /// settings only the request's own are known here: repeat those of the session that shape connections.
    Explanation explain(const Request& request) const;

    /// Opens what is missing to n idle connections to the URL's origin; how many there are afterwards. Limits
    /// hold: it opens none beyond max_idle or max_idle_per_host, and never waits for a slot. Throws Error
    /// where the first connection cannot be opened. Takes as long as libcurl tries: at most 300 s for each.
    ///
    /// They have the default connection settings, and so are of use to sessions that have changed none of
    /// them. TCP only: TLS comes with the request. An HTTP proxy of the environment is connected to instead;
    /// where it names another kind (https://, socks...://) none are opened, whatever NO_PROXY says.
    std::size_t prewarm(std::string_view url, std::size_t n);
    std::size_t prewarm(std::string_view url, std::size_t n, std::error_code& ec);
    /// Closes idle connections, and each leased one when it comes back; how many were idle.
    std::size_t close_idle();
    /// Closes the idle connections that have been idle for at least that long; how many. 0: as close_idle(),
    /// leased ones too.
    std::size_t close_idle(Duration idle_for);
    /// The same as close_idle() for one origin ("https://host:port"; a default port may be left out).
    std::size_t evict(std::string_view origin);
    /// New requests get Errc::cache_closed; those in flight or waiting may finish within `grace`, then they
    /// are cancelled. Returns when the last socket is closed, at the latest a second after the grace: the
    /// connection of a response that nobody reads is closed when that is destroyed (a warning says so).
    /// Idempotent; safe from several threads; not from an observer or a callback.
    void shutdown(Duration grace);

    friend bool operator==(const ConnectionCache&, const ConnectionCache&) = default;

  private:
    friend struct detail::Access;
    friend class Builder;
    explicit ConnectionCache(std::shared_ptr<detail::Cache> cache);
    std::shared_ptr<detail::Cache> cache_;
};

/// Settings of a cache. Each setter returns the builder; build() validates and throws Errc::invalid_argument
/// with the setting's name and value. A builder may be used again.
class RINGLET_API ConnectionCache::Builder {
  public:
    Builder();
    Builder(const Builder&);
    Builder(Builder&&) noexcept;
    Builder& operator=(const Builder&);
    Builder& operator=(Builder&&) noexcept;
    ~Builder();

    /// Sockets open at once: connecting, leased, idle and closing. Default unlimited; 0 is an error.
    Builder& max_connections(Limit n);
    /// The same for each origin (scheme, host, port). Default unlimited; 0 is an error.
    Builder& max_connections_per_host(Limit n);
    /// Overrides max_connections_per_host for one origin, such as "https://api.example.com". 0 is an error.
    Builder& host_limit(std::string_view origin, Limit n);
    /// Idle connections kept. Default 128; 0: no reuse at all.
    Builder& max_idle(Limit n);
    /// The same for each origin. Default unlimited; 0 is an error (use max_idle(0)).
    Builder& max_idle_per_host(Limit n);
    /// An idle connection older than this is closed. Default 118 s; 0 is an error.
    Builder& idle_timeout(Duration d);
    /// A connection older than this (less up to 10 %, drawn for each) is closed when its request ends.
    /// Default unlimited.
    Builder& max_lifetime(Duration d);
    /// Default unlimited; 0 is an error.
    Builder& max_requests_per_connection(Limit n);
    /// How long a request waits for a connection. Default unlimited; 0: it never waits.
    Builder& acquire_timeout(Duration d);
    /// Kernel keep-alive probes: first after `idle`, then every `interval` (whole seconds, at least 1).
    /// Default off.
    Builder& tcp_keepalive(Duration idle, Duration interval);
    /// How long a resolved name is believed. Default 60 s; 0: not at all.
    Builder& dns_ttl(Duration d);
    /// Connections to host:port go to this numeric address. May be called for several; the last address of
    /// the same host and port counts.
    Builder& resolve(std::string_view host, std::uint16_t port, std::string_view address);
    /// A dropped body whose rest is known to fit is drained instead of closing its connection. Default 0, 0:
    /// never.
    Builder& drain_on_drop(Limit bytes, Duration time);
    /// A server's Keep-Alive: timeout=N shortens (never lengthens) idle_timeout. Default true.
    Builder& honour_keep_alive_hint(bool on);
    /// A thread, started with the first idle connection, that closes what expires, what the peer closes, and
    /// what it writes to. Default true; false: all of that is checked when a connection is about to be lent.
    Builder& watch_idle(bool on);
    /// Spin on the socket for up to this long before sleeping: latency bought with processor time. Default 0.
    Builder& busy_poll(Duration d);
    /// Where warnings and debug lines go. Default: spdlog's "ringlet" logger, else one of that name on the
    /// default logger's sinks.
    Builder& logger(std::shared_ptr<spdlog::logger> logger);
    /// Told of every event; see Observer.
    Builder& observer(std::shared_ptr<Observer> observer);

    ConnectionCache build() const;

  private:
    friend class ConnectionCache;
    friend struct detail::Access;
    std::unique_ptr<detail::CacheSettings> settings_;
};

}  // namespace v1
}  // namespace ringlet
