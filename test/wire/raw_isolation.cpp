// What one session set with setopt() must not reach another through a lane, a share, or a redirect.
#include <catch2/catch_test_macros.hpp>
#include <ringlet/ringlet.hpp>

#include <fstream>
#include <sstream>
#include <string>

#include "support/origin.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace ringlet;
using test::Origin;
using test::reply;
using test::respond_with;

std::size_t swallow(char*, std::size_t, std::size_t n) {
    return n;
}

TEST_CASE("a request after another session's perform starts from a clean handle", "[wire][raw]") {
    Origin origin(respond_with(reply("hello")));
    ConnectionCache cache;
    std::string taken;
    {
        Session raw(cache);
        curl_slist* list = curl_slist_append(nullptr, "Authorization: Bearer one");
        raw.setopt(CURLOPT_URL, origin.url("/raw")).setopt(CURLOPT_HTTPHEADER, list);
        raw.setopt(CURLOPT_WRITEFUNCTION, [&](char* data, std::size_t, std::size_t n) {
            taken.append(data, n);
            return n;
        });
        curl_slist_free_all(list);
        raw.perform();
    }
    Session plain(cache);
    CHECK(plain.get(origin.url("/plain")).text() == "hello");
    CHECK(taken == "hello");
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 2);
    CHECK_FALSE(requests[1].header("Authorization"));
    CHECK(origin.accepts() == 1);
}

TEST_CASE("names that one session resolved by raw options are unknown to others", "[wire][raw][isolation]") {
    Origin origin(respond_with(reply("there")));
    ConnectionCache cache;
    const auto url = "http://name.invalid:" + std::to_string(origin.port()) + "/";
    {
        Session knows(cache);
        const auto entry = "name.invalid:" + std::to_string(origin.port()) + ":127.0.0.1";
        curl_slist* list = curl_slist_append(nullptr, entry.c_str());
        knows.setopt(CURLOPT_RESOLVE, list);
        curl_slist_free_all(list);
        CHECK(knows.get(url).text() == "there");
    }
    Session other(cache);
    std::error_code ec;
    other.get(url, ec);
    CHECK(ec == Errc::resolve);
}

TEST_CASE("connections made before a raw option of theirs changed serve no more", "[wire][raw][isolation]") {
    Origin origin(respond_with(reply("ok")));
    ConnectionCache cache;
    Session session(cache);
    session.setopt(CURLOPT_INTERFACE, "127.0.0.2");
    session.get(origin.url()).consume();
    session.get(origin.url()).consume();
    CHECK(origin.accepts() == 1);
    session.setopt(CURLOPT_INTERFACE, nullptr);
    session.get(origin.url()).consume();
    CHECK(origin.accepts() == 2);
}

TEST_CASE("raw credentials stay behind when a redirect leaves the origin", "[wire][raw][redirect]") {
    Origin target(respond_with(reply("there")));
    Origin origin(respond_with(reply("", 302, "Location: " + target.url("/x") + "\r\n")));
    Session session{ConnectionCache()};
    session.setopt(CURLOPT_USERPWD, "user:secret").setopt(CURLOPT_COOKIE, "sid=1");
    CHECK(session.get(origin.url()).text() == "there");
    REQUIRE(target.requests().size() == 1);
    CHECK_FALSE(target.requests()[0].header("Authorization"));
    CHECK_FALSE(target.requests()[0].header("Cookie"));
    REQUIRE(origin.requests().size() == 1);
    CHECK(origin.requests()[0].header("Authorization"));
}

TEST_CASE("CURLINFO_PRIVATE is the pointer that was set", "[wire][raw]") {
    Origin origin(respond_with(reply("x")));
    Session session{ConnectionCache()};
    int object = 0;
    session.setopt(CURLOPT_URL, origin.url()).setopt(CURLOPT_WRITEFUNCTION, swallow);
    session.setopt(CURLOPT_PRIVATE, &object);
    session.perform();
    CHECK(static_cast<void*>(session.getinfo<CURLINFO_PRIVATE>()) == &object);
}

TEST_CASE("CURLOPT_COOKIEJAR's file holds the cookies of a raw transfer", "[wire][raw]") {
    const test::TempDir directory;
    const auto jar = directory / "jar";
    Origin origin(respond_with(reply("x", 200, "Set-Cookie: a=1; Max-Age=1000\r\n")));
    Session session{ConnectionCache()};
    session.setopt(CURLOPT_URL, origin.url()).setopt(CURLOPT_WRITEFUNCTION, swallow);
    session.setopt(CURLOPT_COOKIEJAR, jar.string());
    session.perform();
    std::ostringstream text;
    text << std::ifstream(jar).rdbuf();
    CHECK(text.str().find("\ta\t1") != std::string::npos);
}

TEST_CASE("CURLOPT_FRESH_CONNECT gives a request a new connection, and the statistics say so",
          "[wire][raw]") {
    Origin origin(respond_with(reply("x")));
    ConnectionCache cache;
    Session session(cache);
    session.setopt(CURLOPT_FRESH_CONNECT, 1L);
    for (int i = 0; i < 3; ++i) {
        auto response = session.get(origin.url());
        CHECK_FALSE(response.reused());
        response.consume();
    }
    CHECK(origin.accepts() == 3);
    CHECK(cache.stats().opened == 3);
    CHECK(cache.stats().reused == 0);
}

TEST_CASE("a base URL that changes changes the origin that connections are counted for", "[wire]") {
    Origin a(respond_with(reply("A"))), b(respond_with(reply("B")));
    ConnectionCache cache;
    Session session(cache);
    session.base_url(a.url("/"));
    CHECK(session.get("/x").text() == "A");
    session.base_url(b.url("/"));
    CHECK(session.get("/x").text() == "B");
    CHECK(cache.evict(b.url("/")) == 1);
    CHECK(cache.evict(a.url("/")) == 1);
}

}  // namespace
