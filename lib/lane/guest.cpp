// A guest on a lane: the program's own easy handle, from boarding to alighting.
#include "curl/read_ahead.hpp"
#include "lane/lane.hpp"

#include <algorithm>
#include <iterator>
#include <new>

namespace ringlet::detail {

int Lane::Closer::close_socket(void* self, curl_socket_t fd) {
    const auto& closer = *static_cast<Closer*>(self);
    if (auto* client = closer.lane->client_) client->on_close_socket(fd);
    closer.lane->sockets_.closed(fd);
    return closer.function(closer.data, fd);
}

CURLMcode Lane::board(CURL* guest, bool watched, const SocketFunctions& own) noexcept {
    watched_ = watched || keeps_redirects_;
    tally_ = {};
    own_ = &own;
    opened_at_boarding_ = sockets_.opened_count();
    const bool ready = !watched_ || hook(guest);
    const auto code = ready ? curl().multi_add_handle(multi(), guest) : CURLM_OUT_OF_MEMORY;
    if (code != CURLM_OK) {
        if (watched_) unhook(guest, own);
        drop_unused_closers();
        own_ = nullptr;
    }
    return code;
}

namespace {

CURLcode read_no_further(CURL*, void* ssl_ctx, void*) {
    stop_reading_ahead(ssl_ctx);
    return CURLE_OK;
}

}  // namespace

/// False: there is no memory.
bool Lane::hook(CURL* guest) noexcept {
    if (tls_reads_ahead() && own_->ssl_ctx == nullptr)
        curl().easy_setopt(guest, CURLOPT_SSL_CTX_FUNCTION, &read_no_further);
    if (own_->close == nullptr) return watch_sockets(guest);
    const auto& set = curl().easy_setopt;
    auto* const closer = put_closer();
    return closer != nullptr && watch_sockets(guest) &&
           set(guest, CURLOPT_CLOSESOCKETFUNCTION, &Closer::close_socket) == CURLE_OK &&
           set(guest, CURLOPT_CLOSESOCKETDATA, closer) == CURLE_OK;
}

/// libcurl notes a closer when it begins with a connection, and calls it if that gets a socket. So one that
/// is unused may be noted only while libcurl is on its way from the one to the other. Nobody tells when it
/// is, but in that time callbacks set few others, and a program may set one with each piece of a body: of the
/// unused ones the latest are kept. nullptr: there is no memory.
Lane::Closer* Lane::put_closer() noexcept {
    constexpr std::size_t enough = 64;
    const Closer wanted{this, own_->close, own_->close_data};
    const auto there = std::find(closers_.begin(), closers_.end(), wanted);
    if (there != closers_.end()) {
        const auto index = static_cast<std::size_t>(std::distance(closers_.begin(), there));
        if (index < unused_closers_) closers_.splice(closers_.begin(), closers_, there);
        return &*there;
    }
    if (unused_closers_ == enough) {
        const auto oldest = std::next(closers_.begin(), enough - 1);
        *oldest = wanted;
        closers_.splice(closers_.begin(), closers_, oldest);
        return &*oldest;
    }
    try {
        closers_.push_front(wanted);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
    ++unused_closers_;
    return &closers_.front();
}

/// No connection has them, and none is being made.
void Lane::drop_unused_closers() noexcept {
    for (; unused_closers_ != 0; --unused_closers_) closers_.pop_front();
}

bool Lane::hook_again(CURL* guest) noexcept {
    if (own_ == nullptr) return true;
    watched_ = true;
    return hook(guest);
}

void Lane::unhook(CURL* guest, const SocketFunctions& own) noexcept {
    curl().easy_setopt(guest, CURLOPT_OPENSOCKETFUNCTION, own.open);
    curl().easy_setopt(guest, CURLOPT_OPENSOCKETDATA, own.open_data);
    curl().easy_setopt(guest, CURLOPT_CLOSESOCKETFUNCTION, own.close);
    curl().easy_setopt(guest, CURLOPT_CLOSESOCKETDATA, own.close_data);
    if (tls_reads_ahead()) curl().easy_setopt(guest, CURLOPT_SSL_CTX_FUNCTION, own.ssl_ctx);
}

/// Nothing of ringlet's is under way while the program's function runs: it may be left by an exception, as
/// with libcurl alone.
curl_socket_t Lane::open_by_program(curlsocktype purpose, curl_sockaddr* address) {
    if (!sockets_.make_room()) return CURL_SOCKET_BAD;
    const curl_socket_t fd = own_->open(own_->open_data, purpose, address);
    if (fd != CURL_SOCKET_BAD) sockets_.opened(fd);
    return fd;
}

void Lane::keep_redirects() noexcept {
    constexpr long as_an_easy_handle_does = 5;
    if (!keeps_redirects_) curl().multi_setopt(multi(), CURLMOPT_MAXCONNECTS, as_an_easy_handle_does);
    keeps_redirects_ = true;
}

bool Lane::alight(CURL* guest) noexcept {
    bool certain = true;
    if (sockets_.all().size() > 1) {
        long connects = 0;
        curl().easy_getinfo(guest, CURLINFO_NUM_CONNECTS, &connects);
        // More sockets than connections: some never became one, and before libcurl 8.2 nobody says which.
        certain = keeps_redirects_ &&
                  sockets_.opened_count() - opened_at_boarding_ == static_cast<std::size_t>(connects);
        curl_socket_t active = CURL_SOCKET_BAD;
        curl().easy_getinfo(guest, CURLINFO_ACTIVESOCKET, &active);
        if (!certain) sockets_.reconcile(active == CURL_SOCKET_BAD ? -1 : active);
    }
    curl().multi_remove_handle(multi(), guest);
    constexpr unsigned graceful_since = 0x080a00;
    if (curl_version_number() >= graceful_since) {
        // A connection that is not kept waits for its graceful end: one turn lets it go.
        int running = 0;
        curl().multi_perform(multi(), &running);
    }
    if (watched_) unhook(guest, *own_);
    own_ = nullptr;
    drop_unused_closers();
    return certain || !keeps_redirects_;
}

/// The handle is to be asked: where it has a multi of its own, from a transfer that passed through, libcurl
/// notes there that it is inside a callback, and would take the handle off this one in the midst of it.
bool Lane::rescue(CURL* guest) noexcept {
    char byte = 0;
    std::size_t received = 0;
    curl().easy_setopt(guest, CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));  // it may be gone
    constexpr auto recursive_call = static_cast<CURLcode>(93);
    if (curl().easy_recv(guest, &byte, 0, &received) == recursive_call) return false;
    if (curl().multi_remove_handle(multi(), guest) != CURLM_OK) return false;
    if (watched_) unhook(guest, *own_);
    own_ = nullptr;
    client_ = nullptr;
    left_ = true;
    return true;
}

}  // namespace ringlet::detail
