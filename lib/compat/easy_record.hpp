// EasyRecord: what is known of one of the program's own easy handles, as far as it matters for lanes.
#pragma once

#include "cache/lease.hpp"
#include "compat/free_lock.hpp"
#include "compat/private_lanes.hpp"
#include "curl/api.hpp"
#include "lane/lane.hpp"
#include "lane/lane_key.hpp"
#include "lane/socket_functions.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet::detail {

/// The CURLSH that a handle uses, as of its CURLOPT_SHARE.
struct EasyShare {
    enum class Kind : std::uint8_t {
        none,
        known,
        own_way
    };  // own_way: it shares connections, or nobody knows
    Kind kind = Kind::none;
    std::uint64_t id = 0;  // of a known one: unique in the process
};

/// Kept up to date by the drop-in's setopt, reset and duphandle. Used by one thread at a time, as the handle
/// itself; only the parked lease is another thread's business too.
class EasyRecord {
  public:
    EasyRecord() = default;
    EasyRecord& operator=(const EasyRecord&) = delete;
    /// For a duplicate: the same options, no lease, no private lane.
    EasyRecord(const EasyRecord& other);

    /// Whether it is to be told of that option.
    static bool concerned_by(CURLoption option) noexcept;
    // What libcurl has accepted. May throw std::bad_alloc: then the record no longer says what is set, and
    // give_up() is due.
    void note_number(CURLoption option, long long value);
    void note_pointer(CURLoption option, const void* value);
    void note_share(EasyShare share) noexcept { share_ = share; }
    void note_names(const curl_slist* names);         // CURLOPT_RESOLVE
    void note_proxy_headers(const curl_slist* list);  // CURLOPT_PROXYHEADER
    /// As curl_easy_reset: what a handle keeps, stays.
    void reset() noexcept;
    /// The handle's transfers are libcurl's from now on.
    void give_up() noexcept { given_up_ = true; }
    void set_pooled(bool on) noexcept { pooled_ = on; }

    /// The lane key of the next transfer; null: it takes no lane. Valid until the next call. Throws
    /// std::bad_alloc.
    const LaneKey* lane_key();
    /// That key is the handle's alone.
    bool key_is_private() const noexcept { return key_is_private_; }
    /// A transfer that was redirected to that URL is still at its key's origin.
    bool leads_to_key(const char* url);

    char* error_buffer() const noexcept { return error_buffer_; }
    bool fresh_connect() const noexcept { return fresh_connect_; }
    bool follows_redirects() const noexcept { return follows_redirects_; }
    std::chrono::milliseconds timeout() const noexcept {
        return std::chrono::milliseconds(timeout_ms_);
    }  // 0: none
    /// A body or a method of the program's own was set: the request may not be one that can be sent twice.
    bool may_be_unsafe() const noexcept { return may_be_unsafe_; }
    /// CURLOPT_DNS_CACHE_TIMEOUT is the program's.
    bool own_dns_timeout() const noexcept { return own_dns_timeout_; }
    /// CURLOPT_MAXAGE_CONN is.
    bool own_max_age() const noexcept { return own_max_age_; }
    /// CURLOPT_NOBODY: libcurl reads no body, whatever the method.
    bool no_body() const noexcept { return no_body_; }
    /// HTTPAUTH allows Negotiate, whose identity is the process's: the ticket that its environment names.
    bool may_negotiate() const noexcept {
        return (static_cast<unsigned long>(http_auth_) & CURLAUTH_NEGOTIATE) != 0;
    }
    /// The handle's connections are its own from now on.
    void keep_private() noexcept;
    /// The handle's connections are not to be shared, or that was so at a moment since lane_key() was called.
    bool was_private() const noexcept { return is_private() || private_meanwhile_; }
    /// When a connection of this handle's is closed, libcurl or the TLS library may call the program: so its
    /// private lanes are closed by whoever uses the handle, and by no other thread. Once true stays true.
    bool ties_lanes() const noexcept { return ties_lanes_; }
    const SocketFunctions& socket_functions() const noexcept { return socket_functions_; }
    bool has_headers() const noexcept { return headers_ != nullptr; }
    /// A copy of CURLOPT_RESOLVE's list, null where it is not set. libcurl reads the program's once, into the
    /// DNS cache of the multi that the first transfer runs on: any other must be given it again.
    curl_slist* names() const noexcept { return has_names_ ? names_.get() : nullptr; }
    /// Looks through CURLOPT_HTTPHEADER. Only while the transfer runs: the list is the program's.
    bool says_connection_close() const noexcept;
    bool has_idempotency_key() const noexcept;

