// HTTP over a connection that is there already: here one end of a socketpair, as between two processes.
//
//     http_over_socketpair
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <thread>

namespace {

std::string read_some(ringlet::Socket& socket) {
    std::string bytes(4096, '\0');
    bytes.resize(socket.read(std::as_writable_bytes(std::span(bytes))));
    return bytes;
}

void write(ringlet::Socket& socket, std::string_view text) {
    socket.write(std::as_bytes(std::span(text.data(), text.size())));
}

// The other process: answers two requests, then speaks a protocol of its own.
void serve(ringlet::Socket socket) {
    for (int i = 0; i < 2; ++i) {
        std::string request;
        while (request.find("\r\n\r\n") == std::string::npos) request += read_some(socket);
        write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    }
    if (read_some(socket) == "ping") write(socket, "pong");
}

}  // namespace

int main() try {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return 1;
    std::thread peer(serve, ringlet::Socket::adopt(ends[1]));

    ringlet::HttpOverSocket http(ringlet::Socket::adopt(ends[0]));
    for (int i = 0; i < 2; ++i) {
        auto response = http.get("http://example.com/");  // a name for the Host field; nothing is resolved
        fmt::print("{} {}{}\n", response.status(), response.text(), response.reused() ? ", again" : "");
    }

    auto socket = http.release();  // after a clean exchange the connection can be used for something else
    write(socket, "ping");
    fmt::print("{}\n", read_some(socket));
    peer.join();
} catch (const ringlet::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
}
