// The half of Transfer that takes an answer: its head line by line, its body as it comes.
#include "curl/raw_options.hpp"
#include "transfer/transfer.hpp"
#include "value/text.hpp"

#include <algorithm>
#include <cstring>

namespace ringlet::detail {
namespace {

constexpr std::size_t most_held = 256 * 1024;  // for a reader who is not there

}  // namespace

std::size_t Transfer::fail(Failure failure) noexcept {
    failure_ = failure;
    return 0;
}

std::size_t Transfer::on_header(const char* data, std::size_t size) noexcept {
    try {
        answered_ = true;
        const std::string_view line(data, size);
        if (head_.complete()) {
            const bool fits = line.starts_with("HTTP/") || head_.add_trailer(line);
            return fits ? size : fail(Failure::head_too_large);
        }
        switch (head_.add(line)) {
            case Head::Line::too_large:
                return fail(Failure::head_too_large);
            case Head::Line::malformed:
                return fail(Failure::bad_field);
            case Head::Line::end: {
                check_protocol();
                listen_for_surplus();
                follow_gzip();
                if (head_.length_invalid()) failure_ = Failure::bad_length;
                // With credentials libcurl may answer a 401 by itself: the body or the end decides.
                if (!undecided()) head_.set_complete();
                break;
            }
            case Head::Line::interim_end:
            case Head::Line::more:
                break;
        }
        return failure_ == Failure::none ? size : 0;
    } catch (...) {
        exception_ = std::current_exception();
        return 0;
    }
}

/// Whether libcurl may answer by itself, with credentials, without Expect, or in HTTP/2: the body or the end
/// of the transfer decides.
bool Transfer::undecided() const {
    const auto& wire = plan_.options->wire;
    switch (head_.status()) {
        case 101: {
            const auto upgrade = head_.field("Upgrade");
            return wire.http_version == HttpVersion::http_2 && upgrade && list_contains(*upgrade, "h2c");
        }
        case 401:
            return wire.raw != nullptr || (wire.credentials && wire.credentials->digest);
        case 407:
        case 417:
            return true;
        default:
            return head_.status() < 300 && asked_for_a_challenge();
    }
}

/// What was answered may be libcurl's request for a challenge, which goes out without the body. Where there
/// is none, the request itself follows.
bool Transfer::asked_for_a_challenge() const noexcept {
    const bool may_ask = negotiates() || plan_.options->wire.raw;
    if (!may_ask || plan_.upload == nullptr || !plan_.upload->present() || plan_.upload->empty())
        return false;
    curl_off_t uploaded = 0;
    curl().easy_getinfo(lease_->easy(), CURLINFO_SIZE_UPLOAD_T, &uploaded);
    return uploaded == 0;
}

/// Credentials that wait for a challenge.
bool Transfer::negotiates() const noexcept {
    const auto& wire = plan_.options->wire;
    return (wire.credentials && wire.credentials->digest) || (wire.raw && wire.raw->is_set(CURLOPT_HTTPAUTH));
}

/// "HTTP/2" in a plain status line does not make it HTTP/2: such a connection would be kept by rules that do
/// not fit.
void Transfer::check_protocol() {
    auto protocol = head_.protocol();
    if (protocol == Protocol::http_2) {
        long negotiated = 0;
        curl().easy_getinfo(lease_->easy(), CURLINFO_HTTP_VERSION, &negotiated);
        const auto wanted = plan_.options->wire.http_version.value_or(HttpVersion::automatic);
        const bool possible = plan_.url->https() || wanted == HttpVersion::http_2 ||
                              wanted == HttpVersion::http_2_prior_knowledge;
        if (negotiated != CURL_HTTP_VERSION_2_0 || !possible) failure_ = Failure::not_http2;
    }
    lease_->set_protocol(protocol);
}

/// Bytes after a message without a body, or after a last chunk, libcurl throws away and keeps the connection
/// (7.88: a note in its trace is all that tells). Bytes after a counted body close it.
void Transfer::listen_for_surplus() noexcept {
    const bool empty =
        plan_.method == "HEAD" || head_.bodiless_status() || head_.content_length() == std::uint64_t{0};
    if (head_.protocol() == Protocol::http_2 || head_.status() == 101 || !(empty || head_.chunked())) return;
    const auto& raw = plan_.options->wire.raw;
    if (raw && raw->traces()) return;  // the caller's own
    listening_ = lease_->listen(true);
    surplus_ = !listening_;  // nobody would tell: the safe side
}

/// A gzip body that libcurl decodes is followed to its end.
void Transfer::follow_gzip() noexcept {
    following_ = false;  // the answer before, which asked for authentication, may have been
    const auto& wire = plan_.options->wire;
    const bool decoded = !wire.raw && (!wire.accept_encoding || *wire.accept_encoding);
    if (!decoded || !head_.gzip() || plan_.method == "HEAD" || head_.bodiless_status()) return;
    gzip_.start(head_.chunked() && head_.protocol() != Protocol::http_2);
    following_ = listening_ || lease_->listen(true);
    listening_ = following_;
}

void Transfer::on_wire(std::string_view bytes) noexcept {
    if (following_) gzip_.add(bytes);
}

/// Of an answer that libcurl calls whole. Where it counted other bytes than went by here, it has the last
/// word.
bool Transfer::gzip_cut() const noexcept {
    if (!following_) return false;
    curl_off_t travelled = 0;
    curl().easy_getinfo(lease_->easy(), CURLINFO_SIZE_DOWNLOAD_T, &travelled);
    return gzip_.size() == static_cast<std::uint64_t>(travelled) && gzip_.cut(body_bytes_);
}

void Transfer::on_text(std::string_view text) noexcept {
    surplus_ = surplus_ || text.starts_with("Excess found") || text.starts_with("Leftovers after chunking");
}

std::size_t Transfer::on_body(const char* data, std::size_t size) noexcept {
    try {
        head_.set_complete();
        if (failure_ != Failure::none || exception_) return 0;
        if (discard_) {
            body_bytes_ += size;
            return body_bytes_ <= discard_until_ ? size : 0;
        }
        if (!sink_ && !resuming_ && buffer_.size() >= (paused_ ? most_held : pause_above())) {
            paused_ = true;
            return CURL_WRITEFUNC_PAUSE;
        }
        const auto taken = deliver(data, size);
        if (taken == size) pause_where_full();
        return taken;
    } catch (...) {
        exception_ = std::current_exception();
        return 0;
    }
}

/// libcurl copies nothing for a pause here, and tells nobody. Of a coded body it copies what it has decoded,
/// and HTTP/2 tells the peer.
bool Transfer::pauses_cheaply() const noexcept {
    return !head_.encoded() && head_.protocol() != Protocol::http_2;
}

/// What waits here for its reader is copied once more than what goes straight to him: little of it, where a
/// pause is cheap.
std::size_t Transfer::pause_above() const noexcept {
    constexpr std::size_t cheap = 16 * 1024;
    return pauses_cheaply() ? cheap : most_held;
}

/// Nobody could take all that another receive may bring.
bool Transfer::is_full() const noexcept {
    if (aim_ == nullptr || !buffer_.empty()) return buffer_.size() >= pause_above();
    const auto room = aim_size_ - aim_used_;
    const auto size = head_.content_length();
    if (!size || head_.chunked()) return room < pause_above();
    return room < lease_->receive_size() && room < *size - std::min(*size, body_bytes_);
}

/// In the midst of a callback, so that libcurl need not keep what this one was for; it may still hand out the
/// rest of what it has received.
void Transfer::pause_where_full() noexcept {
    if (sink_ || resuming_ || paused_ || plan_.upgrade || !pauses_cheaply() || !is_full()) return;
    paused_ = curl().easy_pause(lease_->easy(), CURLPAUSE_RECV) == CURLE_OK;
}

std::size_t Transfer::deliver(const char* data, std::size_t size) {
    const auto allowed = plan_.max_body - body_bytes_;
    const bool too_large = size > allowed;
    auto left = too_large ? static_cast<std::size_t>(allowed) : size;
    body_bytes_ += left;
    if (sink_) {
        const Away away(*this);
        sink_.put(sink_.to, data, left);
        return too_large ? fail(Failure::body_too_large) : size;
    }
    if (aim_ != nullptr && buffer_.empty()) {
        const auto n = std::min(left, aim_size_ - aim_used_);
        std::memcpy(aim_ + aim_used_, data, n);
        aim_used_ += n;
        data += n;
        left -= n;
    }
    if (left != 0) buffer_.append(data, left);
    return too_large ? fail(Failure::body_too_large) : size;
}

}  // namespace ringlet::detail
