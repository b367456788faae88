// What happens to connections: why they close, what an observer is told, what a snapshot shows.
#pragma once

#include <ringlet/export.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringlet::inline v1 {

/// Why a connection was closed. `none`: it was not.
enum class CloseReason : std::uint8_t {
    none,
    unread_body,       ///< a response was dropped or aborted with its body not consumed
    connection_close,  ///< either side said Connection: close, or the body was delimited by the end of the
                       ///< connection
    http_1_0,          ///< an HTTP/1.0 answer without keep-alive (RFC 9112 section 9.3)
    drain_limit,       ///< consume() or a drain met its byte limit
    drain_timeout,     ///< consume() or a drain met its time limit
    transfer_error,    ///< the exchange failed, or the request was not sent to its end
    cancelled,         ///< a stop token, or a shutdown that ran out of grace
    expired,           ///< idle for longer than idle_timeout or the server's Keep-Alive hint
    lifetime,          ///< older than max_lifetime
    requests,          ///< max_requests_per_connection reached
    over_limit,        ///< closed for a limit: max_idle, max_idle_per_host, or to make room for somebody who
                       ///< waits at max_connections, max_connections_per_host or host_limit
    peer_closed,       ///< the server closed it: while idle, or as a request came, which got another one
    unsolicited_data,  ///< bytes arrived while idle that no request asked for
    upgraded,          ///< the connection left HTTP: 101, or handed over as a socket
    forked,            ///< inherited through fork(): abandoned by the child
    evicted,           ///< evict(), close_idle()
    shutdown,          ///< the cache was shut down or destroyed
};
inline constexpr std::size_t close_reason_count = static_cast<std::size_t>(CloseReason::shutdown) + 1;

RINGLET_API std::string_view to_string(CloseReason) noexcept;

/// A connection's place in the cache.
enum class ConnectionState : std::uint8_t { connecting, leased, idle, closing };
RINGLET_API std::string_view to_string(ConnectionState) noexcept;

/// The protocol spoken on a connection, as far as known.
enum class Protocol : std::uint8_t { unknown, http_1_0, http_1_1, http_2, http_3 };
RINGLET_API std::string_view to_string(Protocol) noexcept;

/// One connection in a snapshot (ConnectionCache::connections()). Ids are unique among the connections of a
/// process, and never given out again; but one that libcurl replaces under a request (closed with
/// peer_closed, then opened) leaves its id to the new one.
struct ConnectionInfo {
    std::uint64_t id = 0;
    std::string origin;  ///< "https://example.com:443"
    ConnectionState state = ConnectionState::connecting;
    std::chrono::nanoseconds age{};
    std::chrono::nanoseconds idle_time{};  ///< 0 unless idle
    std::uint64_t requests_served = 0;
    Protocol protocol = Protocol::unknown;
    std::string local_address;  ///< "127.0.0.1:41234"; empty until connected
    std::string remote_address;
};

/// One moment in a connection's or a request's life.
struct Event {
    enum class Kind : std::uint8_t {
        opened,    ///< a connection was established
        leased,    ///< a connection was lent to a request (or to prewarm(), which opens it)
        reused,    ///< ... and it had served before
        released,  ///< it came back and stays open
        closed,    ///< it was closed: `reason`
        waited,    ///< a request got its connection after waiting for `waited`
        replayed,  ///< a request was sent again on a fresh connection (see Replay)
        dropped,   ///< a response was dropped with unread body
    };
    Kind kind;
    std::uint64_t connection_id = 0;
    std::string_view origin;  ///< valid during the call
    CloseReason reason = CloseReason::none;
    std::chrono::nanoseconds waited{};
};
RINGLET_API std::string_view to_string(Event::Kind) noexcept;

/// Told of every event. Called on the thread where it happens (a request's, or the cache's watcher), with no
/// lock held: an observer may use the cache, but not shut it down or fork. It may be called from several
/// threads at once. What it throws is logged and dropped.
class RINGLET_API Observer {
  public:
    virtual ~Observer();
    virtual void on_event(const Event& event) = 0;
};

/// Closed connections by reason: `stats.closed_by[CloseReason::expired]`.
class ClosedBy {
  public:
    std::uint64_t operator[](CloseReason reason) const noexcept {
        return counts_[static_cast<std::size_t>(reason)];
    }
    std::uint64_t& operator[](CloseReason reason) noexcept {
        return counts_[static_cast<std::size_t>(reason)];
    }
    friend bool operator==(const ClosedBy&, const ClosedBy&) = default;

  private:
    std::array<std::uint64_t, close_reason_count> counts_{};
};

/// A consistent snapshot. Always: leased + idle + connecting <= open (the rest is closing).
struct CacheStats {
    // now
    std::uint64_t open = 0;  ///< connecting + leased + idle + closing
    std::uint64_t connecting = 0;
    std::uint64_t leased = 0;
    std::uint64_t idle = 0;
    std::uint64_t waiting = 0;  ///< requests waiting for a connection
    // since the cache was made
    std::uint64_t requests = 0;  ///< leases given to requests
    std::uint64_t opened = 0;    ///< connections established
    std::uint64_t reused = 0;    ///< requests served by a connection that had served before
    std::uint64_t closed = 0;
    ClosedBy closed_by;
    std::uint64_t acquire_timeouts = 0;
    std::uint64_t waits = 0;           ///< requests that had to wait
    std::uint64_t dropped_unread = 0;  ///< responses dropped with unread body
    std::uint64_t replays = 0;
    friend bool operator==(const CacheStats&, const CacheStats&) = default;
};

}  // namespace ringlet::inline v1
