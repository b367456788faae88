// Exchange: one request of a caller, over redirects, replays and retries, and the body of its answer.
#pragma once

#include "cache/cache.hpp"
#include "cache/continuation.hpp"
#include "ringlet/response.hpp"
#include "transfer/body_data.hpp"
#include "transfer/cookie_jar.hpp"
#include "transfer/patience.hpp"
#include "transfer/redirect.hpp"
#include "transfer/transfer.hpp"
#include "transfer/upload.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace ringlet::detail {

/// What a caller asks for.
struct Call {
    std::string_view method;
    std::shared_ptr<const Url> url;
    LaneKey key;
    std::shared_ptr<const Options> options;
    std::shared_ptr<BodyData> body;
    std::shared_ptr<CookieJar> cookies;  // null: none kept
    // Unless null the only connection there may be: `key` stays what it is, and nothing is replayed.
    std::shared_ptr<AdoptedSocket> given_connection;
};

/// A connection after 101 Switching Protocols, out of its exchange.
struct Upgraded {
    Lease lease;
    BodyBuffer early;                // arrived already
    std::shared_ptr<const Url> url;  // the easy handle points at it
    std::stop_token stop;            // the request's
    bool in_transfer =
        false;  // encrypted: the transfer still runs on the lane, its upload held open, and moves the bytes
    bool ended = false;  // by the peer, already
};

/// Driven by one thread at a time, its Response's. It keeps alive what it needs, and is used again for the
/// session's next request once nobody holds it (handles() is 0), so that a request allocates nothing in the
/// steady state.
class Exchange {
  public:
    explicit Exchange(std::shared_ptr<Cache> cache) noexcept : cache_(std::move(cache)) {}
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    /// Sends it and returns when the final answer's head is there. Throws Error, or what a callback threw.
    void run(Call call);

    // --- who holds it
    void add_handle() noexcept {
        handles_.fetch_add(1, std::memory_order_relaxed);
        free_.store(false, std::memory_order_relaxed);
    }
    /// The last one drops the response (behaviour.md, section 3).
    void remove_handle() noexcept;
    bool held() const noexcept { return !free_.load(std::memory_order_acquire); }
    /// Nothing of it is on a connection any more. May be asked from any thread.
    bool finished() const noexcept { return finished_.load(std::memory_order_acquire); }
    /// "GET http://host/path, 512 of 2048 bytes read".
    std::string describe() const;

    // --- the answer
    const Head& head() const noexcept { return transfer_.head(); }
    const std::string& url() const noexcept { return call_.url->text(); }
    Protocol protocol() const noexcept { return protocol_; }
    BodyState state() const noexcept { return state_; }
    bool reused() const noexcept { return reused_; }
    std::uint64_t connection_id() const noexcept { return connection_id_; }
    std::string local_address() const { return local_.text(); }
    std::string remote_address() const { return remote_.text(); }
    Timings timings() const noexcept { return timings_; }
    std::optional<Disposition> disposition() const noexcept { return disposition_; }

    // --- the body
    std::size_t read(std::span<std::byte> to);
    /// The whole body, for a reader that needs it from its first byte.
    void read_all(Sink sink);
    Disposition consume(DrainLimits limits);
    void abort() noexcept;
    /// After a 101 that the request asked for: the connection. Errc::invalid_argument, protocol.
    Upgraded upgrade();
    bool locked() const noexcept { return locked_; }
    /// For chunks() and stream(): from an unread body. The holder reads with read_locked().
    void lock();
    void unlock() noexcept { locked_ = false; }
    std::size_t read_locked(std::span<std::byte> to) { return read_some(to); }

  private:
    void run_attempts();
    void run_hops();
    void run_transfer();
    enum class Turn : std::uint8_t { first, fresh, replay };
    bool send_once(Turn turn, bool upgrade);
    Turn next_turn(Turn last);
    bool replay_allowed() const;
    void continue_later();
    bool leads_elsewhere() const;
    void prepare_redirect(Redirection next);
    void ask_for_http_1();
    bool streams_with_digest() const noexcept;
    void start_again(const Call& first, const std::string& method);
    bool rewind_body();
    bool rewind_upload();
    bool fits(std::chrono::milliseconds wait) const noexcept;
    void pause(std::chrono::milliseconds d);
    void drain_internally();
    CloseReason drain_discarded();
    void note_head();
    bool bodiless() const noexcept;
    void finish_bodiless();

    template <class Until>
    void drive(Until until, Clock::time_point latest = Clock::time_point::max());
    std::optional<Progress> final_progress() const noexcept;
    void tell_progress(const std::optional<Progress>& progress);
    void check_interruptions();
    [[noreturn]] void give_up(Errc code, std::string_view why, CloseReason reason);
    [[noreturn]] void throw_transfer_error();
    bool body_over() const noexcept { return transfer_.done() && transfer_.buffer().empty(); }
    void after_bytes();
    void settle();
    void end_transfer(CloseReason why) noexcept;
    [[noreturn]] void fail_body(const std::exception_ptr& interruption);
    void require_unlocked() const;
    void require_unread();
    void require_alive() const;
    void require_own_process();
    std::size_t read_some(std::span<std::byte> to);
    std::optional<std::uint64_t> known_left() const noexcept;
    void drop() noexcept;
    void close_unread(bool warn) noexcept;
    CloseReason drain(DrainLimits limits);
    bool drain_dropped() noexcept;
    void note_stream_reset() noexcept;
    void warn_dropped() noexcept;
    bool idempotent() const noexcept;
    void release_body() noexcept;
    void release_call() noexcept;
    void reset() noexcept;

    struct Waker {
        Transfer* transfer;
        void operator()() const noexcept { transfer->wake(); }
    };

    const std::shared_ptr<Cache> cache_;  // leases count on it: see Cache::acquire()
    Call call_;
    std::string method_;
    Upload upload_;
    bool empty_body_ = false;
    bool callers_own_ = false;   // what is thrown now is: no reason for another attempt
    bool body_dropped_ = false;  // a redirect turned the request into a GET
    Transfer transfer_;
    Patience patience_;
    std::optional<Continuation> continuation_;        // inside run(), from the first redirect or retry on
    std::optional<std::stop_callback<Waker>> waker_;  // only while a transfer is active
    BodyState state_ = BodyState::unread;
    bool locked_ = false;
    bool internal_ = true;                      // inside run(): what is thrown away is nobody's loss
    std::atomic<std::uint64_t> read_total_{0};  // the session, on its own thread, may ask how far it is
    std::uint64_t discarded_ = 0;
    std::exception_ptr body_error_;
    std::optional<Disposition> disposition_;
    Protocol protocol_ = Protocol::unknown;
    bool reused_ = false;
    std::uint64_t connection_id_ = 0;
    Lane::Address local_, remote_;
    Timings timings_;
    std::chrono::microseconds queued_{};
    std::chrono::microseconds earlier_hops_{};
    std::atomic<int> handles_{0};
    std::atomic<bool> free_{true};  // no handle, and what the last one had to end is ended
    std::atomic<bool> finished_{true};
};

}  // namespace ringlet::detail
