// A WebSocket (RFC 6455) by hand: the handshake with upgrade(), then one text frame each way.
//
//     websocket_echo http://localhost:8080/echo
#include <ringlet/ringlet.hpp>

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace {

// The RFC's own example: a program draws a key at random, and computes the answer that must come.
constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view expected_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

// One text frame of up to 125 bytes. A client masks what it sends (RFC 6455 section 5.3).
std::string masked_text_frame(std::string_view text) {
    constexpr std::array<char, 4> mask{'\x37', '\xfa', '\x21', '\x3d'};
    std::string frame{'\x81', static_cast<char>(0x80 | text.size())};
    frame.append(mask.begin(), mask.end());
    for (std::size_t i = 0; i < text.size(); ++i) frame += static_cast<char>(text[i] ^ mask[i % mask.size()]);
    return frame;
}

std::string read_exactly(ringlet::Socket& socket, std::size_t size) {
    std::string bytes(size, '\0');
    auto left = std::as_writable_bytes(std::span(bytes));
    while (!left.empty()) {
        const auto n = socket.read(left);
        if (n == 0) throw std::runtime_error("the server ended the connection");
        left = left.subspan(n);
    }
    return bytes;
}

std::string read_text_frame(ringlet::Socket& socket) {
    const auto head = read_exactly(socket, 2);
    return read_exactly(socket, static_cast<unsigned char>(head[1]) & 0x7f);
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2) return 2;
    ringlet::Session session;
    auto response = session.send(ringlet::Request::get(argv[1])
                                     .timeout(10s)
                                     .header("Connection", "Upgrade")
                                     .header("Upgrade", "websocket")
                                     .header("Sec-WebSocket-Version", "13")
                                     .header("Sec-WebSocket-Key", key));
    fmt::print("{} {}\n", response.status(), response.reason());
    if (response.status() != 101 || response.headers().get("Sec-WebSocket-Accept") != expected_accept)
        return 1;

    auto socket = response.upgrade();  // the connection is ours until the socket is closed
    socket.timeout(10s);
    const auto frame = masked_text_frame("hello from ringlet");
    socket.write(std::as_bytes(std::span(frame)));
    fmt::print("echo: {}\n", read_text_frame(socket));
} catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
}