    /// Of a kept connection that served the last transfer; nothing: the handle knows itself.
    std::optional<Lane::VerifyResults> verified;
    /// The lane of the last transfer, to be asked for again.
    struct Last {
        LaneKey key;
        LaneId slot = no_id<LaneId>;
        std::uint64_t connection_id = 0;
    };
    Last last;
    /// Of the transfer that runs. On the heap, since a callback may leave it by longjmp().
    struct Ride;
    std::shared_ptr<Ride> ride;
    bool running = false;        // inside perform(), or left in its middle
    bool names_on_lane = false;  // so the handle's own multi may not have them

    /// Null: it has had none.
    std::unique_ptr<PrivateLanes> private_lanes;

    /// See docs/design/drop-in.md, parked lanes. Guarded by park_lock.
    FreeLock park_lock;
    Lease parked;

  private:
    struct Value {
        int option;
        bool credential;  // counts only where credentials bind a connection
        std::string text;
    };
    void put(CURLoption option, std::string text);
    void set_private(CURLoption option, bool on);
    void note_socket_function(CURLoption option, const void* value) noexcept;
    /// How it takes in an option of that kind: one that does not concern the connection, but how a transfer
    /// is run on a lane. The value that the option has not, as a number or as a pointer, is 0.
    using Taker = void (*)(EasyRecord&, long long number, const void* pointer) noexcept;
    static Taker taker_of(CURLoption option) noexcept;  // null: it need not know
    bool is_private() const noexcept { return keeps_private_ || !private_options_.empty(); }
    bool binds_credentials() const noexcept;
    bool needs_new_connection() const noexcept;
    bool is_set(CURLoption option) const noexcept;            // not to null
    bool set_to_something(CURLoption option) const noexcept;  // not to "" either
    bool identity_is_process_wide(const char* user, const char* password) const noexcept;
    bool authenticates_by_itself() const noexcept;
    std::string rest_of_key() const;
    std::uint64_t private_id();
    const LaneKey* key_of_url();
    bool make_key(const char* url);
    bool fill_key(CURLU* url, std::string_view authority);
    const std::string* value_of(CURLoption option) const noexcept;
    std::string proxy_origin(std::string_view scheme) const;

    std::vector<Value> values_;         // of options in the lane key, by number
    std::vector<int> private_options_;  // that are set now
    bool keeps_private_ = false;        // had an option whose effects a handle keeps; once true stays true
    bool private_meanwhile_ = false;    // since the last lane_key()
    bool ties_lanes_ = false;           // once true stays true
    SocketFunctions socket_functions_;
    bool given_up_ = false;  // once true stays true
    bool pooled_ = true;
    EasyShare share_;
    bool connect_only_ = false;

    std::string url_;
    bool has_url_ = false;
    CURLU* curlu_ = nullptr;
    long http_auth_ = static_cast<long>(CURLAUTH_BASIC);
    long proxy_auth_ = static_cast<long>(CURLAUTH_BASIC);
    bool netrc_ = false;

    char* error_buffer_ = nullptr;
    bool fresh_connect_ = false;
    bool follows_redirects_ = false;
    bool own_dns_timeout_ = false;
    bool own_max_age_ = false;
    bool may_be_unsafe_ = false;
    bool no_body_ = false;
    long timeout_ms_ = 0;
    const curl_slist* headers_ = nullptr;
    bool proxy_headers_authenticate_ = false;
    std::shared_ptr<curl_slist> names_;  // kept by a reset: libcurl may still point at it
    bool has_names_ = false;

    LaneKey key_;
    std::string key_authority_;  // what of the URL key_ was made from; empty: not to be used again
    bool key_valid_ = false;
    bool key_is_private_ = false;
    bool url_in_key_ = false;  // url_ has not changed since key_ was found right for it
};

}  // namespace ringlet::detail
