// HTTP versions: what is asked for, what is spoken, and how it is seen.
#include <catch2/catch_test_macros.hpp>

#include <string>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/h2_origin.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// Speaks what ALPN has settled on.
Script by_alpn() {
    return [](Connection& connection) {
        if (connection.alpn() == "h2") return h2_respond_with("two")(connection);
        respond_with(reply("one"))(connection);
    };
}

}  // namespace

TEST_CASE("HTTP/2 is spoken where TLS negotiates it", "[wire][version]") {
    OriginOptions options;
    options.tls = true;
    options.alpn = {"h2", "http/1.1"};
    Origin origin(by_alpn(), options);
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    auto two = client.session.get(origin.url());
    CHECK(two.version() == ringlet::Protocol::http_2);
    CHECK(two.text() == "two");
    CHECK(two.reason().empty());
    auto again = client.session.get(origin.url());
    CHECK(again.reused());
    CHECK(again.text() == "two");
    CHECK(origin.accepts() == 1);
    Session one(client.cache);
    one.ca_blob(TestCa::instance().pem()).http_version(HttpVersion::http_1_1);
    auto first = one.get(origin.url());
    CHECK(first.version() == ringlet::Protocol::http_1_1);
    CHECK_FALSE(first.reused());
    CHECK(first.text() == "one");
    CHECK(origin.accepts() == 2);
    CHECK(client.session.get(origin.url()).text() == "two");
    CHECK(one.get(origin.url()).text() == "one");
    CHECK(origin.accepts() == 2);
    for (const auto& connection : client.cache.connections()) {
        CHECK((connection.protocol == ringlet::Protocol::http_2 ||
               connection.protocol == ringlet::Protocol::http_1_1));
    }
}

TEST_CASE("HTTP/2 without TLS, by prior knowledge", "[wire][version]") {
    Origin origin(h2_respond_with("two"), h2_options(false));
    Client client;
    client.session.http_version(HttpVersion::http_2_prior_knowledge);
    for (int i = 0; i < 3; ++i) {
        auto response = client.session.get(origin.url());
        CHECK(response.version() == ringlet::Protocol::http_2);
        CHECK(response.text() == "two");
    }
    CHECK(client.session.post(origin.url(), "a body").text() == "two");
    CHECK(origin.accepts() == 1);
    CHECK(client.at_rest());
}

TEST_CASE("HTTP/1.0 is asked for and kept only if the server says so", "[wire][version]") {
    Origin origin(handler([](const Recorded& request) {
        const std::string keep = request.target == "/keep" ? "Connection: keep-alive\r\n" : "";
        return "HTTP/1.0 200 OK\r\n" + keep + "Content-Length: 2\r\n\r\nok";
    }));
    Client client;
    client.session.http_version(HttpVersion::http_1_0);
    auto response = client.session.get(origin.url());
    CHECK(response.version() == ringlet::Protocol::http_1_0);
    CHECK(response.text() == "ok");
    CHECK(response.disposition()->reason == CloseReason::http_1_0);
    CHECK(origin.requests()[0].head.find(" HTTP/1.0\r\n") != std::string::npos);
    CHECK(origin.wait_for_fins(1));
    client.session.get(origin.url("/keep")).consume();
    client.session.get(origin.url("/keep")).consume();
    CHECK(origin.accepts() == 2);
}

TEST_CASE("a request for HTTP/2 on a plain connection is content with HTTP/1.1", "[wire][version]") {
    Origin origin(respond_with(reply("one")));
    Client client;
    client.session.http_version(HttpVersion::http_2);
    for (int i = 0; i < 2; ++i) {
        auto response = client.session.get(origin.url());
        CHECK(response.version() == ringlet::Protocol::http_1_1);
        CHECK(response.text() == "one");
    }
    CHECK(origin.accepts() == 1);
}
