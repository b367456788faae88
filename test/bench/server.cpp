// The servers of a benchmark as a program of their own. Prints one line of JSON with their URLs; then, for
// each line on standard input, one with the connections accepted since the last. Ends with its input.
#include "support/nginx.hpp"
#include "support/origin.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <iostream>
#include <string>

namespace {

using namespace ringlet::test;

/// Bytes of a body that follow this head.
std::size_t body_size(std::string_view head) {
    for (const std::string_view name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
        const auto at = head.find(name);
        if (at == head.npos) continue;
        std::size_t size = 0;
        std::from_chars(head.data() + at + name.size(), head.data() + head.size(), size);
        return size;
    }
    return 0;
}

/// More bytes; false at the end of the connection.
bool receive(const Connection& connection, std::string& received) {
    char chunk[65536];
    while (true) {
        const auto n = ::recv(connection.fd(), chunk, sizeof chunk, 0);
        if (n > 0) {
            received.append(chunk, static_cast<std::size_t>(n));
            return true;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) return false;
        pollfd wanted{connection.fd(), POLLIN, 0};
        if (::poll(&wanted, 1, 1000) == 0 && connection.stop_requested()) return false;
    }
}

/// Answers whatever comes with 100 bytes, below /late only when the client waits for it already: what that
/// does is then the same each time. Plain sockets and nothing recorded: the server must not be what is
/// measured.
void answer(Connection& connection) {
    const auto response = reply(std::string(100, 'r'), 200, "Content-Type: text/plain\r\n");
    std::string received;
    while (true) {
        const auto end = received.find("\r\n\r\n");
        if (end == received.npos) {
            if (!receive(connection, received)) return;
            continue;
        }
        if (received.find("\r\nExpect: 100-continue\r\n") < end)
            connection.write("HTTP/1.1 100 Continue\r\n\r\n");
        auto left = end + 4 + body_size(std::string_view(received).substr(0, end + 4));
        while (received.size() < left) {
            left -= received.size();
            received.clear();
            if (!receive(connection, received)) return;
        }
        if (received.find(" /late") < end) connection.sleep(3ms);  // why: the client is to wait
        received.erase(0, left);
        if (!connection.write(response)) return;
    }
}

void announce(const Origin& origin, const Nginx* nginx) {
    std::cout << "{\"http\": \"" << origin.url("") << '"';
    if (nginx != nullptr) {
        std::cout << ", \"nginx\": \"" << nginx->url(Protocol::http, "/small") << "\", \"https\": \""
                  << nginx->url(Protocol::https, "/small") << "\", \"h2\": \""
                  << nginx->url(Protocol::h2, "/small") << "\", \"large\": \""
                  << nginx->url(Protocol::http, "/size/100m") << "\", \"ca\": \""
                  << (nginx->directory() / "ca.crt").string() << '"';
    }
    std::cout << '}' << std::endl;
}

}  // namespace

int main() {
    OriginOptions options;
    options.record_requests = false;
    options.backlog = 4096;
    const Origin origin(answer, options);
    std::unique_ptr<Nginx> nginx;
    if (Nginx::available()) {
        NginxOptions of_nginx;
        of_nginx.keepalive_requests = 1'000'000'000;
        of_nginx.http_directives = "keepalive_time 24h;";
        nginx = std::make_unique<Nginx>(of_nginx);
    }
    announce(origin, nginx.get());
    std::string line;
    std::size_t before = 0;
    while (std::getline(std::cin, line)) {
        const auto now = origin.accepts() + (nginx ? nginx->connections_served() : 0);
        std::cout << "{\"connections\": " << now - before << '}' << std::endl;
        before = now;
    }
}
