#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "support/connection.hpp"
#include "support/recorded.hpp"

namespace ringlet::test {

// What a server does with one connection. The same function object serves all connections, concurrently.
using Script = std::function<void(Connection&)>;

// Reads each request whole, answers it with these literal bytes and keeps the connection.
Script respond_with(std::string raw);

// The same, with raw response bytes made from the request.
Script handler(std::function<std::string(const Recorded&)> answer);

// The n-th request of the whole server gets the n-th of these; the last one repeats.
Script respond_in_turn(std::vector<std::string> raws);

// Reads one request, answers it and closes the connection (with a FIN).
Script respond_and_close(std::string raw);

// The n-th connection runs the n-th of these; the last one repeats.
Script scripts_in_turn(std::vector<Script> scripts);

// Answers each request with "body of " and its target.
Script echo_target();

// A script itself: sends back each byte until the client ends, then closes.
void send_back(Connection& connection);

// Accepts and reads nothing until the server stops.
Script stay_silent();

// A response with Content-Length. `fields` are whole lines that end in CRLF.
std::string reply(std::string_view body, int status = 200, std::string_view fields = "");

// The plainest one.
inline const std::string ok = reply("ok");

// The answer to a request for an upgrade to the protocol foo.
inline constexpr std::string_view switching =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n";

// A chunked response, one chunk for each piece.
std::string chunked_reply(const std::vector<std::string>& pieces, int status = 200,
                          std::string_view fields = "");

// One chunk with its size line; the empty one is the last chunk, with the blank line after it.
std::string chunk(std::string_view bytes);

}  // namespace ringlet::test
