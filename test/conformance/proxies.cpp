// Proxies: what is shared through them, what is told to them, and how they fail.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"
#include "support/proxy.hpp"
#include "support/tunnel.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

std::string url_of(const Origin& proxy, std::string_view user = {}) {
    return "http://" + std::string(user) + "127.0.0.1:" + std::to_string(proxy.port());
}

Outcome get_through(Client& client, const std::string& proxy, const std::string& url) {
    Session session(client.cache);
    session.ca_blob(ca()).proxy(proxy).timeout(10s);
    return outcome_of([&] { session.get(url).text(); });
}

}  // namespace

TEST_CASE("C122 two plain origins share one connection to their proxy", "[conformance][C122]") {
    Origin target(echo_target());
    HttpProxy proxy({.target_port = target.port()});
    Client client;
    client.session.proxy(proxy.url());
    CHECK(client.session.get("http://a.test/one").text() == "body of /one");
    CHECK(client.session.get("http://b.test/two").text() == "body of /two");
    CHECK(proxy.origin().accepts() == 1);
    const auto requests = proxy.absolute_requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].target == "http://a.test/one");
    CHECK(requests[0].header("Host") == "a.test");
    CHECK(requests[1].target == "http://b.test/two");
    CHECK(requests[1].header("Host") == "b.test");
    client.check_end(target.url());
}

TEST_CASE("C124 a tunnel that its server ends is made anew", "[conformance][C124]") {
    Origin target(respond_and_close(reply("hello", 200, "Connection: close\r\n")), tls_options());
    HttpProxy proxy;
    Client client;
    client.session.ca_blob(ca()).proxy(proxy.url());
    CHECK(client.session.get(target.url()).text() == "hello");
    CHECK(client.session.get(target.url()).text() == "hello");
    CHECK(proxy.origin().accepts() == 2);
    CHECK(proxy.connects() == 2);
    CHECK(client.at_rest());
    CHECK(client.cache.stats().open == 0);
}

TEST_CASE("C124 a tunnel is kept and used again", "[conformance][C124]") {
    Origin target(echo_target(), tls_options());
    HttpProxy proxy;
    Client client;
    client.session.ca_blob(ca()).proxy(proxy.url());
    for (int i = 0; i < 3; ++i) CHECK(client.session.get(target.url()).text() == "body of /");
    CHECK(proxy.connects() == 1);
    CHECK(target.accepts() == 1);
    CHECK(client.at_rest());
}

TEST_CASE("C125 a proxy that refuses CONNECT fails the request at once", "[conformance][C125]") {
    const std::vector<std::string> answers = {
        "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way",
        "HTTP/1.1 400\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 1000\r\n\r\ncut",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 ",
    };
    for (const auto& answer : answers) {
        INFO(answer);
        Origin proxy(respond_and_close(answer));
        Client client;
        const auto outcome = get_through(client, url_of(proxy), "https://target.test/");
        CHECK(outcome.threw);
        CHECK(outcome.code == Errc::proxy);
        CHECK_FALSE(outcome.retryable);
        CHECK(proxy.request_count() == 1);
        CHECK(proxy.accepts() == 1);
        CHECK(proxy.wait_for_open(0));
        CHECK(client.at_rest());
        CHECK(client.cache.stats().open == 0);
    }
}

TEST_CASE("C125 the proxy's refusal is in the error", "[conformance][C125]") {
    Origin proxy(respond_with("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way"));
    Client client;
    const auto outcome = get_through(client, url_of(proxy), "https://target.test/");
    CHECK(outcome.code == Errc::proxy);
    CHECK(outcome.message.find("403") != std::string::npos);
    CHECK(proxy.wait_for_ends(1));
    CHECK(client.cache.stats().open == 0);
}

TEST_CASE("C126 a proxy that drops each CONNECT is asked once", "[conformance][C126]") {
    SECTION("on a fresh connection") {
        Origin proxy([](Connection& connection) {
            connection.read_request();
            connection.close();
        });
        Client client;
        const auto outcome = get_through(client, url_of(proxy), "https://target.test/");
        CHECK(outcome.code == Errc::proxy);
        CHECK(proxy.request_count() == 1);
        CHECK(proxy.accepts() == 1);
        CHECK(client.at_rest());
    }
    SECTION("after a good tunnel was lost") {
        Origin target(respond_and_close(reply("hello")), tls_options());
        Origin proxy([&](Connection& connection) {
            if (!connection.read_request()) return;
            if (connection.index() > 0) return connection.close();
            connection.write("HTTP/1.1 200 Connection established\r\n\r\n");
            tunnel(connection, connect_tcp(target.port()));
        });
        Client client;
        CHECK_FALSE(get_through(client, url_of(proxy), target.url()).threw);
        REQUIRE(eventually([&] { return client.cache.stats().open == 0; }));  // its end has arrived
        const auto outcome = get_through(client, url_of(proxy), target.url());
        CHECK(outcome.code == Errc::proxy);
        CHECK(proxy.request_count() == 2);
        CHECK(client.at_rest());
    }
}

