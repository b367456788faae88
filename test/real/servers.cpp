// The smoke matrix over the servers that are installed.
#include <catch2/catch_test_macros.hpp>

#include <string>

#include "ringlet/ringlet.hpp"
#include "smoke.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/real_server.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// What stands behind the proxies: the documents of the others. HEAD is answered without a body.
std::string document(const Recorded& request) {
    if (request.target == "/small") return reply(small_body());
    if (request.target == "/size/1m") return reply(std::string(1 << 20, '\0'));
    if (request.target == "/size/100m") return reply(std::string(100 << 20, '\0'));
    if (request.target == "/echo") return reply(request.body);
    return reply("", 404);
}

Script documents() {
    return handler([](const Recorded& request) {
        auto answer = document(request);
        if (request.method == "HEAD") answer.resize(answer.find("\r\n\r\n") + 4);
        return answer;
    });
}

OriginOptions large_bodies() {
    OriginOptions options;
    options.record_requests = false;
    return options;
}

}  // namespace

TEST_CASE("nginx", "[real][nginx]") {
    if (!Nginx::available()) SKIP("nginx is not installed");
    Nginx server;
    smoke(server, [&] { return server.connections_served(); });
}

TEST_CASE("nginx restarts", "[real][nginx]") {
    if (!Nginx::available()) SKIP("nginx is not installed");
    Nginx server;
    survives_restart(server);
}

TEST_CASE("nginx closes after a number of requests, and nobody notices", "[real][nginx]") {
    if (!Nginx::available()) SKIP("nginx is not installed");
    NginxOptions options;
    options.keepalive_requests = 3;
    Nginx server(options);
    Client client;
    for (int i = 0; i < 10; ++i) {
        CHECK(client.session.get(server.url(test::Protocol::http, "/small")).text() == small_body());
    }
    CHECK(client.cache.stats().opened == 4);
    CHECK(client.cache.stats().replays == 0);
    CHECK(client.at_rest());
}

TEST_CASE("nginx closes idle connections, and nobody notices", "[real][nginx]") {
    if (!Nginx::available()) SKIP("nginx is not installed");
    NginxOptions options;
    options.keepalive_timeout = "100ms";
    Nginx server(options);
    Client client;
    client.session.replay(Replay::never);
    for (int i = 0; i < 3; ++i) {
        CHECK(client.session.get(server.url(test::Protocol::http, "/small")).text() == small_body());
        CHECK(eventually([&] { return client.cache.stats().open == 0; }));  // without any traffic of ours
    }
    CHECK(client.cache.stats().opened == 3);
    CHECK(client.cache.stats().closed_by[CloseReason::peer_closed] == 3);
}

TEST_CASE("nginx asks for a password", "[real][nginx]") {
    if (!Nginx::available()) SKIP("nginx is not installed");
    Nginx server;
    Client client;
    const auto url = server.url(test::Protocol::http, "/basic");
    CHECK(client.session.get(url).status() == 401);
    client.session.basic_auth("user", "secret");
    CHECK(client.session.get(url).text() == small_body());
    CHECK(client.at_rest());
}

TEST_CASE("nginx gets every kind of body, where digest credentials are not asked for", "[real][nginx]") {
    if (!Nginx::available()) SKIP("nginx is not installed");
    Nginx server;
    const TempDir directory;
    const auto file = directory.write("body", "from a file");
    Client client;
    client.session.ca_blob(TestCa::instance().pem()).digest_auth("user", "secret").timeout(10s);
    for (const auto protocol : {test::Protocol::http, test::Protocol::h2}) {
        const auto url = server.url(protocol, "/echo");
        CHECK(client.session.post(url, "text").text() == "text");
        CHECK(client.session.post(url, "").text().empty());
        CHECK(client.session.post(url, file).text() == "from a file");
        auto form = client.session.send(Request::post(url).multipart({{.name = "field", .data = "value"}}));
        CHECK(form.text().find("\r\n\r\nvalue\r\n") != std::string::npos);
        CHECK(client.session.get(server.url(protocol, "/small")).text() == small_body());
    }
    CHECK(client.at_rest());
}

TEST_CASE("nginx compresses", "[real][nginx]") {
    if (!Nginx::available()) SKIP("nginx is not installed");
    Nginx server;
    Client client;
    auto response = client.session.get(server.url(test::Protocol::http, "/text"));
    CHECK(response.headers().get("Content-Encoding") == "gzip");
    CHECK(response.text().size() == 64 * 1024);
    auto raw = client.session.send(
        Request::get(server.url(test::Protocol::http, "/text")).accept_encoding(std::nullopt));
    CHECK_FALSE(raw.headers().contains("Content-Encoding"));
    CHECK(raw.text().size() == 64 * 1024);
    CHECK(client.cache.stats().opened == 1);
}

TEST_CASE("apache", "[real][apache]") {
    if (!Apache::available()) SKIP("apache2 is not installed");
    Apache server;
    smoke(server, [&] { return server.connections_served(); });
}

TEST_CASE("apache restarts", "[real][apache]") {
    if (!Apache::available()) SKIP("apache2 is not installed");
    Apache server;
    survives_restart(server);
}

TEST_CASE("h2o", "[real][h2o]") {
    if (!H2o::available()) SKIP("h2o is not installed");
    H2o server;
    smoke(server, [&] { return server.connections_served(); });
}

TEST_CASE("nghttpd", "[real][nghttpd]") {
    if (!Nghttpd::available()) SKIP("nghttpd is not installed");
    for (const bool tls : {true, false}) {
        NghttpdOptions options;
        options.tls = tls;
        Nghttpd server(options);
        smoke(server);
    }
}

TEST_CASE("haproxy", "[real][haproxy]") {
    if (!Haproxy::available()) SKIP("haproxy is not installed");
    Origin upstream(documents(), large_bodies());
    Haproxy server(upstream.port());
    smoke(server, [&] { return server.connections_served(); });
}

TEST_CASE("nghttpx", "[real][nghttpx]") {
    if (!Nghttpx::available()) SKIP("nghttpx is not installed");
    Origin upstream(documents(), large_bodies());
    Nghttpx server(upstream.port());
    smoke(server, [&] { return server.connections_served(); });
}
