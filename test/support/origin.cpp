#include "support/origin.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "support/origin_context.hpp"
#include "support/posix.hpp"

namespace ringlet::test {

namespace {

struct Address {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;

    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    std::uint16_t port() const {
        if (storage.ss_family == AF_INET)
            return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
        if (storage.ss_family == AF_INET6)
            return ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
        return 0;
    }
};

Address unix_address(const std::string& path) {
    Address address;
    auto& to = reinterpret_cast<sockaddr_un&>(address.storage);
    if (path.size() >= sizeof to.sun_path) throw std::invalid_argument("path too long: " + path);
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
    address.size = sizeof to;
    return address;
}

Address ip_address(const std::string& text, std::uint16_t port) {
    Address address;
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        address.size = sizeof v4;
    } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        address.size = sizeof v6;
    } else {
        throw std::invalid_argument("no address: " + text);
    }
    return address;
}

void set_option(int fd, int level, int name, int value) {
    ::setsockopt(fd, level, name, &value, sizeof value);
}

Fd listen_on(const OriginOptions& options) {
    bool local = !options.unix_path.empty();
    if (local) ::unlink(options.unix_path.c_str());
    auto address = local ? unix_address(options.unix_path) : ip_address(options.address, options.port);
    Fd listener(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener) throw_errno("socket");
    if (!local) set_option(listener.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (address.storage.ss_family == AF_INET6) set_option(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    // Before listen(): the window of accepted connections is fixed in the handshake.
    if (options.receive_buffer) set_option(listener.get(), SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
    if (options.send_buffer) set_option(listener.get(), SOL_SOCKET, SO_SNDBUF, options.send_buffer);
    if (::bind(listener.get(), address.get(), address.size) != 0) throw_errno("bind");
    if (::listen(listener.get(), options.backlog) != 0) throw_errno("listen");
    return listener;
}

std::uint16_t local_port(int fd) {
    Address address;
    if (::getsockname(fd, address.get(), &address.size) != 0) throw_errno("getsockname");
    return address.port();
}

std::shared_ptr<OriginContext> make_context(OriginOptions options) {
    auto context = std::make_shared<OriginContext>();
    if (options.tls && options.certificate.empty()) options.certificate = TestCa::instance().issue();
    context->options = std::move(options);
    if (context->options.tls) context->tls = std::make_unique<TlsServer>(context->options);
    return context;
}

}  // namespace

struct Origin::Impl {
    // Kept until the script is over and the socket closed.
    struct Served {
        std::shared_ptr<Connection> connection;
        std::thread thread;
    };

    Impl(Script first_script, OriginOptions options);

    // On the watching thread.
    void watch();
    bool answer_requests();
    void sweep();
    void accept_one();
    void start(int fd, std::uint16_t peer_port);

    // On the thread of a connection.
    void serve(Connection& connection, const Script& run);

    void retire(std::size_t index);
    void finish_thread_locked(std::size_t index);
    void join_finished();
    std::vector<std::shared_ptr<Connection>> connections() const;
    void wake() const;
    void note_error(const std::string& what) const;

    const std::shared_ptr<OriginContext> context;
    Fd epoll;  // of the connections only, so that they can be swept before an accept is counted
    Fd wake_up;

    mutable std::mutex mutex;  // guards what follows; of the other locks only the tally's is taken under it
    std::condition_variable answered;  // what was asked of the watching thread
    Script script;
    Fd listener;  // closed by the watching thread only, which polls it
    bool close_listener = false;
    bool accepting;
    bool listening_for_more = false;  // the watching thread polls the listener
    std::map<std::size_t, Served> served;
    std::vector<std::thread> finished;

    std::uint16_t port = 0;      // constant
    std::size_t next_index = 0;  // of the watching thread
    std::thread watcher;
};

Origin::Impl::Impl(Script first_script, OriginOptions options)
    : context(make_context(std::move(options))),
      epoll(::epoll_create1(EPOLL_CLOEXEC)),
      wake_up(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      script(std::move(first_script)),
      listener(listen_on(context->options)),
      accepting(context->options.accepting),
      port(local_port(listener.get())) {
    if (!epoll || !wake_up) throw_errno("epoll or eventfd");
    watcher = start_thread([this] { watch(); });
}

void Origin::Impl::note_error(const std::string& what) const {
    context->tally.update([&](Snapshot& now) { now.errors.push_back(what); });
}

void Origin::Impl::wake() const {
    std::uint64_t one = 1;
    if (::write(wake_up.get(), &one, sizeof one) < 0 && errno != EAGAIN) throw_errno("write to an eventfd");
}

// --- The watching thread ---

void Origin::Impl::watch() {
    while (!context->stop.is_open()) {
        bool may_accept = answer_requests();
        pollfd wanted[] = {{context->stop.fd(), POLLIN, 0},
                           {wake_up.get(), POLLIN, 0},
                           {epoll.get(), POLLIN, 0},
                           {may_accept ? listener.get() : -1, POLLIN, 0}};
        poll_until(wanted, Clock::time_point::max());
        if (wanted[2].revents) sweep();
        if (wanted[3].revents) accept_one();
        join_finished();
    }
}

// What other threads asked for since the last round; returns whether to accept.
bool Origin::Impl::answer_requests() {
    std::uint64_t ignored;
    while (::read(wake_up.get(), &ignored, sizeof ignored) > 0) {
    }
    std::lock_guard lock(mutex);
    if (close_listener) listener.reset();
    listening_for_more = accepting && listener;
    answered.notify_all();
    return listening_for_more;
}

// Notes every end that the kernel knows of by now.
void Origin::Impl::sweep() {
    epoll_event events[64];
    int n;
    while ((n = ::epoll_wait(epoll.get(), events, 64, 0)) > 0) {
        for (int i = 0; i < n; ++i) {
            auto index = static_cast<std::size_t>(events[i].data.u64);
            std::shared_ptr<Connection> connection;
            {
                std::lock_guard lock(mutex);
                auto found = served.find(index);
                if (found != served.end()) connection = found->second.connection;
            }
            if (connection && connection->on_hangup()) retire(index);
        }
    }
}

void Origin::Impl::accept_one() {
    Address peer;
    int fd = ::accept4(listener.get(), peer.get(), &peer.size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) return start(fd, peer.port());
    if (errno != EMFILE && errno != ENFILE) return;
    // The connection stays in the backlog: not a busy loop until a descriptor is free.
    note_error("accept: no file descriptor left");
    context->stop.wait(50ms);
}

void Origin::Impl::start(int fd, std::uint16_t peer_port) {
    // A client that closes one connection and then opens another never has both: see the first one's FIN
    // first.
    sweep();
    if (context->options.unix_path.empty()) set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    auto index = next_index++;
    auto connection = std::make_shared<Connection>(context, fd, index, peer_port);
    // One step for close_all(): whoever has seen the count can end the connection.
    std::lock_guard lock(mutex);
    context->tally.update([](Snapshot& now) {
        ++now.accepts;
        ++now.held;
        now.peak_open = std::max(now.peak_open, ++now.open);
    });
    // Edge-triggered and without EPOLLIN: data wakes nobody here.
    epoll_event event{};
    event.events = EPOLLRDHUP | EPOLLET;
    event.data.u64 = index;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw_errno("epoll_ctl");
    auto& entry = served[index];
    entry.connection = connection;
    entry.thread = start_thread([this, connection, run = script] { serve(*connection, run); });
}

// --- The thread of a connection ---

void Origin::Impl::serve(Connection& connection, const Script& run) {
    try {
        if (!context->tls || !context->options.handshake_first || connection.start_tls())
            run(connection);
        else if (connection.wait_for_fin(1s) == PeerEvent::timeout)
            connection.close(CloseNotify::omit);
    } catch (const std::exception& error) {
        note_error(error.what());
        connection.close();
    }
    bool over = connection.on_script_end();
    {
        std::lock_guard lock(mutex);
        finish_thread_locked(connection.index());
    }
    if (over) retire(connection.index());
}

void Origin::Impl::finish_thread_locked(std::size_t index) {
    auto found = served.find(index);
    if (found != served.end() && found->second.thread.joinable())
        finished.push_back(std::move(found->second.thread));
}

void Origin::Impl::retire(std::size_t index) {
    std::lock_guard lock(mutex);
    finish_thread_locked(index);
    served.erase(index);
}

void Origin::Impl::join_finished() {
    std::vector<std::thread> threads;
    {
        std::lock_guard lock(mutex);
        threads.swap(finished);
    }
    for (auto& thread : threads) thread.join();
}

std::vector<std::shared_ptr<Connection>> Origin::Impl::connections() const {
    std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [index, entry] : served) all.push_back(entry.connection);
    return all;
}

// --- Origin ---

Origin::Origin(Script script, OriginOptions options)
    : impl_(std::make_unique<Impl>(std::move(script), std::move(options))) {}

Origin::~Origin() {
    stop();
}

void Origin::stop() {
    if (!impl_->watcher.joinable()) return;
    impl_->context->stop.open();
    impl_->watcher.join();
    impl_->listener.reset();
    const auto& path = impl_->context->options.unix_path;
    if (!path.empty() && !impl_->close_listener) ::unlink(path.c_str());
    close_all(KillWith::fin);
    {
        std::lock_guard lock(impl_->mutex);
        for (auto& [index, entry] : impl_->served) impl_->finish_thread_locked(index);
    }
    impl_->join_finished();
    std::lock_guard lock(impl_->mutex);
    impl_->served.clear();
}

void Origin::close_all(KillWith how) {
    for (const auto& connection : impl_->connections())
        if (connection->kill(how == KillWith::rst)) impl_->retire(connection->index());
}

void Origin::stop_listening() {
    std::unique_lock lock(impl_->mutex);
    if (!impl_->listener || impl_->close_listener) return;
    impl_->close_listener = true;
    const auto& path = impl_->context->options.unix_path;
    if (!path.empty()) ::unlink(path.c_str());
    impl_->wake();
    impl_->answered.wait(lock, [this] { return !impl_->listener; });
}

void Origin::start_accepting() {
    std::lock_guard lock(impl_->mutex);
    impl_->accepting = true;
    impl_->wake();
}

void Origin::stop_accepting() {
    std::unique_lock lock(impl_->mutex);
    impl_->accepting = false;
    impl_->wake();
    impl_->answered.wait(lock, [this] { return !impl_->listening_for_more; });
}

void Origin::set_script(Script script) {
    std::lock_guard lock(impl_->mutex);
    impl_->script = std::move(script);
}

std::uint16_t Origin::port() const {
    return impl_->port;
}

const std::string& Origin::unix_path() const {
    return impl_->context->options.unix_path;
}

std::string Origin::url(std::string_view path) const {
    const auto& options = impl_->context->options;
    return url_for(options.unix_path.empty() ? options.address : "localhost", path);
}

std::string Origin::url_for(std::string_view host, std::string_view path) const {
    const auto& options = impl_->context->options;
    std::string url = options.tls ? "https://" : "http://";
    bool bare_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
    (url += bare_v6 ? "[" : "").append(host) += bare_v6 ? "]" : "";
    if (options.unix_path.empty()) url += ":" + std::to_string(port());
    return url.append(path);
}

Snapshot Origin::snapshot() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now; });
}

