// Isolation: which settings keep two requests from sharing a connection, and which do not.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/names.hpp"
#include "support/origin.hpp"
#include "support/proxy.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

struct Setting {
    const char* name;
    std::function<void(Session&)> set;
};

// Each of them in turn, on one cache: none may use a connection of an earlier one, and each its own again.
void check_separate(Client& client, const std::string& url, const std::vector<Setting>& settings) {
    std::vector<std::uint64_t> seen;
    for (const auto& setting : settings) {
        INFO(setting.name);
        std::uint64_t mine = 0;
        for (int i = 0; i < 2; ++i) {
            Session session(client.cache);
            session.ca_blob(TestCa::instance().pem());
            setting.set(session);
            auto response = session.get(url);
            response.consume();
            CHECK(response.reused() == (i == 1));
            if (i == 0) mine = response.connection_id();
            CHECK(response.connection_id() == mine);
        }
        CHECK(std::find(seen.begin(), seen.end(), mine) == seen.end());
        seen.push_back(mine);
    }
}

}  // namespace

TEST_CASE("every setting that concerns the connection separates connections", "[wire][isolation]") {
    const TempDir directory;
    const auto ca_file = TestCa::instance().write_to(directory.path());
    CertificateOptions for_client;
    for_client.for_client = true;
    TestCa::instance().issue(for_client).write_to(directory.path(), "client");
    OriginOptions tls;
    tls.tls = true;
    Origin origin(respond_with(reply("hello")), tls);
    HttpProxy proxy;
    HttpProxy other_proxy;
    SocksProxy socks;
    Client client;
    check_separate(
        client, origin.url_for("localhost"),
        {
            {"nothing", [](Session&) {}},
            {"proxy", [&](Session& s) { s.proxy(proxy.url()); }},
            {"another proxy", [&](Session& s) { s.proxy(other_proxy.url()); }},
            {"proxy with a user",
             [&](Session& s) { s.proxy("http://user:a@127.0.0.1:" + std::to_string(proxy.port())); }},
            {"with another password",
             [&](Session& s) { s.proxy("http://user:b@127.0.0.1:" + std::to_string(proxy.port())); }},
            {"SOCKS proxy", [&](Session& s) { s.proxy(socks.url("socks5")); }},
            {"SOCKS proxy that resolves", [&](Session& s) { s.proxy(socks.url("socks5h")); }},
            {"local address", [](Session& s) { s.local_address("127.0.0.1"); }},
            {"another local address", [](Session& s) { s.local_address("127.0.0.2"); }},
            {"IPv4", [](Session& s) { s.ip_version(IpVersion::v4); }},
            {"HTTP/1.1", [](Session& s) { s.http_version(HttpVersion::http_1_1); }},
            {"HTTP/1.0", [](Session& s) { s.http_version(HttpVersion::http_1_0); }},
            {"CA file", [&](Session& s) { s.ca_file(ca_file); }},
            {"another CA", [](Session& s) { s.ca_blob(TestCa::instance().pem() + "\n"); }},
            {"no verification", [](Session& s) { s.verify_tls(false); }},
            {"client certificate",
             [&](Session& s) { s.client_certificate(directory / "client.crt", directory / "client.key"); }},
            {"with a password",
             [&](Session& s) {
                 s.client_certificate(directory / "client.crt", directory / "client.key", "x");
             }},
            {"lowest TLS version", [](Session& s) { s.tls_version(TlsVersion::v1_2); }},
            {"highest TLS version", [](Session& s) { s.tls_version(TlsVersion::v1_2, TlsVersion::v1_2); }},
            {"ciphers", [](Session& s) { s.tls_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256"); }},
            {"isolation", [](Session& s) { s.isolation("a"); }},
            {"another isolation", [](Session& s) { s.isolation("b"); }},
            {"values that look like two settings", [](Session& s) { s.isolation("a\nip_version=1"); }},
        });
    CHECK(client.at_rest());
}

TEST_CASE("a unix socket separates connections", "[wire][isolation]") {
    const TempDir directory;
    OriginOptions local;
    local.unix_path = (directory / "socket").string();
    Origin on_socket(respond_with(reply("hello")), local);
    Origin origin(respond_with(reply("hello")));
    Client client;
    check_separate(
        client, origin.url(),
        {{"TCP", [](Session&) {}}, {"unix", [&](Session& s) { s.unix_socket(on_socket.unix_path()); }}});
    CHECK(origin.accepts() == 1);
    CHECK(on_socket.accepts() == 1);
}

TEST_CASE("settings of the request alone do not separate connections", "[wire][isolation]") {
    Origin origin(respond_with(reply("hello", 200, "Keep-Alive: timeout=60\r\n")));
    Client client;
    std::stop_source stop;
    const std::vector<Setting> settings = {
        {"nothing", [](Session&) {}},
        {"header", [](Session& s) { s.header("X-One", "1").add_header("X-One", "2"); }},
        {"timeout", [](Session& s) { s.timeout(10s); }},
        {"connect_timeout", [](Session& s) { s.connect_timeout(5s); }},
        {"first_byte_timeout", [](Session& s) { s.first_byte_timeout(5s); }},
        {"low_speed", [](Session& s) { s.low_speed(1, 10s); }},
        {"follow_redirects", [](Session& s) { s.follow_redirects(3); }},
        {"replay", [](Session& s) { s.replay(Replay::never); }},
        {"retry", [](Session& s) { s.retry({}); }},
        {"basic_auth", [](Session& s) { s.basic_auth("user", "secret"); }},
        {"bearer", [](Session& s) { s.bearer("token"); }},
        {"digest_auth", [](Session& s) { s.digest_auth("user", "secret"); }},
        {"accept_encoding", [](Session& s) { s.accept_encoding("gzip"); }},
        {"no coding", [](Session& s) { s.accept_encoding(std::nullopt); }},
        {"max_body_size", [](Session& s) { s.max_body_size(1000); }},
        {"user_agent", [](Session& s) { s.user_agent("test/1"); }},
        {"cookies", [](Session& s) { s.cookies(true); }},
        {"stop", [&](Session& s) { s.stop(stop.get_token()); }},
        {"progress", [](Session& s) { s.progress([](const Progress&) {}); }},
        {"any address family", [](Session& s) { s.ip_version(IpVersion::any); }},
        {"automatic version", [](Session& s) { s.http_version(HttpVersion::automatic); }},
        {"verification, as ever", [](Session& s) { s.verify_tls(true); }},
        {"base_url", [&](Session& s) { s.base_url(origin.url()); }},
    };
    for (const auto& setting : settings) {
        INFO(setting.name);
        Session session(client.cache);
        setting.set(session);
        CHECK(session.get(origin.url()).text() == "hello");
        CHECK(origin.accepts() == 1);
        CHECK(client.session.get(origin.url()).text() == "hello");
        const auto plain = origin.requests().back();
        CHECK_FALSE(plain.header("Authorization"));
        CHECK_FALSE(plain.header("X-One"));
        CHECK(plain.header("User-Agent").value_or("") != "test/1");
    }
    CHECK(origin.accepts() == 1);
}

TEST_CASE("a request's own settings separate it from its session", "[wire][isolation]") {
    Origin origin(respond_with(reply("hello")));
    Client client;
    client.session.get(origin.url()).consume();
    auto apart = client.session.send(Request::get(origin.url()).isolation("tag"));
    CHECK_FALSE(apart.reused());
    apart.consume();
    auto again = client.session.get(origin.url());
    CHECK(again.reused());
    again.consume();
    CHECK(origin.accepts() == 2);
}

TEST_CASE("addresses that one session is told of do not reach another", "[wire][isolation]") {
    Names names;
    names.set("shared.test", {"127.0.0.1"});
    Origin honest(respond_with(reply("honest")));
    OriginOptions elsewhere;
    elsewhere.address = "127.0.0.2";
    elsewhere.port = honest.port();
    Origin other(respond_with(reply("other")), elsewhere);
    const auto port = std::to_string(honest.port());
    const auto url = "http://shared.test:" + port + "/";
    Client client;
    curl_slist entry{const_cast<char*>("shared.test:0:127.0.0.2"), nullptr};
    const auto text = "shared.test:" + port + ":127.0.0.2";
    entry.data = const_cast<char*>(text.c_str());
    Session misled(client.cache);
    misled.setopt(CURLOPT_RESOLVE, &entry);
    CHECK(misled.get(url).text() == "other");
    CHECK(client.session.get(url).text() == "honest");
    CHECK(misled.get(url).text() == "other");
    CHECK(honest.accepts() == 1);
    CHECK(other.accepts() == 1);
}

TEST_CASE("a field that authenticates its connection keeps it from everybody else", "[wire][isolation]") {
    Origin origin(respond_with(reply("ok")));
    Client client;
    const auto [name, value] =
        GENERATE(table<std::string, std::string>({{"Authorization", "Negotiate abc"},
                                                  {"authorization", "ntlm abc"},
                                                  {"Proxy-Authorization", " NTLM abc"}}));
    CAPTURE(name, value);
    client.session.header(name, value);
    const auto id = [&](Session& session) {
        auto response = session.get(origin.url());
        response.consume();
        return response.connection_id();
    };
    const auto mine = id(client.session);
    Session other(client.cache);
    const auto others = id(other);
    CHECK(others != mine);
    client.session.header(name, value + "-second-leg");
    CHECK(id(client.session) == mine);
    auto once = client.session.send(Request::get(origin.url()).header(name, value));
    once.consume();
    CHECK(once.connection_id() != mine);
    CHECK(id(other) == others);
    auto copied = Request::get(origin.url()).header(name, value);
    auto one = client.session.send(copied);
    one.consume();
    auto another = client.session.send(copied.header(name, value + "-of-somebody-else"));
    another.consume();
    CHECK(another.connection_id() != one.connection_id());
    Session with_basic(client.cache);
    with_basic.header("Authorization", "Basic abc");
    CHECK(id(with_basic) == others);
}
