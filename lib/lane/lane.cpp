#include "lane/lane.hpp"

#include "base/cancellation.hpp"
#include "base/fork.hpp"
#include "curl/ca_setup.hpp"
#include "curl/proxy_environment.hpp"
#include "curl/read_ahead.hpp"
#include "lane/adopted_socket.hpp"
#include "lane/share.hpp"
#include "ringlet/error.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace ringlet::detail {
namespace {

// libcurl closes a kept connection that has been idle for 118 s by itself: how long is the cache's to say.
constexpr long forever_seconds = 10L * 365 * 24 * 3600;

Lane& lane_of(void* pointer) {
    return *static_cast<Lane*>(pointer);
}

Lane::Address to_address(const sockaddr& from, unsigned size) noexcept {
    Lane::Address address;
    char port[8] = "";
    if (from.sa_family != AF_UNIX && ::getnameinfo(&from, size, address.ip, sizeof address.ip, port,
                                                   sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        address.port = std::atoi(port);
    }
    return address;
}

/// One end of a connection, by getsockname() or getpeername().
Lane::Address address_of(int fd, int (*name)(int, sockaddr*, socklen_t*)) noexcept {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    return name(fd, generic, &size) == 0 ? to_address(*generic, size) : Lane::Address{};
}

}  // namespace

/// What libcurl calls, with the lane as its data: a connection keeps its creator's pointers for life, so they
/// must not be a request's.
struct LaneCallbacks {
    static std::size_t header(char* data, std::size_t, std::size_t size, void* lane) {
        auto* client = lane_of(lane).client_;
        return client ? client->on_header(data, size) : size;
    }
    static std::size_t write(char* data, std::size_t, std::size_t size, void* lane) {
        auto* client = lane_of(lane).client_;
        return client ? client->on_body(data, size) : size;
    }
    static std::size_t read(char* buffer, std::size_t unit, std::size_t count, void* lane) {
        auto* client = lane_of(lane).client_;
        return client ? client->on_read(buffer, unit * count) : CURL_READFUNC_ABORT;
    }
    static int seek(void* lane, curl_off_t offset, int origin) {
        auto* client = lane_of(lane).client_;
        return client ? client->on_seek(offset, origin) : CURL_SEEKFUNC_FAIL;
    }
    static int prereq(void* lane, char* remote_ip, char* local_ip, int remote_port, int local_port) {
        lane_of(lane).set_addresses(local_ip, local_port, remote_ip, remote_port);
        if (lane_of(lane).adopted_) lane_of(lane).before_first_byte();
        auto* client = lane_of(lane).client_;
        return client ? client->on_send(remote_ip, remote_port, local_ip, local_port) : CURL_PREREQFUNC_OK;
    }
    static int progress(void* lane, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                        curl_off_t ulnow) {
        auto* client = lane_of(lane).client_;
        return client ? client->on_progress(dltotal, dlnow, ultotal, ulnow) : 0;
    }
    static int debug(CURL*, curl_infotype type, char* words, std::size_t size, void* lane) {
        const std::string_view text(words, size);
        if (type == CURLINFO_DATA_IN && lane_of(lane).client_) lane_of(lane).client_->on_wire(text);
        if (type != CURLINFO_TEXT) return 0;
        // What libcurl with GnuTLS says when OpenSSL's would call SSL_CTX_FUNCTION.
        const bool tls = text.starts_with("GnuTLS ciphers:");
        if (tls && lane_of(lane).adopted_) lane_of(lane).before_first_byte();
        if (auto* client = lane_of(lane).client_) client->on_text(text);
        return 0;
    }
    static curl_socket_t open_socket(void* lane, curlsocktype purpose, curl_sockaddr* address) {
        auto* client = lane_of(lane).client_;
        if (client != nullptr && !client->on_open_socket()) return CURL_SOCKET_BAD;
        lane_of(lane).unused_closers_ = 0;
        lane_of(lane).tally_ = {};
        const auto* own = lane_of(lane).own_;
        if (own != nullptr && own->open != nullptr) return lane_of(lane).open_by_program(purpose, address);
        return lane_of(lane).open(*address);
    }
    static int socket_option(void* lane, curl_socket_t fd, curlsocktype) {
        const auto& adopted = lane_of(lane).adopted_;
        const bool connected = adopted && adopted->is_handed(fd) && !adoption_needs_swap();
        return connected ? CURL_SOCKOPT_ALREADY_CONNECTED : CURL_SOCKOPT_OK;
    }
    static CURLcode tls_begins(CURL*, void* ssl_ctx, void* lane) {
        if (!lane_of(lane).dials_ && adoption_needs_swap()) lane_of(lane).before_first_byte();
        if (tls_reads_ahead()) stop_reading_ahead(ssl_ctx);
        return CURLE_OK;
    }
    static int close_socket(void* lane, curl_socket_t fd) {
        if (auto* client = lane_of(lane).client_) {
            client->on_close_socket(fd);
            lane_of(lane).check_names(true);
        }
        lane_of(lane).sockets_.closed(fd);
        if (const auto& adopted = lane_of(lane).adopted_) adopted->closed(fd);
        const Cancellation off;  // a thread that ends here would end inside a callback: see rescue()
        return ::close(fd);
    }
};

Lane::Lane(std::uint64_t id, LaneKey key, Share& share, const LaneSettings& settings)
    : id_(id),
      key_(std::move(key)),
      share_(share),
      settings_(settings),
      generation_(fork_generation()),
      direct_(!proxy_in_environment()) {
    multi_.reset(curl().multi_init());
    if (!multi_) throw std::bad_alloc();
    make_easy();
    curl().multi_setopt(multi(), CURLMOPT_MAXCONNECTS, 1L);
    // From libcurl 8.20 on the resolver's threads are the multi's, and destroying it would wait for them.
    constexpr auto quick_exit = static_cast<CURLMoption>(CURLOPTTYPE_LONG + 21);
    if (curl_version_number() >= 0x081400) curl().multi_setopt(multi(), quick_exit, 1L);
    apply_own_options();
}

Lane::~Lane() {
    if (!forked() && !abandoned_) {
        client_ = nullptr;
        // The easy first: from libcurl 8.21 on it shares objects with its connection, which the multi owns.
        easy_.reset();
        multi_.reset();
        if (left_) sockets_.close_inherited();
        return;
    }
    // Destroying an inherited handle would speak (close_notify, GOAWAY) on the parent's connection; libcurl
    // refuses to destroy an abandoned one.
    if (offered() && adopted_->pending()) adopted_->forget();  // among sockets_
    sockets_.close_inherited();
    (void)easy_.release();
    (void)multi_.release();
}

bool Lane::forked() const noexcept {
    return generation_ != fork_generation();
}

void Lane::reset_easy() {
    clear_easy();
    apply_own_options();
}

void Lane::reset_easy_for_raw_use() {
    clear_easy();
    configured_ = raw_options;  // whoever comes next must take them off
    names_unchecked_ = false;
    set_connection_options(easy());
}

void Lane::clear_easy() {
    // libcurl 7.88 leaks the list of cookie files when it resets a handle.
    if (tainted_) curl().easy_setopt(easy(), CURLOPT_COOKIEFILE, nullptr);
    curl().easy_reset(easy());
    if (tainted_) {  // what a reset keeps: cookies, HSTS, alt-svc
        make_easy();
        tainted_ = false;
    }
    holdings_ = {};
    configured_ = 0;
}

void Lane::apply_own_options() {
    names_unchecked_ = false;
    set_connection_options(easy());
    set_request_hooks();
}

void Lane::pace_name_checks(std::chrono::steady_clock::time_point now) noexcept {
    constexpr std::chrono::seconds pace(1);
    constexpr long worth_it = 10;  // seconds that a name is believed
    // From then on a connection over TLS may be closed for good only after the next one was looked up.
    constexpr unsigned closes_later = 0x080a00;
    if (curl_version_number() >= closes_later && key_.origin().starts_with("https:")) return;
    if (settings_.dns_ttl_seconds < worth_it) return;
    const bool due = now - names_checked_ >= pace;
    if (due) names_checked_ = now;
    check_names(due);
}

void Lane::check_names(bool on) noexcept {
    constexpr long never_outdated = -1;
    if (on == !names_unchecked_) return;
    const auto code = curl().easy_setopt(easy(), CURLOPT_DNS_CACHE_TIMEOUT,
                                         on ? settings_.dns_ttl_seconds : never_outdated);
    if (code == CURLE_OK) names_unchecked_ = !on;
}

/// The share stays through a reset.
void Lane::make_easy() {
    easy_.reset();
    easy_.reset(curl().easy_init());
    if (!easy_) throw std::bad_alloc();
    if (key_.memory() != LaneKey::Memory::shared) return;
    if (curl().easy_setopt(easy(), CURLOPT_SHARE, share_.handle()) == CURLE_OUT_OF_MEMORY)
        throw std::bad_alloc();
}

namespace {

template <class T>
void set(CURL* easy, CURLoption option, T value) {
    if (curl().easy_setopt(easy, option, value) == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
}

}  // namespace

void Lane::set_connection_options(CURL* easy) {
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_QUICK_EXIT, 1L);  // else leaving while a name is resolved waits for the resolver
    set(easy, CURLOPT_MAXAGE_CONN, forever_seconds);
    set(easy, CURLOPT_DNS_CACHE_TIMEOUT, settings_.dns_ttl_seconds);
    if (!watch_sockets(easy)) throw std::bad_alloc();
    set(easy, CURLOPT_SOCKOPTFUNCTION, &LaneCallbacks::socket_option);
    set(easy, CURLOPT_SOCKOPTDATA, this);
    if (settings_.resolve) set(easy, CURLOPT_RESOLVE, settings_.resolve.get());
    if (settings_.tcp_keepalive_idle.count() > 0) {
        set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        set(easy, CURLOPT_TCP_KEEPIDLE, static_cast<long>(settings_.tcp_keepalive_idle.count()));
        set(easy, CURLOPT_TCP_KEEPINTVL, static_cast<long>(settings_.tcp_keepalive_interval.count()));
    }
    if (direct_ || !dials_) set(easy, CURLOPT_PROXY, "");
    if (!dials_) set(easy, CURLOPT_CONNECT_TO, connect_to_.get());
    const bool swaps = !dials_ && adoption_needs_swap();
    if (swaps || tls_reads_ahead()) {
        const auto code = curl().easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &LaneCallbacks::tls_begins);
        set(easy, CURLOPT_SSL_CTX_DATA, this);
        if (code != CURLE_OK && swaps) listen(true);  // GnuTLS: see debug()
    }
    use_hashed_ca_directory(easy);
}

