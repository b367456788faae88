#include "support/script.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <memory>
#include <stdexcept>
#include <utility>

namespace ringlet::test {

namespace {

std::string status_line(int status) {
    return "HTTP/1.1 " + std::to_string(status) + (status == 200 ? " OK\r\n" : " Status\r\n");
}

// The n-th of a list, or the last one.
template <typename T>
const T& nth_or_last(const std::vector<T>& list, std::size_t n) {
    if (list.empty()) throw std::invalid_argument("an empty list");
    return list[std::min(n, list.size() - 1)];
}

}  // namespace

Script respond_with(std::string raw) {
    return [raw = std::move(raw)](Connection& connection) {
        while (connection.read_request() && connection.write(raw)) {
        }
    };
}

Script handler(std::function<std::string(const Recorded&)> answer) {
    return [answer = std::move(answer)](Connection& connection) {
        while (auto request = connection.read_request())
            if (!connection.write(answer(*request))) return;
    };
}

Script respond_in_turn(std::vector<std::string> raws) {
    auto next = std::make_shared<std::atomic<std::size_t>>(0);
    return handler([raws = std::move(raws), next](const Recorded&) { return nth_or_last(raws, (*next)++); });
}

Script respond_and_close(std::string raw) {
    return [raw = std::move(raw)](Connection& connection) {
        if (connection.read_request()) connection.write(raw);
        connection.close();
    };
}

Script scripts_in_turn(std::vector<Script> scripts) {
    return [scripts = std::move(scripts)](Connection& connection) {
        nth_or_last(scripts, connection.index())(connection);
    };
}

Script echo_target() {
    return handler([](const Recorded& request) { return reply("body of " + request.target); });
}

void send_back(Connection& connection) {
    while (true) {
        const auto bytes = connection.read_some();
        if (bytes.empty()) return connection.close();
        connection.write(bytes);
    }
}

Script stay_silent() {
    return [](Connection&) {};
}

std::string reply(std::string_view body, int status, std::string_view fields) {
    std::string raw = status_line(status);
    raw.append(fields) += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    return raw.append(body);
}

std::string chunk(std::string_view bytes) {
    char size[20];
    auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
    return std::string(size, end).append("\r\n").append(bytes).append("\r\n");
}

std::string chunked_reply(const std::vector<std::string>& pieces, int status, std::string_view fields) {
    std::string raw = status_line(status);
    raw.append(fields) += "Transfer-Encoding: chunked\r\n\r\n";
    for (const auto& piece : pieces) raw += chunk(piece);
    return raw + chunk("");
}

}  // namespace ringlet::test
