// Transfer: one request on one lease, as a state machine that steps and never waits.
#pragma once

#include "cache/cache.hpp"
#include "curl/handles.hpp"
#include "lane/lane.hpp"
#include "ringlet/error.hpp"
#include "ringlet/response.hpp"
#include "transfer/body_buffer.hpp"
#include "transfer/cookie_jar.hpp"
#include "transfer/gzip_end.hpp"
#include "transfer/head.hpp"
#include "transfer/socket_ear.hpp"
#include "transfer/upload.hpp"
#include "value/options.hpp"
#include "value/url.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// What a transfer sends. Pointers must stay valid until it is over.
struct TransferPlan {
    std::string_view method;  // NUL-terminated
    const Url* url = nullptr;
    const Options* options = nullptr;
    Upload* upload = nullptr;  // null or absent: no body
    CookieJar* cookies = nullptr;
    bool empty_body = false;  // says Content-Length: 0
    bool upgrade = false;     // inside TLS: no body, but an upload that stays open for what comes after a 101
    bool replay_allowed =
        false;              // by method, header and policy; whether the body can is asked when it comes to it
    bool replayed = false;  // this is a replay already
    std::uint64_t max_body = UINT64_MAX;
};

/// Why a transfer ended, beyond libcurl's own code.
enum class Failure : std::uint8_t {
    none,
    head_too_large,
    body_too_large,
    replay_refused,
    asked_again,  // for credentials, and no end of it
    not_http2,
    bad_field,
    bad_length,
    head_cut,
    gzip_cut,
    given_up,
    forked,  // this is a child, and the connection its parent's
};

/// Where a body goes as it arrives. `put` may throw: the transfer is aborted, and the exception kept.
struct Sink {
    void* to = nullptr;
    void (*put)(void* to, const char* data, std::size_t size) = nullptr;
    explicit operator bool() const noexcept { return put != nullptr; }
};

/// Reused from request to request: buffers keep their memory. Driven by one thread at a time.
class Transfer final : public LaneClient {
  public:
    Transfer() = default;
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    /// Configures the lane and adds the request to it. Throws Error; the lease is then closed.
    void start(Lease lease, const TransferPlan& plan);
    /// One turn of libcurl, without waiting.
    void step();
    /// Sleeps until libcurl has something to do, another thread calls wake(), or the time is over.
    /// True: something came on a socket.
    bool wait(std::chrono::milliseconds at_most);
    /// libcurl may hold frames that it has read, and wait for the socket all the same (HTTP/2, 7.88.1: 1 MiB
    /// from h2o stood still in one of four transfers): it goes on at the next step. curl_easy_perform steps
    /// every second.
    bool needs_nudging() const noexcept;
    /// Looks for an answer without sleeping, for up to `d`, if the latest answers came within that time.
    /// True: libcurl is to be turned again, since something is there or some of the time is over. False: it
    /// is time to sleep.
    bool spin(std::chrono::nanoseconds d);
    /// Ends wait() from another thread. Only while the transfer runs.
    void wake() noexcept;

    /// libcurl is running: a callback of the user's, called by it, asks.
    bool inside() const noexcept { return inside_; }
    /// From inside: the transfer ends as soon as libcurl lets it.
    void give_up() noexcept { failure_ = Failure::given_up; }

    bool active() const noexcept { return static_cast<bool>(lease_); }
    /// This process is a forked child of the one that started it: the connection must not be touched.
    bool forked() const noexcept { return lease_ && lease_->forked(); }
    bool done() const noexcept { return done_; }
    CURLcode result() const noexcept { return result_; }
    Failure failure() const noexcept { return failure_; }
    /// What a callback threw.
    std::exception_ptr exception() const noexcept;
    Head& head() noexcept { return head_; }
    const Head& head() const noexcept { return head_; }
    Phase phase() const noexcept;
    /// A proxy answered CONNECT with a refusal, or not at all.
    bool proxy_refused() const noexcept;
    /// A body could still come, or has come.
    bool head_done() const noexcept { return head_.complete(); }
    /// A kept HTTP/2 connection was lost before a byte of an answer came: libcurl tries again over HTTP/1
    /// only.
    bool lost_unanswered() const noexcept;
    /// The request has left, as far as libcurl knows: the time to the first byte starts.
    bool sent() const noexcept;
    /// Before the upload is rewound, which makes sent() forget.
    void latch_sent() noexcept { sent_before_rewind_ = sent(); }

    // --- the body
    /// Bytes buffered, to be taken with buffer().
    BodyBuffer& buffer() noexcept { return buffer_; }
    const BodyBuffer& buffer() const noexcept { return buffer_; }
    /// The buffer has been emptied far enough: lets a paused transfer go on.
    void resume_if_paused();
    /// Bytes go straight to `to` until it is full; the rest is buffered. How many were put there:
    /// taken_directly().
    void aim(char* to, std::size_t size) noexcept;
    std::size_t aimed_bytes() const noexcept { return aim_used_; }
    std::size_t aimed() noexcept;  // ends aim(): how many bytes went there
    /// Every byte goes to the sink as it arrives.
    void pour_into(Sink sink) noexcept;
    /// Bytes go nowhere from here on, until the body has `most` of them in all: one more fails the transfer.
    void discard_until(std::uint64_t most) noexcept;
    std::uint64_t body_bytes() const noexcept { return body_bytes_; }

