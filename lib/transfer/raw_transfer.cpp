#include "transfer/raw_transfer.hpp"

#include "base/callback_scope.hpp"
#include "curl/apply_options.hpp"
#include "ringlet/error.hpp"
#include "transfer/failure.hpp"
#include "transfer/raw_exception.hpp"
#include "transfer/request_fields.hpp"
#include "transfer/socket_ear.hpp"
#include "value/text.hpp"
#include "value/url.hpp"

#include <algorithm>
#include <new>
#include <optional>
#include <stop_token>
#include <utility>

namespace ringlet::detail {
namespace {

thread_local std::exception_ptr thrown;  // by a callback of the transfer that runs on this thread

/// What libcurl adds up over all tries of a transfer.
struct Sent {
    curl_off_t time = 0;  // until requests could be sent
    long bytes = 0;       // of requests
};

/// The lane while a raw transfer is on it: tells the cache when the connection stands, and takes the hooks
/// off at the end.
class RawLane final : public LaneClient {
  public:
    RawLane(Lease lease, const RawCall& call, Clock::time_point deadline)
        : lease_(std::move(lease)),
          call_(call),
          deadline_(deadline),
          established_(lease_.reused() || lease_->offered()) {}
    ~RawLane() {
        if (lease_) leave(CloseReason::transfer_error);
    }
    RawLane(const RawLane&) = delete;
    RawLane& operator=(const RawLane&) = delete;

    CURLcode run();
    void leave(CloseReason why) noexcept;
    /// Whether the connection may serve others after a transfer that libcurl calls a success.
    CloseReason verdict(CURLcode result) const noexcept;
    Lane& lane() noexcept { return *lease_; }

