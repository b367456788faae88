#include "support/tunnel.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <thread>

namespace ringlet::test {

namespace {

bool send_all(const Connection& client, int target, std::string_view bytes) {
    while (!bytes.empty()) {
        ssize_t n = ::send(target, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            bytes.remove_prefix(static_cast<std::size_t>(n));
        else if (errno != EAGAIN && errno != EINTR)
            return false;
        else if (!client.wait_for_events(target, POLLOUT))
            return false;
    }
    return true;
}

// Until the target ends; false if it did so by a RST.
bool pump_to_client(int target, Connection& client) {
    char bytes[16384];
    while (client.wait_for_events(target, POLLIN)) {
        ssize_t n = ::recv(target, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n <= 0) return n == 0;
        if (!client.write({bytes, static_cast<std::size_t>(n)})) return true;
    }
    return true;
}

void pump_to_target(Connection& client, int target) {
    for (std::string bytes; !(bytes = client.read_some()).empty();)
        if (!send_all(client, target, bytes)) return;
}

void close_with_reset(Fd socket) {
    linger at_once{1, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace

void tunnel(Connection& client, Fd target) {
    bool target_reset = false;
    std::thread back = start_thread([&] {
        target_reset = !pump_to_client(target.get(), client);
        // SHUT_RD wakes the other direction without a word to the peer, which is to see the RST alone.
        if (target_reset)
            client.shutdown_read();
        else
            client.shutdown_write();
    });
    pump_to_target(client, target.get());
    auto end = client.peer_end();
    ::shutdown(target.get(), end == PeerEnd::rst            ? SHUT_RD
                             : end == PeerEnd::closed_by_us ? SHUT_RDWR
                                                            : SHUT_WR);
    back.join();
    if (end == PeerEnd::rst) close_with_reset(std::move(target));
    if (target_reset)
        client.reset();
    else
        client.close();
}

}  // namespace ringlet::test