std::size_t Origin::accepts() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now.accepts; });
}

std::size_t Origin::open_connections() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now.open; });
}

std::size_t Origin::peak_open() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now.peak_open; });
}

std::size_t Origin::fins() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now.fins; });
}

std::size_t Origin::resets() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now.resets; });
}

std::size_t Origin::request_count() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now.request_count; });
}

std::vector<Recorded> Origin::requests() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now.requests; });
}

std::vector<Ended> Origin::ended() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now.ended; });
}

std::vector<std::string> Origin::errors() const {
    return impl_->context->tally.get([](const Snapshot& now) { return now.errors; });
}

bool Origin::wait_until(const std::function<bool(const Snapshot&)>& holds, Clock::duration timeout) const {
    return impl_->context->tally.wait_until(holds, timeout);
}

bool Origin::wait_for_accepts(std::size_t n, Clock::duration timeout) const {
    return wait_until([n](const Snapshot& now) { return now.accepts >= n; }, timeout);
}

bool Origin::wait_for_requests(std::size_t n, Clock::duration timeout) const {
    return wait_until([n](const Snapshot& now) { return now.request_count >= n; }, timeout);
}

bool Origin::wait_for_handshakes(std::size_t n, Clock::duration timeout) const {
    return wait_until([n](const Snapshot& now) { return now.handshakes >= n; }, timeout);
}

bool Origin::wait_for_fins(std::size_t n, Clock::duration timeout) const {
    return wait_until([n](const Snapshot& now) { return now.fins >= n; }, timeout);
}

bool Origin::wait_for_ends(std::size_t n, Clock::duration timeout) const {
    return wait_until([n](const Snapshot& now) { return now.ends() >= n; }, timeout);
}

bool Origin::wait_for_open(std::size_t n, Clock::duration timeout) const {
    return wait_until([n](const Snapshot& now) { return now.open == n; }, timeout);
}

}  // namespace ringlet::test
