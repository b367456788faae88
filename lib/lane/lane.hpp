// Lane: one CURLM, its own easy handle and the at most one connection inside. The unit that the cache counts,
// lends, keeps and closes.
#pragma once

#include "curl/handles.hpp"
#include "lane/byte_tally.hpp"
#include "lane/lane_key.hpp"
#include "lane/socket_functions.hpp"
#include "lane/socket_watch.hpp"
#include "ringlet/events.hpp"

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ringlet::detail {

class AdoptedSocket;
class Share;

/// Who drives a lane at the moment: libcurl's callbacks end up here. Functions may throw nothing (they stand
/// on libcurl frames): an implementation catches, remembers and says "abort".
class LaneClient {
  public:
    virtual std::size_t on_header(const char* data, std::size_t size) noexcept = 0;
    virtual std::size_t on_body(const char* data, std::size_t size) noexcept = 0;
    virtual std::size_t on_read(char* buffer, std::size_t size) noexcept = 0;
    virtual int on_seek(curl_off_t offset, int origin) noexcept = 0;
    /// The request is about to be sent; CURL_PREREQFUNC_OK or _ABORT. A second call in one transfer is
    /// libcurl's own replay.
    virtual int on_send(const char* remote_ip, int remote_port, const char* local_ip,
                        int local_port) noexcept = 0;
    /// libcurl is about to open a connection; false refuses it.
    virtual bool on_open_socket() noexcept = 0;
    /// libcurl is about to close that descriptor: what the kernel knows of it can still be asked.
    virtual void on_close_socket(int fd) noexcept = 0;
    /// What libcurl says to itself, while CURLOPT_VERBOSE is on (see Lane::listen()).
    virtual void on_text(std::string_view) noexcept {}
    /// Bytes of a body as they travel, before chunks and codings are taken off: likewise.
    virtual void on_wire(std::string_view) noexcept {}
    virtual int on_progress(curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                            curl_off_t ulnow) noexcept = 0;

  protected:
    ~LaneClient() = default;
};

/// What a lane is made with. Part of the cache's settings.
struct LaneSettings {
    std::chrono::seconds tcp_keepalive_idle{0};  // 0: off
    std::chrono::seconds tcp_keepalive_interval{0};
    long dns_ttl_seconds = 60;
    SlistPtr resolve;  // CURLOPT_RESOLVE entries "host:port:address"; may be null
};

/// Used by one thread at a time: whoever holds its lease, or the cache's closer. Created with nothing open.
class Lane {
  public:
    enum class Liveness : std::uint8_t { usable, peer_closed, unsolicited_data, forked };

    /// Throws Error where libcurl has no handle to give. `share` and `settings` must outlive the lane.
    Lane(std::uint64_t id, LaneKey key, Share& share, const LaneSettings& settings);
    /// Closes the connection, if any. In a forked child it only closes descriptors (no TLS close_notify on a
    /// shared socket).
    ~Lane();
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    std::uint64_t id() const noexcept { return id_; }
    const LaneKey& key() const noexcept { return key_; }

    /// Whether its idle connection can be lent: for HTTP/1 a peek must find nothing to read; for HTTP/2 only
    /// an end of the stream counts, since frames are legitimate. One system call.
    Liveness check() noexcept;
    /// The connection's descriptor, -1 when there is none. For polling only.
    int socket() const noexcept { return sockets_.current(); }
    /// The process was forked since this lane was made, and this is the child.
    bool forked() const noexcept;

    Protocol protocol() const noexcept { return protocol_; }
    void set_protocol(Protocol p) noexcept { protocol_ = p; }
    /// Both ends of the connection, as plain bytes: copied for each request.
    struct Address {
        char ip[64] = "";
        int port = 0;
        std::string text() const;
    };
    const Address& local() const noexcept { return local_; }
    const Address& remote() const noexcept { return remote_; }
    std::string local_address() const { return local_.text(); }
    std::string remote_address() const { return remote_.text(); }
    /// From any thread, while somebody else holds the lease (the cache knows): ends that request with
    /// Errc::cancelled.
    void interrupt() noexcept;
    bool interrupted() const noexcept { return interrupted_.load(std::memory_order_relaxed); }

    // --- for the holder of the lease
    CURL* easy() noexcept { return easy_.get(); }
    CURLM* multi() noexcept { return multi_.get(); }
    SocketWatch& sockets() noexcept { return sockets_; }
    Share& share() noexcept { return share_; }
    /// on_text() is called from now on / no longer. False: it cannot be.
    bool listen(bool on) noexcept;
    void set_client(LaneClient* client) noexcept { client_ = client; }
    /// Options of that id are on the easy; 0: only the lane's own. Resets everything but the lane's own.
    /// raw_options: those of a raw transfer, which no id names.
    static constexpr std::uint64_t raw_options = UINT64_MAX;
    /// Nothing but what concerns the connection: as reset_easy_for_raw_use() leaves it.
    static constexpr std::uint64_t ready_for_raw = UINT64_MAX - 2;
    std::uint64_t configured() const noexcept { return configured_; }
    void set_configured(std::uint64_t options_id) noexcept { configured_ = options_id; }
    /// Back to a fresh easy handle with the lane's own options: no cookie, credential or option of an earlier
    /// user is left.
    void reset_easy();
    /// The same without the hooks of LaneClient: libcurl's own defaults for everything but the connection.
    void reset_easy_for_raw_use();
    /// What concerns the connection: to be set on every easy handle that this lane's connection is to serve.
    void set_connection_options(CURL* easy);
    /// The easy took in what a reset keeps (cookies, HSTS, alt-svc): the next reset_easy() takes a new one.
    void taint() noexcept { tainted_ = true; }
    /// The kind of request that the easy is set to.
    enum class Shape : std::uint8_t { get, head, other };
    /// Lists and blobs that the easy's options point at, kept until the next reset_easy().
    struct Holdings {
        SlistPtr headers;
        std::uint64_t headers_id = 0;  // of the options whose fields are in `headers`; 0: none are set
        Shape shape = Shape::get;
        bool cookie_engine = false;           // started on the easy
        bool progress = false;                // CURLOPT_NOPROGRESS is off
        bool receives_much = false;           // see receive_much()
        std::shared_ptr<const void> options;  // what raw options on the easy point at
    };
    Holdings& holdings() noexcept { return holdings_; }
    /// Bytes that its own easy takes from a plain socket at a time at most (CURLOPT_BUFFERSIZE).
    std::size_t receive_size() const noexcept;
    /// A large body comes: it is to be taken in larger pieces.
    void receive_much() noexcept;
    /// After each transfer libcurl looks for outdated names among all that the cache knows, under a lock that
    /// its lanes share. For requests on a kept connection once a second is often enough; a connection that is
    /// closed ends that, since another may be made in its place. Only with options of ringlet's.
    void pace_name_checks(std::chrono::steady_clock::time_point now) noexcept;
    /// libcurl's own words for what went wrong last; empty when it had none.
    const char* error_text() const noexcept { return error_text_; }
    /// The address of the latest attempt to connect.
    std::string attempted_address() const { return attempted_.text(); }
    // --- a guest: the program's own easy handle, which keeps its options and callbacks
    /// Puts a guest into the lane's multi. With `watched`, sockets that it opens are the lane's, which calls
    /// the guest's `own` functions for them: these must be where they are until it alights, or the lane is
    /// abandoned. Without, it is to use the connection that is there: one that libcurl makes instead is
    /// nobody's, and the lane comes back without a socket. Anything but CURLM_OK: nothing was done.
    CURLMcode board(CURL* guest, bool watched, const SocketFunctions& own) noexcept;
    /// The guest on board was given other functions, which are on the handle: the lane's take their place,
    /// and call them. False: there is no memory for it.
    bool hook_again(CURL* guest) noexcept;
    /// Lets libcurl keep the connections of a guest's redirects to other origins besides. The cache counts
    /// them as one.
    void keep_redirects() noexcept;
    /// So many different functions and data for closing sockets have come by that it is better to start anew.
    bool holds_many_closers() const noexcept { return closers_.size() > 100; }
    bool keeps_redirects() const noexcept { return keeps_redirects_; }
    /// Takes it off again, with its own functions in their place; socket() is then what libcurl kept. False:
    /// there may be connections besides that nobody watches.
    bool alight(CURL* guest) noexcept;
    /// Of the connection.
    ByteTally& tally() noexcept { return tally_; }
    /// What CURLINFO_SSL_VERIFYRESULT and its proxy sister said when the connection was made: a guest that
    /// finds it standing would read 0, verified.
    struct VerifyResults {
        long origin = 0, proxy = 0;
        bool operator==(const VerifyResults&) const = default;
    };
    const VerifyResults& verify_results() const noexcept { return verify_results_; }
    void set_verify_results(VerifyResults results) noexcept { verify_results_ = results; }
    /// What is known of the multi's DNS cache, which guests use and libcurl looks through after each
    /// transfer.
    struct NameCache {
        std::chrono::steady_clock::time_point filled_at{};  // with the connection
        bool empty = false;                                 // looked through since, when all was out of date
    };
    NameCache& name_cache() noexcept { return name_cache_; }
    /// Takes off a guest that was left in the middle of its transfer: by a cancelled thread, as a rule. The
    /// lane is good for nothing but its destructor. False: libcurl refuses, since it was inside a callback
    /// then and believes to be there for ever.
    bool rescue(CURL* guest) noexcept;
    /// The destructor will only close descriptors: after a guest that could not be taken off was destroyed
    /// (libcurl refuses to destroy the multi too), or where no function of the program's may be called.
    void abandon() noexcept {
        abandoned_ = true;
        client_ = nullptr;
        own_ = nullptr;
    }
    /// Puts a handle's own socket functions in the place of a lane's: a duplicate that was made of a guest on
    /// board has these.
    static void unhook(CURL* guest, const SocketFunctions& own) noexcept;
    void set_addresses(const char* local_ip, int local_port, const char* remote_ip, int remote_port) noexcept;
    /// From now on that is the only connection there is: the lane never dials. Before its first connection.
    void use_only(const std::shared_ptr<AdoptedSocket>& adopted);
    /// That one; null when the lane dials.
    AdoptedSocket* given() const noexcept { return dials_ ? nullptr : adopted_.get(); }
    /// Keeps a connection of libcurl's making, idle, for the next request: it is used when that would dial
    /// its address, and closed when it would not. The lane owns it.
    void offer(int fd);
    /// A connection was offered / is in use now: its cache knows of it already.
    bool offered() const noexcept;
    bool on_offered() const noexcept;

  private:
    friend struct LaneCallbacks;
    /// What libcurl calls to close sockets of a guest that has a function of its own for that. libcurl notes
    /// function and data when it makes a connection: what was set by then is called, for that one's life.
    struct Closer {
        static int close_socket(void* self, curl_socket_t fd);
        bool operator==(const Closer&) const = default;
        Lane* lane;
        curl_closesocket_callback function;
        void* data;
    };
    Liveness check(int fd) const noexcept;
    Liveness judge(std::size_t bytes) const noexcept;
    void make_easy();
    void apply_own_options();
    bool watch_sockets(CURL* easy) noexcept;
    void set_request_hooks();
    void check_names(bool on) noexcept;
    static bool keeps_receive_buffer() noexcept;
    void clear_easy();
    void note_attempt(const sockaddr& address, unsigned size) noexcept;
    int open(const curl_sockaddr& address) noexcept;
    bool hook(CURL* guest) noexcept;
    Closer* put_closer() noexcept;
    void drop_unused_closers() noexcept;
    curl_socket_t open_by_program(curlsocktype purpose, curl_sockaddr* address);
    void before_first_byte() noexcept;

    std::uint64_t id_;
    LaneKey key_;
    Share& share_;
    const LaneSettings& settings_;
    std::uint64_t generation_;  // of fork(): see fork_generation()
    const bool direct_;         // no proxy is named in the environment
    Holdings holdings_;
    ByteTally tally_;
    SocketWatch sockets_;
    std::shared_ptr<AdoptedSocket> adopted_;  // the only one, or an offered one
    bool dials_ = true;
    SlistPtr connect_to_;  // unless dials_: keeps libcurl from resolving names
    LaneClient* client_ = nullptr;
    std::uint64_t configured_ = 0;
    std::chrono::steady_clock::time_point names_checked_{};
    bool names_unchecked_ = false;  // names never expire now, for its own easy
    bool tainted_ = false;
    std::atomic<bool> interrupted_{false};
    Protocol protocol_ = Protocol::unknown;
    Address local_, remote_, attempted_;
    VerifyResults verify_results_;
    NameCache name_cache_;
    bool watched_ = false;                  // the guest has the lane's socket callbacks
    const SocketFunctions* own_ = nullptr;  // of the guest on board
    std::list<Closer> closers_;             // that connections may have; none twice, the latest first
    std::size_t unused_closers_ = 0;        // of them, those set since a socket was opened last
    bool keeps_redirects_ = false;          // once true stays true
    bool abandoned_ = false;                // likewise
    bool left_ = false;                     // likewise: libcurl may have lost descriptors
    std::size_t opened_at_boarding_ = 0;    // of sockets_.opened_count()
    char error_text_[CURL_ERROR_SIZE] = "";
    MultiPtr multi_;
    EasyPtr easy_;
};

}  // namespace ringlet::detail
