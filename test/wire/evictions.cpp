// ConnectionCache::evict(): the connections to one origin, however its name is written.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <string>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("evict() closes what is idle of one origin, and leaves the others alone", "[wire][evict]") {
    Origin origin(respond_with(reply("hello"))), other(respond_with(reply("hello")));
    Client client;
    fill(client.cache, origin.url(), 3);
    fill(client.cache, other.url(), 2);
    // The same server by another name is another origin, and so is another scheme.
    client.session.get(origin.url_for("localhost")).consume();
    CHECK(client.cache.evict("https://127.0.0.1:" + std::to_string(origin.port())) == 0);
    CHECK(client.cache.evict("http://127.0.0.1:" + std::to_string(origin.port())) == 3);
    CHECK(origin.wait_for_fins(3));
    CHECK(client.cache.stats().idle == 3);
    CHECK(client.cache.stats().closed_by[CloseReason::evicted] == 3);
    CHECK(other.fins() == 0);
    CHECK(client.cache.evict("http://127.0.0.1:" + std::to_string(origin.port())) == 0);

    client.session.get(other.url()).consume();
    client.session.get(origin.url_for("localhost")).consume();
    CHECK(other.accepts() == 2);
    CHECK(origin.accepts() == 4);
    client.session.get(origin.url()).consume();  // and may have new ones
    client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 5);
    client.check_end(origin.url());
}

TEST_CASE("evict() closes leased connections when they come back", "[wire][evict]") {
    Origin origin(respond_with(reply("hello"))), other(respond_with(reply("hello")));
    Client client;
    Session elsewhere(client.cache);
    auto leased = client.session.get(origin.url());
    auto untouched = elsewhere.get(other.url());
    CHECK(client.cache.evict(origin.url()) == 0);  // none was idle
    CHECK(origin.open_connections() == 1);
    CHECK(client.cache.stats().leased == 2);
    CHECK(leased.text() == "hello");
    REQUIRE(leased.disposition());
    CHECK_FALSE(leased.disposition()->reused);
    CHECK(leased.disposition()->reason == CloseReason::evicted);
    CHECK(origin.wait_for_fins(1));
    CHECK(untouched.text() == "hello");
    REQUIRE(untouched.disposition());
    CHECK(untouched.disposition()->reused);
    CHECK(other.fins() == 0);

    client.session.get(origin.url()).consume();
    client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 2);
    client.check_end(origin.url());
}

TEST_CASE("evict() knows an origin in any case of letters, with its default port or without",
          "[wire][evict]") {
    // A Unix socket stands for the ports that cannot be had everywhere.
    const bool tls = GENERATE(false, true);
    const auto* spelling = GENERATE("example.test", "EXAMPLE.Test", "example.test:default",
                                    "Example.TEST:default/", "example.test/some/path?query");
    CAPTURE(tls, spelling);
    const TempDir dir;
    OriginOptions options;
    options.unix_path = dir.path() / "origin";
    options.tls = tls;
    options.certificate = TestCa::instance().issue({.names = {"example.test", "other.test"}});
    Origin origin(respond_with(reply("hello")), options);
    Client client;
    client.session.unix_socket(options.unix_path).ca_blob(TestCa::instance().pem());
    const std::string scheme = tls ? "https://" : "http://";
    client.session.get(scheme + "example.test/").consume();
    client.session.get(scheme + "other.test/").consume();
    REQUIRE(origin.accepts() == 2);

    std::string name = scheme + spelling;
    if (const auto at = name.find("default"); at != std::string::npos)
        name.replace(at, 7, tls ? "443" : "80");
    CHECK(client.cache.evict(scheme + "example.test:" + (tls ? "80" : "443")) == 0);
    CHECK(client.cache.evict((tls ? "http://" : "https://") + std::string("example.test")) == 0);
    CHECK(client.cache.evict(name) == 1);
    REQUIRE(origin.wait_for_fins(1));
    CHECK(origin.ended().at(0).connection == 0);
    REQUIRE(client.cache.connections().size() == 1);
    CHECK(client.cache.connections()[0].origin == scheme + "other.test:" + (tls ? "443" : "80"));
}

TEST_CASE("evict() refuses what is no origin, and closes nothing", "[wire][evict]") {
    const auto* text = GENERATE("", "nonsense", "example.test:80", "http://", "http://a b/", "http://a:99999",
                                "ftp://127.0.0.1", "http://a\r\nb/");
    CAPTURE(text);
    Origin origin(respond_with(reply("hello")));
    Client client;
    client.session.get(origin.url()).consume();
    const auto outcome = outcome_of([&] { client.cache.evict(text); });
    CHECK(outcome.threw);
    const bool other_scheme = std::string(text).starts_with("ftp");
    CHECK(outcome.code == (other_scheme ? Errc::unsupported_protocol : Errc::invalid_argument));
    CHECK(client.cache.stats().idle == 1);
    CHECK(origin.fins() == 0);
}
