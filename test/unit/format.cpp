// The texts of ringlet/format.hpp.
#include <ringlet/format.hpp>

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <limits>
#include <string>

using namespace ringlet;
using namespace std::chrono_literals;

namespace {

template <class T>
std::string text(const T& value) {
    return fmt::format("{}", value);
}

}  // namespace

TEST_CASE("enumerations are written by their names", "[format]") {
    CHECK(text(Errc::session_busy) == "session_busy");
    CHECK(text(Phase::connect) == "connect");
    CHECK(text(CloseReason::unread_body) == "unread_body");
    CHECK(text(ConnectionState::idle) == "idle");
    CHECK(text(Protocol::http_1_1) == "HTTP/1.1");
    CHECK(text(BodyState::partially_read) == "partially_read");
    CHECK(text(Event::Kind::replayed) == "replayed");
    CHECK(text(SocketState::half_closed) == "half_closed");
    CHECK(text(Replay::idempotent) == "idempotent");
    CHECK(text(HttpVersion::http_1_1) == "HTTP/1.1");
    CHECK(text(HttpVersion::http_2_prior_knowledge) == "HTTP/2 with prior knowledge");
    CHECK(text(IpVersion::v6) == "IPv6");
    CHECK(text(TlsVersion::v1_3) == "TLS 1.3");
    CHECK(text(TlsVersion{}) == "automatic");
}

TEST_CASE("a format specification is a string's", "[format]") {
    CHECK(fmt::format("[{:>8}]", Phase::tls) == "[     tls]");
    CHECK(fmt::format("[{:-<6}]", Limit(42)) == "[42----]");
    CHECK(fmt::format("[{:.4}]", CloseReason::peer_closed) == "[peer]");
}

TEST_CASE("limits and durations are written exactly", "[format]") {
    CHECK(text(Limit(128)) == "128");
    CHECK(text(Limit(0)) == "0");
    CHECK(text(Limit(unlimited)) == "unlimited");
    CHECK(text(Limit(-1)) == "invalid");
    CHECK(text(Duration(118s)) == "118s");
    CHECK(text(Duration(1500ms)) == "1500ms");
    CHECK(text(Duration(20us)) == "20us");
    CHECK(text(Duration(7ns)) == "7ns");
    CHECK(text(Duration()) == "0s");
    CHECK(text(Duration(-2s)) == "-2s");
    CHECK(text(Duration(unlimited)) == "unlimited");
    CHECK(Duration(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())).negative());
}

TEST_CASE("a connection shows what is known of it", "[format]") {
    ConnectionInfo info;
    info.id = 7;
    info.origin = "https://example.com:443";
    CHECK(text(info) == "#7 https://example.com:443 connecting, served 0, age 0us");
    info.state = ConnectionState::idle;
    info.protocol = Protocol::http_2;
    info.requests_served = 3;
    info.age = 4200ms;
    info.idle_time = 1500us;
    info.local_address = "10.0.0.1:40000";
    info.remote_address = "[::1]:443";
    CHECK(
        text(info) ==
        "#7 https://example.com:443 idle for 1.5ms, HTTP/2, served 3, age 4.2s, 10.0.0.1:40000 -> [::1]:443");
}

TEST_CASE("an event shows its reason only when it closes, its time only when it waited", "[format]") {
    Event event{.kind = Event::Kind::opened, .connection_id = 2, .origin = "http://a:80"};
    CHECK(text(event) == "opened #2 http://a:80");
    event.kind = Event::Kind::closed;
    event.reason = CloseReason::expired;
    CHECK(text(event) == "closed #2 http://a:80: expired");
    event.kind = Event::Kind::waited;
    event.waited = 840us;
    CHECK(text(event) == "waited #2 http://a:80: 840us");
}