    // --- figures
    std::uint64_t bytes_moved() const noexcept;  // both ways: for low_speed
    /// Spent in the caller's own functions, while low_speed is asked for: no peer was waited for.
    Clock::duration time_away() const noexcept { return time_away_; }
    Timings timings() const noexcept;
    Progress progress() const noexcept;
    unsigned sends() const noexcept { return sends_; }
    /// A byte has come since the last of them.
    bool answered() const noexcept { return answered_; }
    /// The lane's connection was replaced by a new one on the way.
    bool replaced_connection() const noexcept { return replaced_; }
    Lane& lane() noexcept { return *lease_; }
    const Lease& lease() const noexcept { return lease_; }
    /// Of whoever sends one request after another through it: leases for it are acquired with that.
    Claim& claim() noexcept { return claim_; }

    /// Takes the request off the lane and gives the lease back, open or closed: what became of it. `why`
    /// beyond what the exchange itself says; none: as the protocol has it.
    CloseReason end(CloseReason why) noexcept;
    /// The lane with the transfer still on it, and what has arrived. Nothing is left here. Only after a 101.
    Lease hand_over(BodyBuffer& early) noexcept;
    /// Bytes can still be sent (TransferPlan::upgrade).
    bool upload_open() const noexcept { return plan_.upgrade && !upload_ended_; }
    /// HTTP/2: resets the stream and keeps the connection, where that is sound.
    bool reset_keeps_connection(std::uint64_t known_left) const noexcept;

    // LaneClient
    std::size_t on_header(const char* data, std::size_t size) noexcept override;
    std::size_t on_body(const char* data, std::size_t size) noexcept override;
    std::size_t on_read(char* buffer, std::size_t size) noexcept override;
    int on_seek(curl_off_t offset, int origin) noexcept override;
    int on_send(const char* remote_ip, int remote_port, const char* local_ip,
                int local_port) noexcept override;
    bool on_open_socket() noexcept override;
    void on_close_socket(int fd) noexcept override;
    void on_text(std::string_view text) noexcept override;
    void on_wire(std::string_view bytes) noexcept override;
    int on_progress(curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                    curl_off_t ulnow) noexcept override;

  private:
    /// Bytes buffered above which a transfer pauses. One turn of libcurl may add what a single read inflates
    /// to.
    std::size_t pause_above() const noexcept;
    bool pauses_cheaply() const noexcept;
    bool is_full() const noexcept;
    void pause_where_full() noexcept;
    void expect_much() noexcept;

    void configure();
    void set_prior_knowledge();
    void set_method();
    void set_body();
    void set_headers();
    void unset_request() noexcept;
    void end_upload_if_refused() noexcept;
    void leave_lane(bool close) noexcept;
    bool undecided() const;
    bool asked_for_a_challenge() const noexcept;
    bool negotiates() const noexcept;
    bool sends_nothing() const noexcept;
    void check_protocol();
    void listen_for_surplus() noexcept;
    void follow_gzip() noexcept;
    bool gzip_cut() const noexcept;
    void report_connections() noexcept;
    bool replay_refused() const noexcept;
    void collect_result();
    void note_raw_exception() noexcept;
    bool sends_no_body_yet() const noexcept;
    bool answered_early() const noexcept;
    void listen_to_socket() noexcept;
    void note_tally() noexcept;
    CloseReason verdict() const noexcept;
    CloseReason abandon() noexcept;
    void store_cookies() noexcept;
    std::size_t deliver(const char* data, std::size_t size);
    std::size_t fail(Failure failure) noexcept;

    Lease lease_;
    Claim claim_;
    TransferPlan plan_;
    Head head_;
    BodyBuffer buffer_;
    SocketEar ear_;
    GzipEnd gzip_;
    MimePtr mime_;
    char* aim_ = nullptr;
    std::size_t aim_size_ = 0, aim_used_ = 0;
    Sink sink_;
    class Away;
    Clock::duration time_away_{};
    Clock::time_point progress_at_;             // the last call, also in the request before: so often at most
    Clock::time_point spinning_since_{};        // of the wait that spin() is in; zero: none
    unsigned spin_misses_ = 0, spin_rest_ = 0;  // spins in vain in a row; waits not to spin in
    std::exception_ptr exception_;
    std::uint64_t body_bytes_ = 0, discard_until_ = 0;
    CURLcode result_ = CURLE_OK;
    Failure failure_ = Failure::none;
    unsigned sends_ = 0, replays_ = 0, replays_reported_ = 0;
    bool inside_ = false;  // of libcurl
    bool replaced_ = false;
    bool added_ = false, done_ = false;
    bool may_connect_ = true;    // see set_prior_knowledge()
    bool upload_ended_ = false;  // of an upgrade that was refused
    bool sent_before_rewind_ = false;
    bool discard_ = false, paused_ = false, resuming_ = false;
    bool cookies_joined_ = false;  // the caller's own are on the easy handle, beside the jar's
    bool listening_ = false;       // for what libcurl says of bytes after the message
    bool surplus_ = false;         // ... it has said so
    bool following_ = false;       // gzip_ hears of the body
    bool answered_ = false;        // a header byte has come since the last send
    bool connecting_ = false;      // a socket was opened and nothing was sent since
    bool dialled_ = false;         // a socket was opened in this transfer
    bool established_ = false;     // ... and TCP was connected when libcurl closed it again
    bool connect_pending_ =
        false;  // a new connection is established: to be told when libcurl's frames are left
    bool reached_cache_ = false;  // the cache knows this lane's connection as established
};

/// For the length of a call of the caller's function: see time_away().
class Transfer::Away {
  public:
    explicit Away(Transfer& transfer) noexcept
        : transfer_(transfer.plan_.options->low_speed ? &transfer : nullptr) {
        if (transfer_ != nullptr) since_ = Clock::now();
    }
    ~Away() {
        if (transfer_ != nullptr) transfer_->time_away_ += Clock::now() - since_;
    }
    Away(const Away&) = delete;
    Away& operator=(const Away&) = delete;

  private:
    Transfer* transfer_;
    Clock::time_point since_;
};

}  // namespace ringlet::detail