bool Lane::watch_sockets(CURL* easy) noexcept {
    const auto& set = curl().easy_setopt;
    return set(easy, CURLOPT_OPENSOCKETFUNCTION, &LaneCallbacks::open_socket) == CURLE_OK &&
           set(easy, CURLOPT_OPENSOCKETDATA, this) == CURLE_OK &&
           set(easy, CURLOPT_CLOSESOCKETFUNCTION, &LaneCallbacks::close_socket) == CURLE_OK &&
           set(easy, CURLOPT_CLOSESOCKETDATA, this) == CURLE_OK;
}

void Lane::set_request_hooks() {
    auto* const handle = easy();
    set(handle, CURLOPT_ERRORBUFFER, error_text_);
    if (!keeps_receive_buffer()) receive_much();
    // The bit mask: libcurl takes the newer CURLOPT_PROTOCOLS_STR apart at ten times the cost.
    constexpr auto protocols = static_cast<CURLoption>(CURLOPTTYPE_LONG + 181);
    set(handle, protocols, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    // Else libcurl asks the environment, in vain, for each request.
    if (direct_ || !dials_) set(handle, CURLOPT_NOPROXY, "*");
    set(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(handle, CURLOPT_HEADERFUNCTION, &LaneCallbacks::header);
    set(handle, CURLOPT_HEADERDATA, this);
    set(handle, CURLOPT_WRITEFUNCTION, &LaneCallbacks::write);
    set(handle, CURLOPT_WRITEDATA, this);
    set(handle, CURLOPT_READFUNCTION, &LaneCallbacks::read);
    set(handle, CURLOPT_READDATA, this);
    set(handle, CURLOPT_SEEKFUNCTION, &LaneCallbacks::seek);
    set(handle, CURLOPT_SEEKDATA, this);
    set(handle, CURLOPT_PREREQFUNCTION, &LaneCallbacks::prereq);
    set(handle, CURLOPT_PREREQDATA, this);
    set(handle, CURLOPT_XFERINFOFUNCTION, &LaneCallbacks::progress);
    set(handle, CURLOPT_XFERINFODATA, this);
}

/// libcurl took over the buffer from the transfer, which frees it at its end, into the multi, which keeps it,
/// in 8.8.0. There it grows when the option says so, also in the midst of a transfer, where older ones would
/// write past its end. Tried with 7.88.1, 8.14.1 and 8.23.0; those between are treated as the older.
bool Lane::keeps_receive_buffer() noexcept {
    constexpr unsigned tried_since = 0x080e00;
    return curl_version_number() >= tried_since;
}

namespace {

constexpr std::size_t usual_receive_size = 16 * 1024;  // libcurl's default
constexpr std::size_t large_receive_size = 64 * 1024;

}  // namespace

std::size_t Lane::receive_size() const noexcept {
    return holdings_.receives_much ? large_receive_size : usual_receive_size;
}

void Lane::receive_much() noexcept {
    if (holdings_.receives_much) return;
    const auto size = static_cast<long>(large_receive_size);
    holdings_.receives_much = curl().easy_setopt(easy(), CURLOPT_BUFFERSIZE, size) == CURLE_OK;
}

bool Lane::listen(bool on) noexcept {
    // Without a function of ours libcurl would write to stderr.
    if (on && (curl().easy_setopt(easy(), CURLOPT_DEBUGFUNCTION, &LaneCallbacks::debug) != CURLE_OK ||
               curl().easy_setopt(easy(), CURLOPT_DEBUGDATA, this) != CURLE_OK)) {
        return false;
    }
    return curl().easy_setopt(easy(), CURLOPT_VERBOSE, on ? 1L : 0L) == CURLE_OK;
}

void Lane::note_attempt(const sockaddr& address, unsigned size) noexcept {
    attempted_ = to_address(address, size);
}

int Lane::open(const curl_sockaddr& address) noexcept {
    int fd = -1;
    if (adopted_ && (!dials_ || adopted_->leads_to(address.addr, address.addrlen))) fd = adopted_->hand_out();
    if (fd < 0 && dials_) {
        fd = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
        if (fd >= 0) note_attempt(address.addr, address.addrlen);
    }
    if (fd < 0) return CURL_SOCKET_BAD;
    try {
        sockets_.opened(fd);
    } catch (...) {
        ::close(fd);
        if (adopted_) adopted_->closed(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

/// A connection stands, and nothing was sent on it yet.
void Lane::before_first_byte() noexcept {
    if (dials_) {  // another connection than the one on offer: that one has no use any more
        if (!adopted_->pending()) return;
        sockets_.closed(adopted_->current());
        adopted_->discard();
        return;
    }
    adopted_->swap_in();
    sockets_.replaced(adopted_->current());
    local_ = address_of(adopted_->current(), ::getsockname);
    remote_ = address_of(adopted_->current(), ::getpeername);
}

void Lane::use_only(const std::shared_ptr<AdoptedSocket>& adopted) {
    if (adopted_ == adopted) return;
    if (!connect_to_)
        append(connect_to_, "::127.0.0.1:1");  // whatever the URL says: numeric, and never dialled
    adopted_ = adopted;
    dials_ = false;
    reset_easy();
}

void Lane::offer(int fd) {
    std::shared_ptr<AdoptedSocket> adopted;
    try {
        adopted = std::make_shared<AdoptedSocket>(fd, AdoptedSocket::From::libcurl);
    } catch (...) {
        ::close(fd);
        throw;
    }
    sockets_.opened(fd);
    adopted_ = std::move(adopted);
}

bool Lane::offered() const noexcept {
    return dials_ && adopted_ != nullptr;
}
bool Lane::on_offered() const noexcept {
    return offered() && !adopted_->pending() && adopted_->current() >= 0;
}

void Lane::interrupt() noexcept {
    interrupted_.store(true, std::memory_order_relaxed);
    curl().multi_wakeup(multi());
}

}  // namespace ringlet::detail
