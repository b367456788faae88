#include "support/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <stdexcept>

#include "support/origin_context.hpp"
#include "support/posix.hpp"

namespace ringlet::test {

namespace {

constexpr std::size_t longest_head = 1 << 20;

std::size_t parse_size(std::string_view text, int base) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, base);
    return value;
}

bool says(const Recorded& request, std::string_view name, std::string_view value) {
    auto found = request.header(name);
    return found && equal_ignoring_case(*found, value);
}

}  // namespace

Connection::Connection(std::shared_ptr<OriginContext> origin, int fd, std::size_t index,
                       std::uint16_t peer_port)
    : origin_(std::move(origin)), index_(index), peer_port_(peer_port), fd_(fd) {}

Connection::~Connection() {
    std::lock_guard lock(io_mutex_);
    close_fd_locked();
}

// --- One step on the socket ---

Connection::Progress Connection::receive_locked(char* to, std::size_t size) {
    if (fd_ < 0) return {};
    if (ssl_) {
        ERR_clear_error();
        errno = 0;
        return tls_progress_locked(
            SSL_read(ssl_, to, static_cast<int>(std::min<std::size_t>(size, 1 << 30))));
    }
    for (;;) {
        ssize_t n = ::recv(fd_, to, size, MSG_DONTWAIT);
        if (n > 0) return {Step::done, static_cast<std::size_t>(n)};
        if (n == 0) {
            watch_locked();
            return {};
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return {Step::wants_read};
        note_errno_locked(errno);
        return {};
    }
}

Connection::Progress Connection::send_locked(std::string_view bytes) {
    if (fd_ < 0) return {};
    if (!ssl_) return send_raw_locked(bytes);
    ERR_clear_error();
    errno = 0;
    return tls_progress_locked(
        SSL_write(ssl_, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 30))));
}

Connection::Progress Connection::send_raw_locked(std::string_view bytes) {
    if (fd_ < 0) return {};
    for (;;) {
        ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) return {Step::done, static_cast<std::size_t>(n)};
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return {Step::wants_write};
        note_errno_locked(errno);
        return {};
    }
}

Connection::Progress Connection::tls_progress_locked(int result) {
    int error = errno;
    switch (SSL_get_error(ssl_, result)) {
        case SSL_ERROR_NONE:
            return {Step::done, static_cast<std::size_t>(result)};
        case SSL_ERROR_WANT_READ:
            return {Step::wants_read};
        case SSL_ERROR_WANT_WRITE:
            return {Step::wants_write};
        case SSL_ERROR_ZERO_RETURN:
            if (!tls_over_) origin_->tally.update([](Snapshot& now) { ++now.close_notifies; });
            break;
        case SSL_ERROR_SYSCALL:
            note_errno_locked(error);
            break;
        default:
            watch_locked();
    }
    tls_over_ = true;
    return {};
}

// --- What became of the peer ---

void Connection::note_end_locked(PeerEnd end) {
    if (end_ != PeerEnd::none) return;
    end_ = end;
    origin_->tally.update([this, end](Snapshot& now) {
        --now.open;
        now.ended.push_back({index_, end, Clock::now()});
        if (end == PeerEnd::fin) ++now.fins;
        if (end == PeerEnd::rst) ++now.resets;
        if (end == PeerEnd::closed_by_us) ++now.closed_by_us;
    });
}

void Connection::note_errno_locked(int error) {
    if (error == 0) return watch_locked();
    // EPIPE is a RST that followed a FIN, or the closed peer of a Unix socket.
    note_end_locked(error == EPIPE ? PeerEnd::fin : PeerEnd::rst);
}

void Connection::watch_locked() {
    if (fd_ < 0 || end_ != PeerEnd::none) return;
    pollfd state{fd_, POLLRDHUP, 0};
    if (::poll(&state, 1, 0) <= 0) return;
    if (state.revents & POLLERR) return note_end_locked(PeerEnd::rst);
    if (!(state.revents & (POLLRDHUP | POLLHUP))) return;
    if (read_shut_down_ && !fin_behind_shut_down_read_locked()) return;
    note_end_locked(PeerEnd::fin);
}

// After our own SHUT_RD the socket always looks half closed: only the state of TCP tells.
bool Connection::fin_behind_shut_down_read_locked() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
    return info.tcpi_state != TCP_ESTABLISHED && info.tcpi_state != TCP_FIN_WAIT1 &&
           info.tcpi_state != TCP_FIN_WAIT2;
}

