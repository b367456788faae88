#include "support/upstream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace ringlet::test {

bool Upstream::send(std::string_view bytes) {
    while (!bytes.empty()) {
        ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) return false;
        if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

bool Upstream::fill(const Connection& client) {
    char bytes[16384];
    while (client.wait_for_events(socket_.get(), POLLIN)) {
        ssize_t n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        buffered_.append(bytes, static_cast<std::size_t>(n));
        return true;
    }
    return false;
}

// `end` becomes the position after the mark.
bool Upstream::read_until(const Connection& client, std::string_view mark, std::size_t& end) {
    std::size_t at;
    while ((at = buffered_.find(mark)) == std::string::npos)
        if (!fill(client)) return false;
    end = at + mark.size();
    return true;
}

bool Upstream::relay(Connection& client, std::size_t n) {
    while (n > 0) {
        if (buffered_.empty() && !fill(client)) return false;
        auto piece = std::min(n, buffered_.size());
        if (!client.write({buffered_.data(), piece})) return false;
        buffered_.erase(0, piece);
        n -= piece;
    }
    return true;
}

bool Upstream::relay_chunks(Connection& client) {
    std::size_t end = 0;
    for (;;) {
        if (!read_until(client, "\r\n", end)) return false;
        auto size = std::strtoull(buffered_.c_str(), nullptr, 16);
        if (!relay(client, end + size)) return false;
        if (size == 0) break;
        if (!relay(client, 2)) return false;
    }
    // Trailers, and the empty line.
    do {
        if (!read_until(client, "\r\n", end)) return false;
        if (!relay(client, end)) return false;
    } while (end > 2);
    return true;
}

bool Upstream::relay_rest(Connection& client) {
    do {
        if (!relay(client, buffered_.size())) return false;
    } while (fill(client));
    return false;
}

bool Upstream::relay_body(Connection& client, const Recorded& head, std::string_view method) {
    int status = std::atoi(head.target.c_str());
    if (method == "HEAD" || status == 204 || status == 304) return true;
    if (auto coding = head.header("transfer-encoding"); coding && equal_ignoring_case(*coding, "chunked"))
        return relay_chunks(client);
    if (auto length = head.header("content-length"))
        return relay(client, std::strtoull(length->c_str(), nullptr, 10));
    return relay_rest(client);
}

bool Upstream::relay_response(Connection& client, std::string_view method) {
    for (;;) {
        std::size_t end = 0;
        if (!read_until(client, "\r\n\r\n", end)) return false;
        // "HTTP/1.1 200 OK" parses like a request line: the status is its target.
        Recorded head;
        head.head = buffered_.substr(0, end);
        head.head.insert(head.head.find("\r\n"), " .");
        if (!parse_request_line(head) || !relay(client, end)) return false;
        bool interim = head.target.starts_with('1') && !head.target.starts_with("101");
        if (interim) continue;
        if (!relay_body(client, head, method)) return false;
        auto connection = head.header("connection");
        return !connection || !equal_ignoring_case(*connection, "close");
    }
}

}  // namespace ringlet::test
