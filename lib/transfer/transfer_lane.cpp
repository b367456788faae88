// The half of Transfer that puts a request on a lane and takes it off again.
#include "curl/apply_options.hpp"
#include "curl/raw_options.hpp"
#include "transfer/raw_exception.hpp"
#include "transfer/request_fields.hpp"
#include "transfer/transfer.hpp"
#include "value/text.hpp"

#include <sys/socket.h>

#include <cstdint>
#include <new>
#include <string>
#include <utility>

namespace ringlet::detail {

namespace {

// The id of no options: whoever comes next finds the easy handle to be set up anew.
constexpr std::uint64_t needs_reset = Lane::raw_options - 1;

// Ids of header fields that are not those of any options.
constexpr std::uint64_t of_this_request_only = UINT64_MAX;
constexpr std::uint64_t codings_alone = UINT64_MAX - 1;

}  // namespace

void Transfer::configure() {
    auto& lane = *lease_;
    if (lane.configured() != plan_.options->wire_id) {
        if (lane.configured() != 0) lane.reset_easy();
        const auto& wire = plan_.options->wire;
        if (wire.raw) {
            if (wire.raw->outlive_reset()) lane.taint();
            lane.holdings().options = wire.raw;
        }
        apply_options(lane.easy(), wire);
        // The CURLU counts; without a text beside it libcurl would put one together from that, at a tenth of
        // a request.
        set_option(lane.easy(), CURLOPT_URL, plan_.url->text().c_str(), "url");
        lane.set_configured(plan_.options->wire_id);
    }
    if (plan_.cookies != nullptr) {
        lane.taint();
        if (!std::exchange(lane.holdings().cookie_engine, true)) CookieJar::start(lane.easy());
        plan_.cookies->load(lane.easy());
    }
    set_option(lane.easy(), CURLOPT_CURLU, plan_.url->handle(), "url");
    set_prior_knowledge();
    set_method();
    set_headers();
    if (lease_.reused() && !plan_.options->wire.raw) lane.pace_name_checks(Clock::now());
    const bool progress = static_cast<bool>(plan_.options->progress);
    if (progress != lane.holdings().progress) {
        set_option(lane.easy(), CURLOPT_NOPROGRESS, progress ? 0L : 1L, "progress");
        lane.holdings().progress = progress;
    }
}

/// libcurl before 8.0.0 begins HTTP/2 anew on a kept connection when it is told beforehand that it is spoken
/// there, and fails. On such a connection it is asked for HTTP/2 without that; it must not connect again
/// then.
void Transfer::set_prior_knowledge() {
    constexpr unsigned knows_what_it_speaks = 0x080000;
    const auto wanted = plan_.options->wire.http_version;
    if (wanted != HttpVersion::http_2_prior_knowledge || curl_version_number() >= knows_what_it_speaks)
        return;
    may_connect_ = !(lease_.reused() && lease_->protocol() == Protocol::http_2);
    const long version = may_connect_ ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2_0;
    set_option(lease_->easy(), CURLOPT_HTTP_VERSION, version, "http_version");
}

void Transfer::set_method() {
    auto& lane = *lease_;
    const bool body = plan_.empty_body || (plan_.upload != nullptr && plan_.upload->present());
    auto shape = Lane::Shape::other;
    if (plan_.upgrade)
        shape = Lane::Shape::other;
    else if (!body && plan_.method == "GET")
        shape = Lane::Shape::get;
    else if (!body && plan_.method == "HEAD")
        shape = Lane::Shape::head;
    if (shape == lane.holdings().shape && shape != Lane::Shape::other) return;
    lane.holdings().shape = Lane::Shape::other;  // whatever fails below: the next request sets it anew
    auto* easy = lane.easy();
    if (shape == Lane::Shape::get) set_option(easy, CURLOPT_HTTPGET, 1L, "method");
    if (shape == Lane::Shape::head) set_option(easy, CURLOPT_NOBODY, 1L, "method");
    if (shape == Lane::Shape::other) {
        set_body();
        set_option(easy, CURLOPT_CUSTOMREQUEST, std::string(plan_.method).c_str(), "method");
    }
    lane.holdings().shape = shape;
}

/// The request says that its body has no bytes.
bool Transfer::sends_nothing() const noexcept {
    if (plan_.options->headers.contains("Transfer-Encoding")) return false;  // an end of it is to be sent
    if (plan_.upload == nullptr || !plan_.upload->present()) return plan_.empty_body;
    return plan_.upload->empty();
}

void Transfer::set_body() {
    auto* easy = lease_->easy();
    if (plan_.upgrade) {
        set_option(easy, CURLOPT_UPLOAD, 1L, "body");
        return set_option(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t{-1}, "body");
    }
    // libcurl asks for a challenge with an empty request: as a POST such a request would go out twice.
    if (negotiates() && sends_nothing()) return set_option(easy, CURLOPT_HTTPGET, 1L, "method");
    if (plan_.upload == nullptr || !plan_.upload->present()) {
        if (!plan_.empty_body) return set_option(easy, CURLOPT_HTTPGET, 1L, "method");
        set_option(easy, CURLOPT_POSTFIELDS, "", "body");
        set_option(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t{0}, "body");
        return set_option(easy, CURLOPT_POST, 1L, "body");
    }
    const auto& upload = *plan_.upload;
    if (const auto memory = upload.memory()) {
        set_option(easy, CURLOPT_POST, 1L, "body");
        set_option(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(memory->size()), "body");
        set_option(easy, CURLOPT_POSTFIELDS, memory->empty() ? "" : memory->data(), "body");
    } else if (upload.multipart()) {
        mime_.reset(curl().mime_init(easy));
        if (!mime_) throw std::bad_alloc();
        upload.fill(mime_.get());
        set_option(easy, CURLOPT_MIMEPOST, mime_.get(), "body");
    } else {
        set_option(easy, CURLOPT_UPLOAD, 1L, "body");
        const auto size = upload.size();
        set_option(easy, CURLOPT_INFILESIZE_LARGE, size ? static_cast<curl_off_t>(*size) : curl_off_t{-1},
                   "body");
    }
}

void Transfer::set_headers() {
    auto& held = lease_->holdings();
    const auto& options = *plan_.options;
    std::string content_type;
    if (held.shape == Lane::Shape::other && !options.headers.contains("Content-Type")) {
        const bool present = plan_.upload != nullptr && plan_.upload->present();
        if (present && !plan_.upload->content_type().empty()) {
            content_type = "Content-Type: " + plan_.upload->content_type();
        } else if (plan_.empty_body || (present && plan_.upload->memory())) {
            content_type = "Content-Type:";  // libcurl would call it a form
        }
    }
    // One Cookie field a request (RFC 6265 section 5.4): libcurl puts this behind what the jar has.
    const auto cookies = plan_.cookies != nullptr && !options.wire.raw ? cookie_text(options.headers) : "";
    cookies_joined_ = !cookies.empty();
    if (cookies_joined_) set_option(lease_->easy(), CURLOPT_COOKIE, cookies.c_str(), "header");
    const bool says_length = held.shape == Lane::Shape::other && negotiates() && sends_nothing() &&
                             !options.headers.contains("Content-Length");
    const bool special = cookies_joined_ || !content_type.empty() || plan_.upgrade || says_length;
    const auto codings = offered_codings(options.wire);
    const auto id = options.headers_id == 0 && !codings.empty() ? codings_alone : options.headers_id;
    if (!special && held.headers_id == id) return;
    auto list = header_list(options.headers, codings, cookies_joined_);
    if (!content_type.empty()) append(list, content_type.c_str());
    if (says_length) append(list, "Content-Length: 0");
    if (plan_.upgrade) {  // libcurl would announce the open upload as a body
        append(list, "Transfer-Encoding:");
        append(list, "Expect:");
    }
    set_option(lease_->easy(), CURLOPT_HTTPHEADER, list.get(), "header");
    held.headers = std::move(list);
    held.headers_id = special ? of_this_request_only : id;
}

/// What was set for this request alone, and points at what dies with it.
void Transfer::unset_request() noexcept {
    if (listening_) lease_->listen(false);
    auto& held = lease_->holdings();
    auto* easy = lease_->easy();
    const bool forgotten = !std::exchange(cookies_joined_, false) ||
                           curl().easy_setopt(easy, CURLOPT_COOKIE, nullptr) == CURLE_OK;
    if (!forgotten) lease_->set_configured(needs_reset);
    if (held.shape == Lane::Shape::other) {
        bool clean = true;
        const auto unset = [&](CURLoption option, auto value) {
            clean = curl().easy_setopt(easy, option, value) == CURLE_OK && clean;
        };
        if (mime_) unset(CURLOPT_MIMEPOST, static_cast<curl_mime*>(nullptr));
        mime_.reset();
        unset(CURLOPT_POSTFIELDS, static_cast<char*>(nullptr));
        unset(CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t{-1});
        unset(CURLOPT_CUSTOMREQUEST, static_cast<char*>(nullptr));
        unset(CURLOPT_HTTPGET, 1L);
        held.shape = Lane::Shape::get;
        if (!clean) lease_->set_configured(needs_reset);  // the next request starts from a reset
    }
}

/// Whether the exchange left its connection fit for another (behaviour.md, section 4).
CloseReason Transfer::verdict() const noexcept {
    if (!done_ || result_ != CURLE_OK || failure_ != Failure::none) return CloseReason::transfer_error;
    if (head_.status() == 101) return CloseReason::upgraded;
    if (surplus_) return CloseReason::unsolicited_data;
    if (head_.says_close() || ends_connection(*plan_.options)) return CloseReason::connection_close;
    if (!sent()) return CloseReason::transfer_error;
    if (lease_->protocol() == Protocol::http_2) return CloseReason::none;
    if (head_.protocol() == Protocol::http_1_0 && !head_.says_keep_alive()) return CloseReason::http_1_0;
    const bool body_possible = plan_.method != "HEAD" && !head_.bodiless_status();
    const bool framed = head_.chunked() || head_.content_length();
    // Both at once is what request smuggling is made of (RFC 9112 section 6.3): read as chunked, then closed.
    const bool doubtful = head_.chunked() && (head_.length_seen() || head_.protocol() == Protocol::http_1_0);
    if (body_possible && (!framed || doubtful)) return CloseReason::connection_close;
    return CloseReason::none;
}

/// The server answered the request to upgrade otherwise: the open upload is what is left of the exchange.
void Transfer::end_upload_if_refused() noexcept {
    if (upload_ended_ || done_ || head_.status() < 200) return;
    upload_ended_ = true;
    curl().easy_pause(lease_->easy(), paused_ ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

Lease Transfer::hand_over(BodyBuffer& early) noexcept {
    if (paused_ && !done_) {
        resuming_ = true;
        curl().easy_pause(lease_->easy(), CURLPAUSE_SEND);
        resuming_ = false;
    }
    std::swap(early, buffer_);
    plan_ = {};
    mime_.reset();
    added_ = paused_ = false;
    lease_->set_client(nullptr);
    lease_.keep_cache();
    return std::move(lease_);
}

void Transfer::leave_lane(bool close) noexcept {
    auto& lane = *lease_;
    // From libcurl 8.10 on a connection that it does not keep waits for a graceful end, with its descriptor,
    // until the multi handle is driven again.
    const bool graceful = curl_version_number() >= 0x080a00;
    curl_socket_t active = CURL_SOCKET_BAD;
    const bool several = lane.sockets().all().size() > 1;
    if (several) curl().easy_getinfo(lane.easy(), CURLINFO_ACTIVESOCKET, &active);
    if (several && !graceful) lane.sockets().reconcile(active == CURL_SOCKET_BAD ? -1 : active);
    if (close) curl().easy_setopt(lane.easy(), CURLOPT_FORBID_REUSE, 1L);
    curl().multi_remove_handle(lane.multi(), lane.easy());
    if (close) curl().easy_setopt(lane.easy(), CURLOPT_FORBID_REUSE, 0L);
    added_ = false;
    if (!graceful || (close && !several)) return;
    int running = 0;
    curl().multi_perform(lane.multi(), &running);
    if (lane.sockets().all().size() <= 1) return;
    // It has said goodbye, and would wait for the peer's as long as nobody drives it.
    for (const auto& [fd, id] : lane.sockets().all()) {
        if (active != CURL_SOCKET_BAD && fd != active) ::shutdown(fd, SHUT_RDWR);
    }
    curl().multi_perform(lane.multi(), &running);
    lane.sockets().reconcile(active == CURL_SOCKET_BAD ? -1 : active);
}

/// In a forked child: the cache keeps what is the parent's, and nothing of libcurl's is called for it.
CloseReason Transfer::abandon() noexcept {
    added_ = false;
    lease_->set_client(nullptr);
    (void)mime_.release();  // the easy handle refers to it
    plan_.options = nullptr;
    const auto cache = lease_.cache();
    return cache->release(std::move(lease_), {.close = CloseReason::forked});
}

void Transfer::store_cookies() noexcept {
    if (plan_.cookies == nullptr || !added_) return;
    try {
        plan_.cookies->store(lease_->easy());
    } catch (...) {
        // Out of memory: the jar stays as it was.
    }
}

namespace {

/// From libcurl 8.16 on it remembers, for half the DNS time to live, that a name could not be resolved;
/// whoever asks again is to be told what is true then. An entry of CURLOPT_RESOLVE that begins with "-" takes
/// it away, before libcurl finds that the URL is none.
void forget_name(Lane& lane, const Url& url) noexcept {
    constexpr unsigned remembers = 0x081000;
    if (curl_version_number() < remembers) return;
    try {
        SlistPtr names;
        append(names, ('-' + url.host() + ':' + std::to_string(url.port())).c_str());
        auto* const easy = lane.easy();
        lane.set_configured(needs_reset);
        set_option(easy, CURLOPT_CURLU, static_cast<CURLU*>(nullptr), "url");
        set_option(easy, CURLOPT_URL, "x:", "url");
        set_option(easy, CURLOPT_RESOLVE, names.get(), "resolve");
        if (curl().multi_add_handle(lane.multi(), easy) == CURLM_OK) {
            int running = 0;
            curl().multi_perform(lane.multi(), &running);
            curl().multi_remove_handle(lane.multi(), easy);
        }
        lane.reset_easy();
    } catch (...) {
        // Then the name is asked for again when libcurl has forgotten.
    }
}

}  // namespace

CloseReason Transfer::end(CloseReason why) noexcept {
    if (!active()) return CloseReason::none;
    const auto keep_stream_reset =
        why == CloseReason::none && !done_;  // HTTP/2 only: see reset_keeps_connection()
    if (forked()) return abandon();
    auto reason = why;
    if (why == CloseReason::none && !keep_stream_reset) reason = verdict();
    if (keep_stream_reset && ends_connection(*plan_.options)) reason = CloseReason::connection_close;
    store_cookies();
    if (added_) leave_lane(reason != CloseReason::none);
    lease_->set_client(nullptr);
    if (reason == CloseReason::none) note_tally();
    if (result_ == CURLE_COULDNT_RESOLVE_HOST) forget_name(*lease_, *plan_.url);
    if (reason == CloseReason::none && lease_->socket() < 0) {
        // Bytes after an answer to HEAD: libcurl 7.88 says so, 8 just closes.
        reason = plan_.method == "HEAD" ? CloseReason::unsolicited_data : CloseReason::connection_close;
    }
    unset_request();
    // libcurl counts replays on the handle, not for each transfer, and gives up at the sixth: only a reset
    // forgets.
    constexpr std::uint64_t to_be_reset = UINT64_MAX;
    if (replays_ != 0) lease_->set_configured(to_be_reset);
    if (plan_.options->wire.raw) (void)take_raw_exception();  // by what was called only to close
    plan_.options = nullptr;
    Verdict verdict{reason, head_.keep_alive_timeout()};
    return lease_.cache()->release(std::move(lease_), verdict, &claim_);
}

}  // namespace ringlet::detail
