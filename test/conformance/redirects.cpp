// Conformance: redirects.
#include <catch2/generators/catch_generators.hpp>
#include <map>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

std::string moved(std::string_view to, int status = 302, std::string_view body = "elsewhere",
                  std::string_view fields = "") {
    return reply(body, status, "Location: " + std::string(to) + "\r\n" + std::string(fields));
}

// "REDIRECT" in gzip.
std::string gzipped() {
    static constexpr unsigned char bytes[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                              0x0b, 0x72, 0x75, 0xf1, 0x0c, 0x72, 0x75, 0x0e, 0x01, 0x00,
                                              0x67, 0x02, 0x3f, 0x05, 0x08, 0x00, 0x00, 0x00};
    return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

}  // namespace

TEST_CASE("C088 a redirect to the same origin keeps the connection", "[conformance][C088]") {
    const bool gzip = GENERATE(false, true);
    CAPTURE(gzip);
    Origin origin(handler([&](const Recorded& r) -> std::string {
        if (r.target != "/from") return ok;
        return gzip ? moved("/to", 302, gzipped(), "Content-Encoding: gzip\r\n") : moved("/to");
    }));
    Client client;
    auto response = client.session.get(origin.url("/from"));
    CHECK(response.status() == 200);
    CHECK(response.url() == origin.url("/to"));
    CHECK(response.text() == "ok");
    CHECK(origin.accepts() == 1);
    CHECK(origin.request_count() == 2);
    CHECK(client.log.warnings().empty());
    CHECK(client.cache.stats().dropped_unread == 0);
    client.check_end(origin.url());
}

TEST_CASE("C088 a redirect of HEAD has no body to be discarded, whatever it announces",
          "[conformance][C088]") {
    const auto announced = GENERATE("65536", "65537", "5000000");
    Origin origin(respond_in_turn(
        {"HTTP/1.1 302 Found\r\nLocation: /to\r\nContent-Length: " + std::string(announced) + "\r\n\r\n",
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}));
    Client client;
    CHECK(client.session.head(origin.url()).status() == 200);
    CHECK(origin.accepts() == 1);
    CHECK(client.cache.stats().closed == 0);
    CHECK(client.at_rest());
}

TEST_CASE("C088 a redirect works without idle connections", "[conformance][C088]") {
    Origin origin(handler([&](const Recorded& r) { return r.target == "/from" ? moved("/to") : ok; }));
    Client client([](auto& b) { b.max_idle(0).max_connections(1); });
    CHECK(client.session.get(origin.url("/from")).text() == "ok");
    CHECK(origin.request_count() == 2);
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C088 a redirect whose connection ends is followed on a new one", "[conformance][C088]") {
    const bool half_closed = GENERATE(false, true);
    CAPTURE(half_closed);
    Origin origin(
        scripts_in_turn({[&](Connection& c) {
                             c.read_request();
                             c.write(moved("/to", 302, "gone", half_closed ? "" : "Connection: close\r\n"));
                             if (half_closed) c.shutdown_write();
                             c.wait_for_fin();
                         },
                         respond_with(ok)}));
    Client client;
    auto response = client.session.get(origin.url("/from"));
    CHECK(response.text() == "ok");
    CHECK(response.url() == origin.url("/to"));
    CHECK(origin.accepts() == 2);
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C090 a redirect to another origin leaves the first one's connection idle", "[conformance][C090]") {
    Origin second(respond_with(reply("second")));
    Origin first(respond_with(moved(second.url("/there"))));
    Client client([](auto& b) { b.max_connections_per_host(1).acquire_timeout(0s); });
    auto response = client.session.get(first.url());
    CHECK(response.url() == second.url("/there"));
    CHECK(client.cache.stats().idle == 1);
    CHECK(client.cache.stats().leased == 1);
    CHECK(response.text() == "second");
    CHECK(client.cache.stats().idle == 2);
    CHECK(first.accepts() == 1);
    CHECK(second.accepts() == 1);
    CHECK(client.session.get(first.url()).text() == "second");
    CHECK(first.accepts() == 1);
    CHECK(second.accepts() == 1);
    client.check_end(first.url());
}

