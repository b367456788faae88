// What the servers of the scenarios answer.
#include <string>
#include <string_view>

#include "compat/scenario.hpp"

namespace ringlet::test {

std::string redirect_to(const std::string& to, int status) {
    return reply("moved", status, "Location: " + to + "\r\n");
}

std::string challenge(const Recorded& r, std::string_view scheme, std::string_view accepted) {
    const auto given = r.header("Authorization");
    if (given && given->starts_with(accepted)) return reply("welcome");
    return reply("who?", 401, "WWW-Authenticate: " + std::string(scheme) + "\r\n");
}

/// An answer for each path.
std::string answer(const Recorded& r) {
    const std::string_view path = r.target;
    if (path == "/echo") return reply(r.method + ' ' + r.head + r.body, 200, "Content-Type: text/plain\r\n");
    if (path == "/chunked") return chunked_reply({"one", "two", "three"}, 200, "X-Kind: chunked\r\n");
    if (path == "/empty") return reply("");
    if (path == "/204") return "HTTP/1.1 204 No Content\r\n\r\n";
    if (path == "/304") return "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n";
    if (path == "/404") return reply("not here", 404);
    if (path == "/503") return reply("later", 503, "Retry-After: 7\r\n");
    if (path == "/close") return reply("bye", 200, "Connection: close\r\n");
    if (path == "/early") return "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply("after hints");
    if (path == "/http10") return "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold";
    if (path == "/to-echo") return redirect_to("/echo");
    if (path == "/to-echo-307") return redirect_to("/echo", 307);
    if (path == "/to-echo-303") return redirect_to("/echo", 303);
    if (path == "/loop") return redirect_to("/loop");
    if (path == "/to-ftp") return redirect_to("ftp://127.0.0.1:1/x");
    if (path == "/basic") return challenge(r, "Basic realm=\"r\"", "Basic dXNlcjpzZWNyZXQ=");
    if (path == "/digest")
        return challenge(r, "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", "Digest username=\"user\"");
    if (path == "/bearer") return challenge(r, "Bearer", "Bearer token");
    if (path == "/cookie") return reply("c", 200, "Set-Cookie: a=1; path=/\r\nSet-Cookie: b=2; path=/\r\n");
    if (path == "/range" && r.header("Range")) return reply("567", 206, "Content-Range: bytes 5-7/10\r\n");
    if (path == "/range") return reply("0123456789");
    if (path == "/dated") return reply("d", 200, "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    if (path == "/large") return reply(std::string(300'000, 'L'));
    if (path == "/417" && r.header("Expect")) return reply("no", 417);
    if (path == "/417") return reply("fine");
    if (path == "/two-lengths") return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc";
    if (path == "/bad-chunk") return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc";
    return reply("hello", 200, "X-Path: " + r.target + "\r\n");
}

/// What takes the whole connection.
void serve_site(Connection& c) {
    while (const auto r = c.read_request()) {
        if (r->target == "/silent") return c.wait_for_stop();
        if (r->target == "/hang-up") return c.close();
        if (r->target == "/reset") return c.reset();
        if (r->target == "/garbage") {
            c.write("this is not HTTP\r\n\r\n");
            return c.close();
        }
        if (r->target == "/cut") {
            c.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
            return c.close();
        }
        if (r->target == "/until-close") {
            c.write("HTTP/1.1 200 OK\r\n\r\nup to the end");
            return c.close();
        }
        c.write(answer(*r));
        if (r->target == "/close") return c.close();
    }
}

H2Action answer_h2(const H2Request& r) {
    return h2_respond("h2 " + r.body, 200, {{"x-kind", "h2"}});
}

}  // namespace ringlet::test