    std::size_t on_header(const char*, std::size_t size) noexcept override { return size; }
    std::size_t on_body(const char*, std::size_t size) noexcept override { return size; }
    std::size_t on_read(char*, std::size_t) noexcept override { return CURL_READFUNC_ABORT; }
    int on_seek(curl_off_t, int) noexcept override { return CURL_SEEKFUNC_CANTSEEK; }
    int on_send(const char*, int, const char*, int) noexcept override { return CURL_PREREQFUNC_OK; }
    int on_progress(curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept override { return 0; }
    bool on_open_socket() noexcept override {
        opened_ = true;
        before_ = sent();
        return true;
    }
    void on_close_socket(int) noexcept override {}

  private:
    void configure();
    void add();
    bool interrupted() const noexcept;
    int longest_wait_ms() const noexcept;
    std::optional<CURLcode> step();
    Sent sent() const noexcept;
    void tell_connected() noexcept;
    bool stayed_at_origin() const noexcept;
    bool take_options_off() noexcept;

    Lease lease_;
    const RawCall& call_;
    const Clock::time_point deadline_;
    bool added_ = false;
    bool opened_ = false;       // a socket since the cache was told last
    Sent before_;               // sent() then
    bool established_ = false;  // the cache knows the connection
};

void RawLane::configure() {
    auto& lane = *lease_;
    if (lane.configured() != Lane::ready_for_raw) lane.reset_easy_for_raw_use();
    lane.set_configured(Lane::raw_options);
    auto wire = call_.options->wire;
    // libcurl's own default: what the server sends is passed on as it is.
    if (!wire.accept_encoding) wire.accept_encoding = std::optional<std::string>(std::nullopt);
    const auto raw = std::exchange(wire.raw, nullptr);
    apply_options(lane.easy(), wire);
    if (call_.cookies != nullptr) {
        lane.taint();
        CookieJar::start(lane.easy());
        call_.cookies->load(lane.easy());
    }
    if (raw && raw->outlive_reset()) lane.taint();
    if (!call_.options->headers.empty()) {
        lane.holdings().headers = header_list(call_.options->headers);
        set_option(lane.easy(), CURLOPT_HTTPHEADER, lane.holdings().headers.get(), "header");
    }
    lane.holdings().options = raw;
    if (raw) raw->apply(lane.easy(), RawOptions::Use::whole);
}

void RawLane::add() {
    configure();
    lease_->tally() = {};
    lease_->set_client(this);
    const auto code = curl().multi_add_handle(lease_->multi(), lease_->easy());
    if (code != CURLM_OK) throw Error(Errc::connection_lost, "libcurl does not take the transfer");
    added_ = true;
}

bool RawLane::interrupted() const noexcept {
    return lease_->interrupted() || (call_.options->stop && call_.options->stop->stop_requested());
}

std::optional<CURLcode> RawLane::step() {
    int running = 0, left = 0;
    const CallbackScope scope;
    if (curl().multi_perform(lease_->multi(), &running) != CURLM_OK) return CURLE_RECV_ERROR;
    while (const auto* message = curl().multi_info_read(lease_->multi(), &left)) {
        if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    return std::nullopt;
}

Sent RawLane::sent() const noexcept {
    Sent sent;
    curl().easy_getinfo(lease_->easy(), CURLINFO_PRETRANSFER_TIME_T, &sent.time);
    curl().easy_getinfo(lease_->easy(), CURLINFO_REQUEST_SIZE, &sent.bytes);
    return sent;
}

/// A connection stands as soon as a request was sent. It takes both to know: 8.23 adds to the time when a try
/// fails, too (7.88 and 8.14 do not), and 7.88 counts the bytes of a CONNECT. Told with libcurl's frames
/// left.
void RawLane::tell_connected() noexcept {
    if (!opened_) return;
    const auto now = sent();
    if (now.time == before_.time || now.bytes == before_.bytes) return;
    opened_ = false;
    if (lease_->on_offered()) return;  // it was told when that was opened
    if (established_)
        lease_.cache()->reconnected(lease_, CloseReason::peer_closed);
    else
        lease_.cache()->connected(lease_);
    established_ = true;
}

CURLcode RawLane::run() {
    add();
    const auto wake = [this] { curl().multi_wakeup(lease_->multi()); };
    std::optional<std::stop_callback<decltype(wake)>> waker;
    if (call_.options->stop) waker.emplace(*call_.options->stop, wake);
    while (true) {
        const auto result = step();
        tell_connected();
        if (result) return *result;
        if (interrupted()) return CURLE_ABORTED_BY_CALLBACK;
        const int wait = longest_wait_ms();
        if (wait == 0) return CURLE_OPERATION_TIMEDOUT;
        curl().multi_poll(lease_->multi(), nullptr, 0, wait, nullptr);
    }
}

/// 0: the time is over.
int RawLane::longest_wait_ms() const noexcept {
    constexpr std::chrono::milliseconds longest_poll(
        1000);  // as curl_easy_perform: see Transfer::needs_nudging()
    if (deadline_ == Clock::time_point::max()) return static_cast<int>(longest_poll.count());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
    return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), longest_poll).count());
}

/// libcurl follows redirects by itself: then the lane's connection may lead elsewhere than its key says.
bool RawLane::stayed_at_origin() const noexcept {
    long redirects = 0;
    curl().easy_getinfo(lease_->easy(), CURLINFO_REDIRECT_COUNT, &redirects);
    return redirects == 0;
}

CloseReason RawLane::verdict(CURLcode result) const noexcept {
    if (result != CURLE_OK) return CloseReason::transfer_error;
    if (!stayed_at_origin()) return CloseReason::evicted;
    long version = 0, status = 0;
    curl().easy_getinfo(lease_->easy(), CURLINFO_HTTP_VERSION, &version);
    curl().easy_getinfo(lease_->easy(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 101) return CloseReason::upgraded;
    const auto& raw = call_.options->wire.raw;
    const bool raw_ends = raw && (raw->is_set(CURLOPT_FORBID_REUSE) || raw->asks_to_close());
    if (raw_ends || ends_connection(*call_.options)) return CloseReason::connection_close;
    return CloseReason::none;
}

/// What the session set is the session's again: nothing on the lane points at it.
bool RawLane::take_options_off() noexcept {
    try {
        lease_->reset_easy_for_raw_use();
        lease_->set_configured(Lane::ready_for_raw);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void RawLane::leave(CloseReason why) noexcept {
    auto& lane = *lease_;
    if (lane.sockets().all().size() > 1) {
        curl_socket_t active = CURL_SOCKET_BAD;
        curl().easy_getinfo(lane.easy(), CURLINFO_ACTIVESOCKET, &active);
        lane.sockets().reconcile(active == CURL_SOCKET_BAD ? -1 : active);
    }
    long version = 0;
    curl().easy_getinfo(lane.easy(), CURLINFO_HTTP_VERSION, &version);
    lane.set_protocol(version == CURL_HTTP_VERSION_2_0 ? Protocol::http_2 : Protocol::http_1_1);
    if (call_.cookies != nullptr && added_) call_.cookies->store(lane.easy());
    if (added_) curl().multi_remove_handle(lane.multi(), lane.easy());
    lane.set_client(nullptr);
    // From libcurl 8.10 on a connection that is not kept waits for its graceful end: one turn lets it go.
    constexpr unsigned ends_gracefully = 0x080a00;
    int running = 0;
    if (curl_version_number() >= ends_gracefully) curl().multi_perform(lane.multi(), &running);
    if (why == CloseReason::none && lane.socket() < 0) why = CloseReason::connection_close;
    if (!take_options_off()) why = CloseReason::transfer_error;
    const auto cache = lease_.cache();
    cache->release(std::move(lease_), {why, std::nullopt});
}

/// Until when a connection is waited for, and the transfer has to end: by the session's timeout(), or by
/// libcurl's own option, which then ends the transfer by itself.
struct Deadlines {
    Clock::time_point acquire = Clock::time_point::max(), transfer = Clock::time_point::max();

    explicit Deadlines(const Options& options) {
        const auto& raw = options.wire.raw;
        const auto now = Clock::now();
        if (raw && (raw->is_set(CURLOPT_TIMEOUT) || raw->is_set(CURLOPT_TIMEOUT_MS))) {
            const auto limit = raw->time_limit();
            if (limit.count() > 0) acquire = later(now, limit);
        } else if (options.timeout && !options.timeout->is_unlimited()) {
            acquire = transfer = later(now, options.timeout->value());
        }
    }
};

}  // namespace

std::exception_ptr take_raw_exception() noexcept {
    return std::exchange(thrown, nullptr);
}

void run_raw_transfer(const RawCall& call, InfoSnapshot& info) {
    info.clear();
    thrown = nullptr;
    AcquireLimits limits;
    const Deadlines deadlines(*call.options);
    limits.deadline = deadlines.acquire;
    if (call.options->stop) limits.stop = *call.options->stop;
    if (call.options->wire.raw && call.options->wire.raw->is_set(CURLOPT_FRESH_CONNECT)) limits.fresh = true;
    RawLane raw(call.cache->acquire(call.key, limits), call, deadlines.transfer);
    const auto result = raw.run();
    info.take(raw.lane().easy());
    const bool stopped = call.options->stop && call.options->stop->stop_requested();
    const bool shut_down = raw.lane().interrupted();
    ErrorDetails details;
    details.native_code = result;
    details.remote_address = raw.lane().attempted_address();
    raw.leave(raw.verdict(result));
    if (const auto exception = take_raw_exception()) std::rethrow_exception(exception);
    if (result == CURLE_OK) return;
    details.phase = Phase::none;
    const bool by_callback = result == CURLE_ABORTED_BY_CALLBACK || result == CURLE_WRITE_ERROR;
    const auto code = stopped || shut_down || by_callback ? Errc::cancelled : errc_of(result, true);
    throw request_error(code, "perform", call.url, curl().easy_strerror(result), std::move(details));
}

}  // namespace ringlet::detail

namespace ringlet::inline v1::raw {

void keep_exception() noexcept {
    if (!detail::thrown) detail::thrown = std::current_exception();
}

}  // namespace ringlet::inline v1::raw
