// Cookies: a jar for each session, whatever connection its requests travel on.
#include <catch2/catch_test_macros.hpp>

#include <optional>
#include <string>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// Sets a cookie at /login/<value>; says which cookies a request carries.
Script cookie_server() {
    return handler([](const Recorded& request) {
        constexpr std::string_view login = "/login/";
        const auto cookies = request.header("Cookie").value_or("none");
        if (!request.target.starts_with(login)) return reply(cookies);
        return reply(cookies, 200, "Set-Cookie: id=" + request.target.substr(login.size()) + "; Path=/\r\n");
    });
}

}  // namespace

TEST_CASE("two sessions over one connection do not see each other's cookies", "[wire][cookies]") {
    Origin origin(cookie_server());
    Client client([](ConnectionCache::Builder& b) { b.max_connections(1); });
    Session alice(client.cache);
    Session bob(client.cache);
    Session plain(client.cache);
    alice.cookies(true);
    bob.cookies(true);
    for (int i = 0; i < 2; ++i) {
        alice.get(origin.url("/login/alice")).consume();
        bob.get(origin.url("/login/bob")).consume();
        CHECK(alice.get(origin.url()).text() == "id=alice");
        CHECK(bob.get(origin.url()).text() == "id=bob");
        CHECK(plain.get(origin.url()).text() == "none");
        plain.get(origin.url("/login/nobody")).consume();
        CHECK(plain.get(origin.url()).text() == "none");
        CHECK(alice.get(origin.url()).text() == "id=alice");
    }
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("a session's cookies go with it to any connection", "[wire][cookies]") {
    Origin origin(cookie_server());
    Client client;
    client.session.cookies(true);
    client.session.get(origin.url("/login/alice")).consume();
    origin.close_all();
    REQUIRE(origin.wait_for_open(0));
    CHECK(client.session.get(origin.url()).text() == "id=alice");
    client.cache.close_idle();
    CHECK(client.session.get(origin.url()).text() == "id=alice");
    CHECK(origin.accepts() == 3);
}

TEST_CASE("switching cookies off forgets them", "[wire][cookies]") {
    Origin origin(cookie_server());
    Client client;
    client.session.cookies(true);
    client.session.get(origin.url("/login/alice")).consume();
    client.session.cookies(false);
    CHECK(client.session.get(origin.url()).text() == "none");
    client.session.cookies(true);
    CHECK(client.session.get(origin.url()).text() == "none");
    CHECK(origin.accepts() == 1);
}

TEST_CASE("a cookie of an answer that is dropped or redirected is kept", "[wire][cookies]") {
    Origin origin(handler([](const Recorded& request) {
        if (request.target == "/drop")
            return reply(std::string(300'000, 'x'), 200, "Set-Cookie: a=1; Path=/\r\n");
        if (request.target == "/move") return reply("", 302, "Set-Cookie: b=2; Path=/\r\nLocation: /\r\n");
        return reply(request.header("Cookie").value_or("none"));
    }));
    Client client;
    client.session.cookies(true);
    { auto response = client.session.get(origin.url("/drop")); }
    CHECK(client.session.get(origin.url()).text() == "a=1");
    const auto both = client.session.get(origin.url("/move")).text();
    CHECK((both == "a=1; b=2" || both == "b=2; a=1"));
    client.check_end(origin.url());
}

TEST_CASE("cookies are for their own host and path", "[wire][cookies]") {
    OriginOptions everywhere;
    everywhere.address = "0.0.0.0";
    Origin origin(handler([](const Recorded& request) {
                      if (request.target == "/login/") return reply("", 200, "Set-Cookie: id=1\r\n");
                      return reply(request.header("Cookie").value_or("none"));
                  }),
                  everywhere);
    Client client;
    client.session.cookies(true);
    client.session.get(origin.url_for("127.0.0.1", "/login/")).consume();
    CHECK(client.session.get(origin.url_for("127.0.0.1", "/login/more")).text() == "id=1");
    CHECK(client.session.get(origin.url_for("127.0.0.1", "/other")).text() == "none");
    CHECK(client.session.get(origin.url_for("127.0.0.2", "/login/more")).text() == "none");
}

TEST_CASE("cookies of the caller's and the jar's are one field", "[wire][cookies]") {
    Origin origin(cookie_server());
    Client client;
    client.session.cookies(true);
    client.session.get(origin.url("/login/alice")).consume();
    client.session.send(Request::get(origin.url()).header("Cookie", "mine=1")).consume();
    const auto sent = origin.requests().back().headers("Cookie");  // RFC 6265 section 5.4: one
    REQUIRE(sent.size() == 1);
    CHECK(sent[0] == "id=alice; mine=1");
    CHECK(client.session.get(origin.url()).text() == "id=alice");
    auto two = Request::post(origin.url(), "body");
    two.add_header("Cookie", "a=1").add_header("cookie", "b=2");
    CHECK(client.session.send(two).text() == "id=alice; a=1; b=2");
    Session other(client.cache);
    CHECK(other.get(origin.url()).text() == "none");
    CHECK(other.send(Request::get(origin.url()).header("Cookie", "mine=2")).text() == "mine=2");
    CHECK(origin.accepts() == 1);
}

TEST_CASE("the caller's cookies are sent as they are while the jar is empty", "[wire][cookies]") {
    Origin origin(cookie_server());
    Client client;
    client.session.cookies(true).header("Cookie", "mine=1");
    CHECK(client.session.get(origin.url()).text() == "mine=1");
    CHECK(client.session.get(origin.url()).text() == "mine=1");
}