TEST_CASE("statistics name only the close reasons that happened", "[format]") {
    CacheStats stats;
    CHECK(text(stats) ==
          "0 open (0 connecting, 0 leased, 0 idle), 0 waiting; 0 requests, 0 opened, 0 reused, 0 closed, 0 "
          "waits, "
          "0 acquire timeouts, 0 dropped unread, 0 replays");
    stats.open = 3;
    stats.leased = 1;
    stats.idle = 2;
    stats.requests = 40;
    stats.opened = 5;
    stats.reused = 35;
    stats.closed = 2;
    stats.closed_by[CloseReason::expired] = 1;
    stats.closed_by[CloseReason::shutdown] = 1;
    CHECK(text(stats) ==
          "3 open (0 connecting, 1 leased, 2 idle), 0 waiting; 40 requests, 5 opened, 35 reused, 2 closed "
          "(expired 1, shutdown 1), 0 waits, 0 acquire timeouts, 0 dropped unread, 0 replays");
}

TEST_CASE("connections closed by reason name only what happened", "[format]") {
    ClosedBy closed;
    CHECK(text(closed).empty());
    closed[CloseReason::expired] = 3;
    closed[CloseReason::peer_closed] = 1;
    CHECK(text(closed) == "expired 3, peer_closed 1");
}

TEST_CASE("an error is its message", "[format]") {
    const Error error(Errc::timeout, "GET http://a:80/ while connecting: too long");
    CHECK(text(error) == "GET http://a:80/ while connecting: too long");
    CHECK(fmt::format("{:.3}", error) == "GET");
}

TEST_CASE("header fields are written one to a line, without secrets", "[format]") {
    Headers headers;
    CHECK(text(headers).empty());
    headers.add("Content-Type", "text/plain");
    headers.add("X-Empty", "");
    CHECK(text(headers[0]) == "Content-Type: text/plain");
    CHECK(text(headers) == "Content-Type: text/plain\nX-Empty: ");
    headers.clear();
    headers.add("AUTHORIZATION", "Basic c2VjcmV0");
    headers.add("Proxy-Authorization", "Basic c2VjcmV0");
    headers.add("cookie", "a=b");
    headers.add("Set-Cookie", "a=b");
    headers.add("Cookies", "a=b");
    CHECK(text(headers) ==
          "AUTHORIZATION: ...\nProxy-Authorization: ...\ncookie: ...\nSet-Cookie: ...\nCookies: a=b");
}

TEST_CASE("limits of a drain name both", "[format]") {
    CHECK(text(DrainLimits{}) == "bytes unlimited, time unlimited");
    CHECK(text(DrainLimits{.bytes = 1024, .time = 100ms}) == "bytes 1024, time 100ms");
}

TEST_CASE("a disposition says what became of the connection", "[format]") {
    CHECK(text(Disposition{.reused = true}) == "kept open");
    CHECK(text(Disposition{.reused = true, .discarded_bytes = 512}) == "kept open, 512 bytes discarded");
    CHECK(text(Disposition{.reason = CloseReason::drain_limit}) == "closed: drain_limit");
}

TEST_CASE("an explanation lists each candidate under its summary", "[format]") {
    Explanation explanation;
    explanation.summary = "reuses #4";
    explanation.candidates.resize(2);
    explanation.candidates[0].connection.id = 4;
    explanation.candidates[0].reason = "usable";
    explanation.candidates[1].connection.id = 5;
    explanation.candidates[1].reason = "leased";
    CHECK(text(explanation) == "reuses #4\n  #4 usable\n  #5 leased");
    CHECK(text(explanation.candidates[1]) == "#5 leased");
}

TEST_CASE("timings, progress and a retry policy fit on a line", "[format]") {
    Timings timings;
    timings.connected = 250us;
    timings.total = 12345us;
    CHECK(text(timings) ==
          "queued 0us, resolved 0us, connected 250us, tls 0us, sent 0us, first byte 0us, total 12.3ms");
    timings.redirects = 2s;
    CHECK(text(timings).ends_with(", redirects 2.0s"));
    CHECK(text(Progress{}) == "0 bytes down, 0 up");
    CHECK(text(Progress{.downloaded = 10, .download_total = 20, .uploaded = 1}) ==
          "10 of 20 bytes down, 1 up");
    CHECK(text(RetryPolicy{}) == "3 attempts, backoff 100ms to 10s, on 429 502 503 504 and connect failures");
    CHECK(text(RetryPolicy{.statuses = {503}, .connect_failures = false, .any_method = true}) ==
          "3 attempts, backoff 100ms to 10s, on 503, any method");
}