bool Connection::on_hangup() {
    std::lock_guard lock(io_mutex_);
    watch_locked();
    if (script_over_ && end_ != PeerEnd::none) close_fd_locked();
    return script_over_ && fd_ < 0;
}

bool Connection::on_script_end() {
    std::lock_guard lock(io_mutex_);
    script_over_ = true;
    watch_locked();
    if (end_ != PeerEnd::none) close_fd_locked();
    return fd_ < 0;
}

bool Connection::kill(bool with_reset) {
    std::lock_guard lock(io_mutex_);
    if (fd_ < 0) return script_over_;
    note_end_locked(PeerEnd::closed_by_us);
    // Not ::close(): the script's thread may be waiting on this descriptor. Dissolving the association sends
    // a RST.
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    if (!with_reset || ::connect(fd_, &nowhere, sizeof nowhere) != 0) ::shutdown(fd_, SHUT_RDWR);
    if (script_over_) close_fd_locked();
    return script_over_;
}

void Connection::close_fd_locked() {
    if (fd_ < 0) return;
    // Counted first: a client that sees the FIN and connects again must not meet the old count.
    note_end_locked(PeerEnd::closed_by_us);
    SSL_free(std::exchange(ssl_, nullptr));
    ::close(std::exchange(fd_, -1));
    origin_->tally.update([](Snapshot& now) { --now.held; });
}

void Connection::close_notify_locked() {
    if (!ssl_ || !SSL_is_init_finished(ssl_)) return;
    ERR_clear_error();
    SSL_shutdown(ssl_);
}

// --- Ends ---

void Connection::shutdown_write(CloseNotify notify) {
    std::lock_guard lock(io_mutex_);
    if (fd_ < 0) return;
    if (notify == CloseNotify::send) close_notify_locked();
    ::shutdown(fd_, SHUT_WR);
}

void Connection::shutdown_read() {
    std::lock_guard lock(io_mutex_);
    if (fd_ < 0) return;
    watch_locked();
    read_shut_down_ = true;
    ::shutdown(fd_, SHUT_RD);
}

void Connection::close(CloseNotify notify) {
    std::lock_guard lock(io_mutex_);
    if (notify == CloseNotify::send) close_notify_locked();
    close_fd_locked();
}

void Connection::reset() {
    std::lock_guard lock(io_mutex_);
    linger at_once{1, 0};
    if (fd_ >= 0) ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_fd_locked();
}

// TLS records that carry no data (alerts, key updates) are taken off the socket on the way.
bool Connection::data_waits_locked() {
    char byte;
    if (!ssl_) {
        auto got = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        // The peek takes away a RST that came after the last watch: it would look like a FIN from now on.
        if (got < 0 && errno != EAGAIN) note_errno_locked(errno);
        return got > 0;
    }
    auto got = receive_locked(&byte, 1);
    if (got.step == Step::done) buffered_ += byte;
    return got.step == Step::done;
}

std::optional<PeerEvent> Connection::event_locked() {
    if (taken_ < buffered_.size()) return PeerEvent::data;
    if (fd_ >= 0) {
        // The end first: peeking would take its error away.
        watch_locked();
        if (data_waits_locked()) return PeerEvent::data;
        watch_locked();
    }
    switch (end_) {
        case PeerEnd::fin:
            return PeerEvent::fin;
        case PeerEnd::rst:
            return PeerEvent::rst;
        case PeerEnd::closed_by_us:
            return PeerEvent::timeout;
        case PeerEnd::none:
            break;
    }
    return std::nullopt;
}

PeerEvent Connection::wait_for_fin(Clock::duration timeout) {
    auto deadline = deadline_after(timeout);
    for (;;) {
        pollfd wanted{-1, POLLRDHUP, 0};
        {
            std::lock_guard lock(io_mutex_);
            if (auto event = event_locked()) return *event;
            if (read_shut_down_) break;
            wanted.fd = fd_;
            if (!tls_over_) wanted.events |= POLLIN;
        }
        if (!poll_until({&wanted, 1}, deadline)) return PeerEvent::timeout;
    }
    // poll() reports a socket with SHUT_RD as half closed at all times: leave it to the server's watch.
    origin_->tally.wait_until([this](const Snapshot&) { return end_ != PeerEnd::none; },
                              deadline - Clock::now());
    std::lock_guard lock(io_mutex_);
    return event_locked().value_or(PeerEvent::timeout);
}

