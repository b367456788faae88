// Accept-Encoding: what a request offers, whoever had the connection before.
#include <catch2/catch_test_macros.hpp>
#include <ringlet/ringlet.hpp>

#include <curl/curl.h>

#include <string>
#include <vector>

#include "support/origin.hpp"

namespace {

using namespace ringlet;
using Values = std::vector<std::string>;

/// One connection, and what the latest request on it offered.
class Offers {
  public:
    Session session() const { return Session(cache_); }
    Request get() const { return Request::get(origin_.url()); }
    Request post(const char* body) const { return Request::post(origin_.url(), Body(body)); }
    Values of(Session& session, const Request& request) {
        session.send(request).consume();
        return of_last();
    }
    Values of_last() const { return origin_.requests().back().headers("Accept-Encoding"); }
    std::string head() const { return origin_.requests().back().head; }
    std::string host() const { return "127.0.0.1:" + std::to_string(origin_.port()); }
    ~Offers() { CHECK(origin_.accepts() == 1); }

  private:
    test::Origin origin_{test::respond_with(test::reply("x", 200, "Set-Cookie: a=b\r\n"))};
    ConnectionCache cache_;
};

TEST_CASE("each request offers the codings of its own settings, once", "[wire]") {
    Offers offers;
    auto usual = offers.session();
    const auto by_default = offers.of(usual, offers.get());
    REQUIRE(by_default.size() == 1);
    CHECK(by_default[0].starts_with("gzip"));
    CHECK(by_default[0].find("deflate") == std::string::npos);
    CHECK(offers.head() == "GET / HTTP/1.1\r\nHost: " + offers.host() +
                               "\r\nAccept: */*\r\nAccept-Encoding: " + by_default[0] + "\r\n\r\n");

    auto other = offers.session();
    other.accept_encoding("br");
    CHECK(offers.of(other, offers.get()) == Values{"br"});
    CHECK(offers.of(usual, offers.get()) == by_default);
    CHECK(offers.of(other, offers.get().accept_encoding("gzip")) == Values{"gzip"});
    CHECK(offers.of(other, offers.get().accept_encoding(std::nullopt)).empty());
    CHECK(offers.of(other, offers.get()) == Values{"br"});
    for (const std::string odd : {" gzip , br ", "\v", " \f", " \vgzip"}) {
        CHECK(offers.of(other, offers.get().accept_encoding(odd)).size() == 1);
        CHECK(offers.head().find("\r\nAccept-Encoding: " + odd + "\r\n") != std::string::npos);
    }
    const auto all = offers.of(other, offers.get().accept_encoding(""));
    REQUIRE(all.size() == 1);
    CHECK(all[0].starts_with("deflate, gzip"));
    CHECK(offers.of(usual, offers.get()) == by_default);
}

TEST_CASE("a field of the caller's takes the place of the offer, and others go beside it", "[wire]") {
    Offers offers;
    auto session = offers.session();
    const auto by_default = offers.of(session, offers.get());
    CHECK(offers.of(session, offers.get().header("accept-encoding", "identity")) == Values{"identity"});
    CHECK(offers.of(session, offers.get()) == by_default);
    CHECK(offers.of(session, offers.get().header("X-One", "1")) == by_default);
    CHECK(offers.head().find("\r\nX-One: 1\r\n") != std::string::npos);
    CHECK(offers.of(session, offers.get()) == by_default);
    CHECK(offers.head().find("X-One") == std::string::npos);
    CHECK(offers.of(session, offers.post("hello")) == by_default);
    CHECK(offers.of(session, offers.get()) == by_default);
}

TEST_CASE("an offer beside fields that libcurl adds is there once", "[wire]") {
    Offers offers;
    auto session = offers.session();
    session.cookies(true);
    const auto by_default = offers.of(session, offers.get());
    CHECK(offers.of(session, offers.get()) == by_default);
    CHECK(offers.head().find("\r\nCookie: a=b\r\n") != std::string::npos);
    CHECK(offers.of(session, offers.get().header("Cookie", "c=d")) == by_default);
    CHECK(offers.head().find("\r\nCookie: a=b; c=d\r\n") != std::string::npos);
}

TEST_CASE("an offer by setopt() is libcurl's alone", "[wire]") {
    Offers offers;
    auto usual = offers.session();
    const auto by_default = offers.of(usual, offers.get());
    auto raw = offers.session();
    raw.setopt(CURLOPT_ACCEPT_ENCODING, "br");
    CHECK(offers.of(raw, offers.get()) == Values{"br"});
    CHECK(offers.of(usual, offers.get()) == by_default);
}

}  // namespace
