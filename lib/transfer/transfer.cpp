#include "transfer/transfer.hpp"

#include "base/callback_scope.hpp"
#include "curl/apply_options.hpp"
#include "transfer/raw_exception.hpp"
#include "value/text.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <new>
#include <utility>

namespace ringlet::detail {
namespace {

// Up to that much of a reset HTTP/2 stream may still be on its way before the next answer (before
// libcurl 8.15 the reset leaves only with the next request).
constexpr std::uint64_t reset_tolerance = 64 * 1024;

/// TCP is connected. libcurl's own CONNECT_TIME is told only after the TLS handshake (7.88).
bool has_peer(int fd) noexcept {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    return fd >= 0 && ::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
}

/// Marks that libcurl's frames are on the stack: what a callback's own callback asks for must wait, and what
/// waits for a callback to return must refuse.
class Inside {
  public:
    explicit Inside(bool& flag) noexcept : flag_(flag) { flag_ = true; }
    ~Inside() { flag_ = false; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

  private:
    bool& flag_;
    CallbackScope scope_;
};

}  // namespace

Transfer::~Transfer() {
    if (active()) end(CloseReason::transfer_error);
}

void Transfer::start(Lease lease, const TransferPlan& plan) {
    lease_ = std::move(lease);
    plan_ = plan;
    head_.clear();
    buffer_.clear();
    exception_ = nullptr;
    body_bytes_ = 0;
    result_ = CURLE_OK;
    failure_ = Failure::none;
    listening_ = following_ = surplus_ = false;
    sends_ = replays_reported_ = 0;
    replays_ = plan.replayed ? 1 : 0;
    added_ = done_ = discard_ = paused_ = resuming_ = answered_ = connecting_ = dialled_ = connect_pending_ =
        established_ = upload_ended_ = replaced_ = sent_before_rewind_ = false;
    aim_ = nullptr;
    sink_ = {};
    spinning_since_ = {};
    time_away_ = {};
    may_connect_ = true;
    reached_cache_ = lease_.reused() || lease_->offered();
    listen_to_socket();
    configure();
    lease_->set_client(this);
    const auto code = curl().multi_add_handle(lease_->multi(), lease_->easy());
    if (code != CURLM_OK) {
        end(CloseReason::transfer_error);
        if (code == CURLM_OUT_OF_MEMORY) throw std::bad_alloc();
        throw Error(Errc::connection_lost,
                    "libcurl does not take the request (CURLM code " + std::to_string(code) + ")");
    }
    added_ = true;
}

void Transfer::step() {
    if (forked()) {
        done_ = true;
        result_ = CURLE_RECV_ERROR;
        failure_ = Failure::forked;
        return;
    }
    int running = 0;
    const auto code = [&] {
        const Inside inside(inside_);
        return curl().multi_perform(lease_->multi(), &running);
    }();
    if (code != CURLM_OK && !done_) {
        done_ = true;
        result_ = code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_RECV_ERROR;
    }
    if (plan_.upgrade) end_upload_if_refused();
    if (running == 0) collect_result();
    if (!done_ && answered_early()) done_ = true;
    report_connections();
}

/// The answer is whole, and the request is not: libcurl 8.23 goes on sending what nobody may be reading. Not
/// in HTTP/2, where the server says so by a reset.
bool Transfer::answered_early() const noexcept {
    constexpr unsigned stops_by_itself_before = 0x080f00;  // measured: 7.88 and 8.14 do, 8.23 does not
    if (curl_version_number() < stops_by_itself_before) return false;
    if (!head_.complete() || head_.status() < 200 || head_.encoded() || plan_.upgrade) return false;
    if (plan_.upload == nullptr || !plan_.upload->present() || head_.protocol() == Protocol::http_2)
        return false;
    return head_.content_length() && body_bytes_ >= *head_.content_length() && !sent();
}

void Transfer::collect_result() {
    int left = 0;
    while (const CURLMsg* message = curl().multi_info_read(lease_->multi(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        done_ = true;
        result_ = message->data.result;
        // An answer that libcurl might have replied to by itself (401, 407, 417) is the final one after all.
        if (result_ == CURLE_OK && head_.ended()) head_.set_complete();
        // libcurl is content with a head that the end of the connection has cut (RFC 9112 section 8:
        // incomplete).
        if (result_ == CURLE_OK && !head_.ended()) failure_ = Failure::head_cut;
        if (result_ == CURLE_OK && gzip_cut()) {
            failure_ = Failure::gzip_cut;
            result_ = CURLE_BAD_CONTENT_ENCODING;
        }
        note_raw_exception();
    }
    if (!done_ && added_) {  // nothing runs and nothing is said: cannot happen while the handle is in
        done_ = true;
        result_ = CURLE_RECV_ERROR;
    }
}

/// What a setopt() callback threw ends the transfer, whatever libcurl makes of that callback's refusal.
void Transfer::note_raw_exception() noexcept {
    if (!plan_.options->wire.raw) return;
    const auto thrown = take_raw_exception();
    if (!thrown) return;
    if (!exception_) exception_ = thrown;
    if (result_ == CURLE_OK) result_ = CURLE_ABORTED_BY_CALLBACK;
}

bool Transfer::wait(std::chrono::milliseconds at_most) {
    int ready = 0;
    curl().multi_poll(lease_->multi(), nullptr, 0, static_cast<int>(at_most.count()), &ready);
    return ready > 0;
}

bool Transfer::needs_nudging() const noexcept {
    const auto protocol = lease_->protocol();
    if (protocol != Protocol::unknown) return protocol == Protocol::http_2;
    return plan_.url->https() || plan_.options->wire.http_version == HttpVersion::http_2_prior_knowledge;
}

void Transfer::wake() noexcept {
    curl().multi_wakeup(lease_->multi());
}

/// Tells the cache what happened inside libcurl, now that its frames are left (an observer is the user's
/// code).
void Transfer::report_connections() noexcept {
    for (; replays_reported_ < replays_; ++replays_reported_) lease_.cache()->count_replay(lease_);
    if (!connect_pending_) return;
    connect_pending_ = false;
    if (reached_cache_) {
        lease_.cache()->reconnected(lease_, CloseReason::peer_closed);
        replaced_ = true;
    } else {
        lease_.cache()->connected(lease_);
    }
    reached_cache_ = true;
}

Phase Transfer::phase() const noexcept {
    if (head_.complete()) return discard_ ? Phase::drain : Phase::body;
    if (head_.started()) return Phase::head;
    if (sends_ != 0 && !connecting_) return sent() ? Phase::head : Phase::send;
    if (!lease_) return Phase::acquire;
    if (!connecting_) return Phase::resolve;
    if (!plan_.url->https() || !(established_ || has_peer(lease_->socket()))) return Phase::connect;
    const auto& proxy = plan_.options->wire.proxy;
    long tunnel = 0;
    if (proxy && !proxy->empty()) curl().easy_getinfo(lease_->easy(), CURLINFO_HTTP_CONNECTCODE, &tunnel);
    return proxy && !proxy->empty() && tunnel == 0 ? Phase::connect : Phase::tls;
}

bool Transfer::proxy_refused() const noexcept {
    if (sends_ != 0 || result_ == CURLE_OK || !plan_.url->https()) return false;
    long answer = 0;
    curl().easy_getinfo(lease_->easy(), CURLINFO_HTTP_CONNECTCODE, &answer);
    const bool named = plan_.options->wire.proxy && !plan_.options->wire.proxy->empty();
    const bool lost =
        result_ == CURLE_RECV_ERROR || result_ == CURLE_GOT_NOTHING || result_ == CURLE_SEND_ERROR;
    return answer >= 300 || (named && lost) || (named && answer != 0 && answer / 100 != 2);
}

bool Transfer::lost_unanswered() const noexcept {
    if (!done_ || !lease_.reused() || lease_->protocol() != Protocol::http_2) return false;
    if (head_.started() || replays_ != 0 || exception()) return false;
    // libcurl saw it first, and may not connect by itself: see set_prior_knowledge().
    if (failure_ == Failure::replay_refused) return sends_ == 0 && !may_connect_;
    if (result_ == CURLE_HTTP2) return failure_ == Failure::none;  // libcurl 8.23: "Broken pipe"
    return failure_ == Failure::none && (result_ == CURLE_PARTIAL_FILE || result_ == CURLE_RECV_ERROR ||
                                         result_ == CURLE_SEND_ERROR || result_ == CURLE_GOT_NOTHING);
}

bool Transfer::sent() const noexcept {
    if (sends_ == 0 || connecting_) return false;
    const auto* upload = plan_.upload;
    if (upload == nullptr || !upload->present() || sent_before_rewind_) return true;
    curl_off_t uploaded = 0;
    curl().easy_getinfo(lease_->easy(), CURLINFO_SIZE_UPLOAD_T, &uploaded);
    const auto out = static_cast<std::uint64_t>(uploaded);
    if (const auto memory = upload->memory()) return out >= memory->size() || sends_no_body_yet();
    if (!upload->multipart()) return (upload->finished() && out >= upload->taken()) || sends_no_body_yet();
    curl_off_t announced = -1;  // libcurl adds the parts up; -1: one of them has no known size
    curl().easy_getinfo(lease_->easy(), CURLINFO_CONTENT_LENGTH_UPLOAD_T, &announced);
    return announced >= 0 && uploaded >= announced;
}

/// libcurl asks for a challenge before it sends a body with digest credentials.
bool Transfer::sends_no_body_yet() const noexcept {
    curl_off_t announced = -1;
    curl().easy_getinfo(lease_->easy(), CURLINFO_CONTENT_LENGTH_UPLOAD_T, &announced);
    return announced == 0;
}

std::exception_ptr Transfer::exception() const noexcept {
    if (exception_) return exception_;
    return plan_.upload != nullptr ? plan_.upload->error() : nullptr;
}

void Transfer::aim(char* to, std::size_t size) noexcept {
    aim_ = to;
    aim_size_ = size;
    aim_used_ = 0;
    expect_much();
}

void Transfer::pour_into(Sink sink) noexcept {
    sink_ = sink;
    if (sink_) expect_much();
}

void Transfer::discard_until(std::uint64_t most) noexcept {
    discard_ = true;
    discard_until_ = most;
}

void Transfer::expect_much() noexcept {
    constexpr std::uint64_t much = 256 * 1024;
    const auto size = head_.content_length();
    if (size && *size > body_bytes_ && *size - body_bytes_ >= much) lease_->receive_much();
}

std::size_t Transfer::aimed() noexcept {
    aim_ = nullptr;
    return aim_used_;
}

void Transfer::resume_if_paused() {
    if (!paused_ || done_ || forked() || (buffer_.size() > pause_above() / 2 && !discard_ && !sink_)) return;
    paused_ = false;
    // What libcurl held back comes within the call, and must be taken whole: pausing again copies all of it
    // each time.
    resuming_ = true;
    const auto code = [&] {
        const Inside inside(inside_);
        return curl().easy_pause(lease_->easy(), CURLPAUSE_CONT);
    }();
    resuming_ = false;
    if (code != CURLE_OK && !done_) {
        done_ = true;
        result_ = code;
        note_raw_exception();
    }
}

std::size_t Transfer::on_read(char* buffer, std::size_t size) noexcept {
    if (failure_ == Failure::given_up) return CURL_READFUNC_ABORT;
    if (plan_.upgrade) return upload_ended_ ? 0 : CURL_READFUNC_PAUSE;
    if (plan_.upload == nullptr) return 0;
    const Away away(*this);
    return plan_.upload->read(buffer, size);
}

int Transfer::on_seek(curl_off_t offset, int origin) noexcept {
    if (plan_.upgrade) return CURL_SEEKFUNC_OK;  // nothing was sent
    if (offset != 0 || origin != SEEK_SET || plan_.upload == nullptr) return CURL_SEEKFUNC_FAIL;
    if (replay_refused()) {
        failure_ = Failure::replay_refused;
        return CURL_SEEKFUNC_FAIL;
    }
    return plan_.upload->rewind() ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

void Transfer::on_close_socket(int fd) noexcept {
    ear_.closing(fd);
    if (connecting_) established_ = has_peer(fd);
}

int Transfer::on_progress(curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                          curl_off_t ulnow) noexcept {
    if (failure_ == Failure::given_up) return 1;
    if (!plan_.options->progress) return 0;
    constexpr auto interval = std::chrono::milliseconds(50);
    const auto now = Clock::now();
    if (now - progress_at_ < interval) return 0;
    progress_at_ = now;
    const auto figure = [](curl_off_t n) { return n > 0 ? static_cast<std::uint64_t>(n) : 0; };
    const Away away(*this);
    try {
        plan_.options->progress({figure(dlnow), figure(dltotal), figure(ulnow), figure(ultotal)});
        return 0;
    } catch (...) {
        exception_ = std::current_exception();
        return 1;
    }
}

bool Transfer::reset_keeps_connection(std::uint64_t known_left) const noexcept {
    if (lease_->protocol() != Protocol::http_2) return false;
    constexpr unsigned reset_leaves_at_once = 0x080f00;  // libcurl 8.15.0
    return curl_version_number() >= reset_leaves_at_once || known_left <= reset_tolerance;
}

}  // namespace ringlet::detail