TEST_CASE("C128 a proxy that asks for a password gets it on the same connection", "[conformance][C128]") {
    Origin target(echo_target(), tls_options());
    HttpProxy proxy({.user = "user", .password = "secret"});
    Client client;
    CHECK_FALSE(get_through(client, proxy.url_with_password(), target.url()).threw);
    CHECK(proxy.origin().accepts() == 1);
    CHECK(target.request_count() == 1);
    CHECK(client.at_rest());
}

TEST_CASE("C128 a proxy that never accepts a password is not asked forever", "[conformance][C128]") {
    const auto keeps = GENERATE(true, false);
    Origin proxy([keeps](Connection& connection) {
        while (connection.read_request()) {
            const std::string close = keeps ? "" : "Connection: close\r\n";
            connection.write(reply("", 407, "Proxy-Authenticate: Basic realm=\"p\"\r\n" + close));
            if (!keeps) return connection.close();
        }
    });
    Client client;
    const auto outcome = get_through(client, url_of(proxy, "user:wrong@"), "https://target.test/");
    CHECK(outcome.code == Errc::proxy);
    CHECK(proxy.request_count() <= 3);
    CHECK(client.at_rest());
    CHECK(client.cache.stats().open == 0);
    CHECK(proxy.wait_for_open(0));
}

TEST_CASE("C129 a proxy is told what it needs and the server nothing of the proxy", "[conformance][C129]") {
    Origin target(echo_target(), tls_options());
    HttpProxy proxy({.user = "user", .password = "secret"});
    Client client;
    client.session.ca_blob(ca()).proxy(proxy.url_with_password()).header("Private", "Secret");
    client.session.header("Cookie", "a=b").bearer("token");
    for (int i = 0; i < 2; ++i) CHECK(client.session.get(target.url()).text() == "body of /");
    for (const auto& connect : proxy.connect_requests()) {
        CHECK_FALSE(connect.header("Private"));
        CHECK_FALSE(connect.header("Cookie"));
        CHECK_FALSE(connect.header("Authorization"));
    }
    REQUIRE(proxy.connects() >= 1);
    CHECK(proxy.connect_requests().back().header("Proxy-Authorization"));
    for (const auto& request : target.requests()) {
        CHECK(request.header("Private") == "Secret");
        CHECK(request.header("Authorization") == "Bearer token");
        CHECK_FALSE(request.header("Proxy-Authorization"));
        CHECK_FALSE(request.header("Proxy-Connection"));
    }
    CHECK(target.request_count() == 2);
    CHECK(client.at_rest());
}

TEST_CASE("C130 a tunnel made with one password serves no other", "[conformance][C130]") {
    Origin target(echo_target(), tls_options());
    HttpProxy proxy({.user = "user", .password = "secret"});
    const auto bad = url_of(proxy.origin(), "user:wrong@");
    Client client;
    CHECK_FALSE(get_through(client, proxy.url_with_password(), target.url()).threw);
    CHECK(get_through(client, bad, target.url()).code == Errc::proxy);
    CHECK(get_through(client, proxy.url(), target.url()).code == Errc::proxy);
    CHECK(proxy.origin().accepts() == 3);
    CHECK(proxy.tunnels().size() == 1);
    CHECK(target.request_count() == 1);
    CHECK_FALSE(get_through(client, proxy.url_with_password(), target.url()).threw);
    CHECK(proxy.origin().accepts() == 3);
    CHECK(client.at_rest());
}

TEST_CASE("C130 plain requests through a proxy are shared only by its users", "[conformance][C130]") {
    Origin target(echo_target());
    HttpProxy proxy({.user = "user", .password = "secret", .target_port = target.port()});
    Client client;
    Session good(client.cache);
    good.proxy(proxy.url_with_password());
    CHECK(good.get("http://a.test/").status() == 200);
    for (const auto& other : {url_of(proxy.origin(), "user:wrong@"), proxy.url()}) {
        Session session(client.cache);
        session.proxy(other);
        auto response = session.get("http://a.test/");
        CHECK(response.status() == 407);
        CHECK_FALSE(response.reused());
    }
    CHECK(target.request_count() == 1);
    CHECK(proxy.origin().accepts() == 3);
    client.check_end(target.url());
}