// --- Bytes ---

bool Connection::wait_ready(Step wanted) const {
    pollfd socket{fd_, static_cast<short>(wanted == Step::wants_read ? POLLIN : POLLOUT), 0};
    poll_until({&socket, 1}, Clock::time_point::max());
    return !stop_requested();
}

std::size_t Connection::receive(char* to, std::size_t size) {
    for (;;) {
        Progress got;
        {
            std::lock_guard lock(io_mutex_);
            got = receive_locked(to, size);
        }
        if (got.step == Step::done) return got.bytes;
        if (got.step == Step::ended || !wait_ready(got.step)) return 0;
    }
}

bool Connection::send_all(std::string_view bytes, Progress (Connection::*send)(std::string_view)) {
    while (!bytes.empty()) {
        Progress sent;
        {
            std::lock_guard lock(io_mutex_);
            sent = (this->*send)(bytes);
        }
        if (sent.step == Step::done)
            bytes.remove_prefix(sent.bytes);
        else if (sent.step == Step::ended || !wait_ready(sent.step))
            return false;
    }
    return !stop_requested();
}

bool Connection::fill() {
    if (taken_ == buffered_.size()) {
        buffered_.clear();
        taken_ = 0;
    } else if (taken_ > longest_head) {
        buffered_.erase(0, std::exchange(taken_, 0));
    }
    char piece[16384];
    auto n = receive(piece, sizeof piece);
    buffered_.append(piece, n);
    return n > 0;
}

std::string Connection::take(std::size_t n) {
    auto bytes = buffered_.substr(taken_, n);
    taken_ += bytes.size();
    return bytes;
}

std::string Connection::read_some(std::size_t n) {
    if (n == 0 || (taken_ == buffered_.size() && !fill())) return {};
    return take(n);
}

std::optional<std::string> Connection::read_exactly(std::size_t n) {
    while (buffered_.size() - taken_ < n)
        if (!fill()) return std::nullopt;
    return take(n);
}

std::optional<std::string> Connection::read_line() {
    std::size_t end;
    while ((end = buffered_.find("\r\n", taken_)) == std::string::npos)
        if (buffered_.size() - taken_ > longest_head || !fill()) return std::nullopt;
    auto line = take(end - taken_);
    taken_ += 2;
    return line;
}

std::string Connection::read_all() {
    while (fill()) {
    }
    return take(std::string::npos);
}

bool Connection::write(std::string_view bytes) {
    return send_all(bytes, &Connection::send_locked);
}

bool Connection::write_raw(std::string_view bytes) {
    return send_all(bytes, &Connection::send_raw_locked);
}

bool Connection::write_slowly(std::string_view bytes, std::size_t chunk, Clock::duration interval) {
    while (bytes.size() > chunk) {
        if (!write(bytes.substr(0, chunk)) || !sleep(interval)) return false;
        bytes.remove_prefix(chunk);
    }
    return write(bytes);
}

// --- Requests ---

std::optional<Recorded> Connection::read_head_only() {
    std::size_t end;
    std::size_t searched = 0;
    while ((end = buffered_.find("\r\n\r\n", taken_ + searched)) == std::string::npos) {
        auto have = buffered_.size() - taken_;
        // The blank line may be split over two receives.
        searched = have < 3 ? 0 : have - 3;
        if (have > longest_head || !fill()) return std::nullopt;
    }
    Recorded request;
    request.connection = index_;
    request.ordinal = heads_++;
    request.peer_port = peer_port_;
    request.head = take(end + 4 - taken_);
    request.head_read_at = request.read_at = Clock::now();
    parse_request_line(request);
    return request;
}

void Connection::record(const Recorded& request) {
    origin_->tally.update([&](Snapshot& now) {
        ++now.request_count;
        if (origin_->options.record_requests) now.requests.push_back(request);
    });
}

std::optional<Recorded> Connection::read_head() {
    auto request = read_head_only();
    if (request) record(*request);
    return request;
}