TEST_CASE("C091 credentials do not follow to another origin", "[conformance][C091]") {
    const auto secrets = [](Request request) {
        return request.header("Authorization", "Bearer s3cret")
            .header("Cookie", "id=s3cret")
            .header("Proxy-Authorization", "Basic s3cret")
            .header("X-Kept", "yes");
    };
    const auto carries = [](const Recorded& r) { return r.head.find("s3cret") != std::string::npos; };
    Origin other(respond_with(ok));
    OriginOptions with_tls;
    with_tls.tls = true;
    Origin tls(respond_with(ok), with_tls);
    std::map<std::string, std::string, std::less<>> targets;
    Origin origin(handler([&](const Recorded& r) {
        const auto to = targets.find(r.target);
        return to == targets.end() ? ok : moved(to->second);
    }));
    targets = {{"/port", other.url()},
               {"/host", origin.url_for("localhost", "/end")},
               {"/scheme", tls.url()},
               {"/same", "/end"}};
    Client client;
    client.session.ca_blob(TestCa::instance().pem());

    client.session.send(secrets(Request::get(origin.url("/port")))).text();
    REQUIRE(other.request_count() == 1);
    CHECK_FALSE(carries(other.requests().back()));
    CHECK(other.requests().back().header("X-Kept") == "yes");

    client.session.send(secrets(Request::get(origin.url("/host")))).text();
    CHECK(origin.requests().back().target == "/end");
    CHECK_FALSE(carries(origin.requests().back()));

    client.session.send(secrets(Request::get(origin.url("/scheme")))).text();
    REQUIRE(tls.request_count() == 1);
    CHECK_FALSE(carries(tls.requests().back()));

    client.session.send(secrets(Request::get(origin.url("/same")))).text();
    CHECK(origin.requests().back().target == "/end");
    CHECK(carries(origin.requests().back()));

    // Settings that become these fields, and user info in the URL, stay behind as well.
    client.session.send(Request::get(origin.url("/port")).basic_auth("user", "pass")).text();
    CHECK_FALSE(other.requests().back().header("Authorization"));
    client.session.send(Request::get(origin.url("/same")).basic_auth("user", "pass")).text();
    CHECK(origin.requests().back().header("Authorization"));
    client.session.send(Request::get(origin.url("/port")).bearer("token")).text();
    CHECK_FALSE(other.requests().back().header("Authorization"));
    const auto port = std::to_string(origin.port());
    client.session.get("http://user:pass@127.0.0.1:" + port + "/port").text();
    CHECK_FALSE(other.requests().back().header("Authorization"));
    client.session.get("http://user:pass@127.0.0.1:" + port + "/same").text();
    CHECK(origin.requests().back().header("Authorization"));
    client.check_end(origin.url("/end"));
}

TEST_CASE("C092 what a redirect does to method and body", "[conformance][C092]") {
    struct Case {
        int status;
        const char* sent;
        const char* resent;
        bool with_body;
    };
    const auto c = GENERATE(
        Case{301, "POST", "GET", false}, Case{302, "POST", "GET", false}, Case{303, "POST", "GET", false},
        Case{307, "POST", "POST", true}, Case{308, "POST", "POST", true}, Case{303, "PUT", "GET", false},
        Case{301, "PUT", "PUT", true}, Case{302, "HEAD", "HEAD", false}, Case{303, "HEAD", "HEAD", false},
        Case{307, "HEAD", "HEAD", false}, Case{301, "GET", "GET", false}, Case{307, "PATCH", "PATCH", true},
        Case{303, "DELETE", "GET", false});
    CAPTURE(c.status, c.sent);
    Origin origin(handler([&](const Recorded& r) {
        return r.target == "/from" ? moved("/to", c.status, r.method == "HEAD" ? "" : "x") : ok;
    }));
    Client client;
    Request request(c.sent, origin.url("/from"));
    const std::string method = c.sent;
    if (method == "POST" || method == "PUT" || method == "PATCH")
        request.body("payload").header("Content-Type", "text/plain");
    auto response = client.session.send(request);
    CHECK(response.status() == 200);
    response.consume();
    REQUIRE(origin.request_count() == 2);
    const auto second = origin.requests()[1];
    CHECK(second.method == c.resent);
    CHECK(second.body == (c.with_body ? "payload" : ""));
    CHECK(second.header("Content-Type").has_value() == c.with_body);
    CHECK(second.header("Content-Length").has_value() == c.with_body);
    CHECK_FALSE(second.header("Transfer-Encoding"));
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url("/to"));
}

