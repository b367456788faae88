// Proxies: HTTP, CONNECT and SOCKS5, with passwords, from settings and from the environment.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <cstdlib>
#include <string>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/environment.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/proxy.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("a proxy with a password serves plain and tunnelled requests", "[wire][proxy]") {
    Origin plain(echo_target());
    Origin secure(echo_target(), tls_options());
    HttpProxy proxy({.user = "user", .password = "p@ss:word"});
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    client.session.proxy("http://user:p%40ss%3Aword@127.0.0.1:" + std::to_string(proxy.port()));
    for (int i = 0; i < 2; ++i) {
        CHECK(client.session.get(plain.url("/plain")).text() == "body of /plain");
        CHECK(client.session.get(secure.url("/secure")).text() == "body of /secure");
        CHECK(client.session.post(plain.url("/plain"), "x").text() == "body of /plain");
    }
    CHECK(proxy.connects() == 1);
    CHECK(proxy.origin().accepts() == 2);
    CHECK(secure.accepts() == 1);
    CHECK(client.at_rest());
}

TEST_CASE("a proxy is reached over TLS, and must show a good certificate", "[wire][proxy]") {
    const TempDir directory;
    Origin secure(echo_target(), tls_options());
    HttpProxy proxy({.listen = tls_options()});
    Client client;
    client.session.ca_blob(TestCa::instance().pem()).proxy(proxy.url());
    // The settings for the server's certificate are not for the proxy's.
    CHECK(outcome_of([&] { client.session.get(secure.url()); }).code == Errc::tls);
    CHECK(proxy.connects() == 0);
    client.session.setopt(CURLOPT_PROXY_CAINFO, TestCa::instance().write_to(directory.path()).string());
    for (int i = 0; i < 2; ++i) CHECK(client.session.get(secure.url("/a")).text() == "body of /a");
    CHECK(proxy.connects() == 1);
    CHECK(client.at_rest());
}

TEST_CASE("a SOCKS5 proxy with a password", "[wire][proxy]") {
    Origin plain(echo_target());
    Origin secure(echo_target(), tls_options());
    SocksProxy proxy({.user = "user", .password = "secret"});
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    SECTION("lets in who knows it") {
        const auto* const scheme = GENERATE("socks5", "socks5h");
        client.session.proxy(proxy.url_with_password(scheme));
        for (int i = 0; i < 2; ++i) {
            CHECK(client.session.get(plain.url("/plain")).text() == "body of /plain");
            CHECK(client.session.get(secure.url("/secure")).text() == "body of /secure");
        }
        CHECK(proxy.connects() == 2);
        CHECK(plain.accepts() == 1);
        CHECK(secure.accepts() == 1);
    }
    SECTION("and nobody else") {
        client.session.proxy(proxy.url());
        const auto outcome = outcome_of([&] { client.session.get(plain.url()); });
        CHECK(outcome.code == Errc::proxy);
        CHECK(plain.accepts() == 0);
        CHECK(eventually([&] { return proxy.refusals() == 1; }));
        CHECK(proxy.origin().wait_for_open(0));
    }
    CHECK(client.at_rest());
}

TEST_CASE("two origins behind a SOCKS5 proxy have connections of their own", "[wire][proxy]") {
    Origin one(respond_with(reply("one")));
    Origin two(respond_with(reply("two")));
    SocksProxy proxy;
    Client client;
    client.session.proxy(proxy.url());
    for (int i = 0; i < 2; ++i) {
        CHECK(client.session.get(one.url()).text() == "one");
        CHECK(client.session.get(two.url()).text() == "two");
    }
    CHECK(one.accepts() == 1);
    CHECK(two.accepts() == 1);
}

TEST_CASE("a proxy that is not there is a connect error", "[wire][proxy]") {
    Client client;
    client.session.proxy("http://127.0.0.1:1");
    const auto outcome = outcome_of([&] { client.session.get("http://target.test/"); });
    CHECK((outcome.code == Errc::connect || outcome.code == Errc::proxy));
    client.session.proxy("http://no-such-proxy.invalid:3128");
    CHECK(outcome_of([&] { client.session.get("http://target.test/"); }).code == Errc::proxy);
    CHECK(client.at_rest());
}

TEST_CASE("the environment names a proxy and who does not use it", "[wire][proxy]") {
    Origin target(echo_target());
    HttpProxy proxy;
    const auto localhost = target.url_for("localhost", "/b");
    SECTION("http_proxy") {
        const Environment environment({{"http_proxy", proxy.url()}});
        Client client;
        CHECK(client.session.get(target.url("/a")).text() == "body of /a");
        CHECK(proxy.absolute_requests().size() == 1);
        client.session.proxy("");  // none, whatever the environment says
        CHECK(client.session.get(target.url("/a")).text() == "body of /a");
        CHECK(proxy.absolute_requests().size() == 1);
    }
    SECTION("NO_PROXY") {
        const Environment environment({{"http_proxy", proxy.url()}, {"NO_PROXY", "127.0.0.1"}});
        Client client;
        CHECK(client.session.get(target.url("/a")).text() == "body of /a");
        CHECK(proxy.origin().accepts() == 0);
        CHECK(client.session.get(localhost).text() == "body of /b");
        CHECK(proxy.origin().accepts() == 1);
    }
    SECTION("none") {
        Client client;
        CHECK(client.session.get(target.url("/a")).text() == "body of /a");
        CHECK(proxy.origin().accepts() == 0);
    }
}