std::optional<Recorded> Connection::read_request() {
    auto request = read_head_only();
    if (!request) return std::nullopt;
    if (origin_->options.send_continue && says(*request, "expect", "100-continue"))
        write("HTTP/1.1 100 Continue\r\n\r\n");
    if (!read_body(*request)) {
        origin_->tally.update([&](Snapshot& now) { now.incomplete.push_back(*request); });
        return std::nullopt;
    }
    record(*request);
    return request;
}

bool Connection::read_body(Recorded& request) {
    bool whole = true;
    request.chunked = says(request, "transfer-encoding", "chunked");
    if (request.chunked)
        whole = read_chunks(request);
    else if (auto length = request.header("content-length"))
        whole = read_counted(request, parse_size(*length, 10));
    request.read_at = Clock::now();
    return whole;
}

bool Connection::read_counted(Recorded& request, std::size_t n) {
    while (n > 0) {
        auto piece = read_some(n);
        if (piece.empty()) return false;
        n -= piece.size();
        request.body_size += piece.size();
        auto limit = origin_->options.max_recorded_body;
        request.body.append(piece, 0, limit - std::min(limit, request.body.size()));
    }
    return true;
}

bool Connection::read_chunks(Recorded& request) {
    for (;;) {
        auto line = read_line();
        if (!line) return false;
        auto size = parse_size(*line, 16);
        if (size == 0) break;
        if (!read_counted(request, size)) return false;
        if (!read_line()) return false;
    }
    for (;;) {
        auto line = read_line();
        if (!line) return false;
        if (line->empty()) return true;
        request.trailers += *line + "\r\n";
    }
}

// --- TLS ---

bool Connection::start_tls() {
    if (!origin_->tls) throw std::logic_error("start_tls() on a server without TLS");
    for (;;) {
        Progress made;
        {
            std::lock_guard lock(io_mutex_);
            if (fd_ < 0) return false;
            if (!ssl_) ssl_ = origin_->tls->session(fd_);
            ERR_clear_error();
            errno = 0;
            made = tls_progress_locked(SSL_accept(ssl_));
        }
        if (made.step == Step::done) break;
        if (made.step != Step::ended && wait_ready(made.step)) continue;
        auto why = tls_errors();
        origin_->tally.update([&](Snapshot& now) {
            ++now.handshake_failures;
            now.errors.push_back("TLS handshake: " + (why.empty() ? "the connection ended" : why));
        });
        return false;
    }
    bool resumed = resumed_session();
    origin_->tally.update([resumed](Snapshot& now) {
        ++now.handshakes;
        if (resumed) ++now.resumed_sessions;
    });
    return true;
}

bool Connection::resumed_session() const {
    std::lock_guard lock(io_mutex_);
    return ssl_ && SSL_session_reused(ssl_);
}

std::string Connection::alpn() const {
    std::lock_guard lock(io_mutex_);
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    if (ssl_) SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

std::string Connection::sni() const {
    std::lock_guard lock(io_mutex_);
    const char* name = ssl_ ? SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name) : nullptr;
    return name ? name : "";
}

std::string Connection::client_certificate() const {
    std::lock_guard lock(io_mutex_);
    X509* certificate = ssl_ ? SSL_get0_peer_certificate(ssl_) : nullptr;
    if (!certificate) return {};
    std::unique_ptr<char, void (*)(char*)> name(
        X509_NAME_oneline(X509_get_subject_name(certificate), nullptr, 0),
        [](char* text) { OPENSSL_free(text); });
    return name.get();
}

// --- Waiting ---

bool Connection::sleep(Clock::duration duration) const {
    return !origin_->stop.wait(duration);
}

bool Connection::wait_for(const Gate& gate, Clock::duration timeout) const {
    pollfd wanted[2] = {{gate.fd(), POLLIN, 0}, {origin_->stop.fd(), POLLIN, 0}};
    poll_until(wanted, deadline_after(timeout));
    return gate.is_open() && !stop_requested();
}

bool Connection::wait_for_events(int fd, short events) const {
    pollfd wanted[2] = {{fd, events, 0}, {origin_->stop.fd(), POLLIN, 0}};
    poll_until(wanted, Clock::time_point::max());
    return !stop_requested();
}

void Connection::wait_for_stop() const {
    origin_->stop.wait(Clock::duration::max());
}

bool Connection::stop_requested() const {
    return origin_->stop.is_open();
}

}  // namespace ringlet::test