TEST_CASE("C092 a one-shot body cannot follow a 307", "[conformance][C092]") {
    Origin origin(handler([&](const Recorded& r) { return r.target == "/from" ? moved("/to", 307) : ok; }));
    Client client;
    int reads = 0;
    const auto body = Body::pull([&](std::span<std::byte> to) -> std::size_t {
        if (reads++ != 0) return 0;
        to[0] = std::byte{'x'};
        return 1;
    });
    const auto outcome = outcome_of([&] { client.session.post(origin.url("/from"), body); });
    CHECK(outcome.code == Errc::body_not_replayable);
    CHECK(origin.request_count() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C094 a loop ends after the limit", "[conformance][C094]") {
    Origin origin(handler([](const Recorded& r) { return r.target == "/loop" ? moved("/loop") : ok; }));
    Client client;
    const auto looped =
        outcome_of([&] { client.session.send(Request::get(origin.url("/loop")).follow_redirects(5)); });
    CHECK(looped.code == Errc::too_many_redirects);
    CHECK(origin.request_count() == 6);
    CHECK(origin.accepts() == 1);
    CHECK(client.cache.stats().idle == 1);
    CHECK(outcome_of([&] { client.session.get(origin.url("/loop")); }).code == Errc::too_many_redirects);
    CHECK(origin.request_count() == 6 + 11);
    auto unfollowed = client.session.send(Request::get(origin.url("/loop")).follow_redirects(0));
    CHECK(unfollowed.status() == 302);
    CHECK(unfollowed.text() == "elsewhere");
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("C095 a redirect without a usable Location", "[conformance][C095]") {
    const auto answered = [](const std::string& fields) { return reply("stay", 301, fields); };
    Client client;
    SECTION("missing or empty: it is the answer") {
        const auto fields =
            GENERATE(std::string(), std::string("Location:\r\n"), std::string("Location: \r\n"));
        Origin origin(respond_in_turn({answered(fields), ok}));
        auto response = client.session.get(origin.url());
        CHECK(response.status() == 301);
        CHECK(response.text() == "stay");
        client.check_end(origin.url());
        CHECK(origin.accepts() == 1);
    }
    SECTION("two that differ: nobody knows") {
        Origin origin(
            scripts_in_turn({respond_with(answered("Location: /a\r\nLocation: /b\r\n")), respond_with(ok)}));
        const auto outcome = outcome_of([&] { client.session.get(origin.url()); });
        CHECK(outcome.code == Errc::protocol);
        CHECK(origin.request_count() == 1);
        CHECK(client.cache.stats().idle == 0);
        client.check_end(origin.url());
    }
    SECTION("two that agree: followed") {
        Origin origin(handler([&](const Recorded& r) {
            return r.target == "/" ? answered("Location: /a\r\nLocation: /a\r\n") : ok;
        }));
        CHECK(client.session.get(origin.url()).text() == "ok");
        client.check_end(origin.url("/x"));
    }
    SECTION("another scheme: refused") {
        const char* to = GENERATE("ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/");
        Origin origin(respond_in_turn({answered("Location: " + std::string(to) + "\r\n"), ok}));
        const auto outcome = outcome_of([&] { client.session.get(origin.url()); });
        CHECK(outcome.code == Errc::unsupported_protocol);
        client.check_end(origin.url());
    }
    SECTION("no URL at all: an error that keeps nothing lent") {
        Origin origin(respond_in_turn({answered("Location: http://\r\n"), ok}));
        const auto outcome = outcome_of([&] { client.session.get(origin.url()); });
        CAPTURE(outcome.message);
        CHECK(outcome.threw);
        client.check_end(origin.url());
    }
}

TEST_CASE("C096 the answer shows nothing of an earlier hop", "[conformance][C096]") {
    Origin origin(
        respond_in_turn({"HTTP/1.1 301 Moved Permanently\r\nLocation: /b\r\nX-Foo: aaa\r\nX-Bar: "
                         "1\r\nContent-Length: 8\r\n\r\nREDIRECT",
                         "HTTP/1.1 200 Fine\r\nX-Foo: bbb\r\nContent-Length: 2\r\n\r\nOK", ok}));
    Client client;
    auto response = client.session.get(origin.url());
    CHECK(response.status() == 200);
    CHECK(response.reason() == "Fine");
    CHECK(response.headers().get("X-Foo") == "bbb");
    CHECK(response.headers().get_all("X-Foo").size() == 1);
    CHECK_FALSE(response.headers().contains("X-Bar"));
    CHECK_FALSE(response.headers().contains("Location"));
    CHECK(response.content_length() == 2);
    CHECK(response.text() == "OK");
    client.check_end(origin.url());
}
