// ConnectionCache::prewarm().
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <string>
#include <vector>

#include "support/environment.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"
#include "support/proxy.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::Origin;
using test::outcome_of;

TEST_CASE("prewarmed connections are idle, and the first requests use them", "[wire][prewarm]") {
    Origin origin(test::respond_with(test::reply("ok")));
    test::Client client;
    CHECK(client.cache.prewarm(origin.url(), 3) == 3);
    REQUIRE(origin.wait_for_accepts(3));
    auto stats = client.cache.stats();
    CHECK(stats.idle == 3);
    CHECK(stats.opened == 3);
    CHECK(stats.requests == 0);
    CHECK(client.cache.prewarm(origin.url(), 2) == 3);
    for (int i = 0; i < 3; ++i) CHECK(client.session.get(origin.url()).text() == "ok");
    CHECK(origin.accepts() == 3);
    stats = client.cache.stats();
    CHECK(stats.opened == 3);
    CHECK(stats.idle == 3);
    CHECK(stats.closed == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 3);
}

TEST_CASE("a prewarmed connection serves https: the handshake comes with the request", "[wire][prewarm]") {
    test::OriginOptions tls;
    tls.tls = true;
    Origin origin(test::respond_with(test::reply("ok")), tls);
    test::Client client;
    const auto url = origin.url_for("127.0.0.1");
    CHECK(client.cache.prewarm(url, 1) == 1);
    REQUIRE(origin.wait_for_accepts(1));
    // A default session uses it, though it does not like the certificate.
    const auto refused = test::outcome_of([&] { Session(client.cache).get(url); });
    CHECK(refused.code == Errc::tls);
    CHECK(origin.accepts() == 1);
    CHECK(client.cache.prewarm(url, 1) == 1);
    // One with another CA has connections of its own.
    client.session.ca_blob(test::TestCa::instance().pem());
    CHECK(client.session.get(url).text() == "ok");
    CHECK(origin.accepts() == 3);
    CHECK(client.cache.stats().idle == 2);
}

TEST_CASE("prewarm goes through the proxy that the request would use", "[wire][prewarm][proxy]") {
    test::OriginOptions tls;
    tls.tls = true;
    Origin plain(test::respond_with(test::reply("ok"))), secure(test::respond_with(test::reply("ok")), tls);
    test::HttpProxy for_http, for_https;
    const test::Environment environment(
        {{"http_proxy", for_http.url()}, {"https_proxy", for_https.url()}, {"NO_PROXY", "localhost"}});
    test::Client client;
    CHECK(client.cache.prewarm(plain.url(), 1) == 1);
    REQUIRE(for_http.origin().wait_for_accepts(1));
    CHECK(client.session.get(plain.url()).text() == "ok");
    CHECK(for_http.origin().accepts() == 1);

    CHECK(client.cache.prewarm(secure.url_for("127.0.0.1"), 1) == 1);
    REQUIRE(for_https.origin().wait_for_accepts(1));
    CHECK(for_https.connects() == 0);
    const auto refused = outcome_of([&] { client.session.get(secure.url_for("127.0.0.1")); });
    CHECK(refused.code == Errc::tls);  // by the default authorities
    CHECK(for_https.connects() == 1);
    CHECK(for_https.origin().accepts() == 1);
    CHECK(for_http.origin().accepts() == 1);

    CHECK(client.cache.prewarm(plain.url_for("localhost"), 1) == 1);
    REQUIRE(plain.wait_for_accepts(2));
    CHECK(client.session.get(plain.url_for("localhost")).text() == "ok");
    CHECK(plain.accepts() == 2);
    CHECK(client.cache.stats().closed_by[CloseReason::peer_closed] == 0);
}

TEST_CASE("the proxy for http is not the one for https, however it is written", "[wire][prewarm][proxy]") {
    Origin secure(test::respond_with(test::reply("ok")));
    test::HttpProxy proxy;
    const auto address = "127.0.0.1:" + std::to_string(proxy.port());
    test::Client client;
    {
        const test::Environment environment({{"http_proxy", proxy.url()}});
        CHECK(client.cache.prewarm("https://127.0.0.1:" + std::to_string(secure.port()), 1) == 1);
        REQUIRE(secure.wait_for_accepts(1));
        CHECK(proxy.origin().accepts() == 0);
    }
    const std::string written = GENERATE("HTTP://", "", "http://user:pass%40word@");
    const test::Environment environment({{"http_proxy", written + address}});
    CHECK(client.cache.prewarm("http://target.test/", 1) == 1);
    CHECK(proxy.origin().wait_for_accepts(1));
}

TEST_CASE("prewarm opens nothing where a proxy wants more than TCP first", "[wire][prewarm][proxy]") {
    Origin origin(test::respond_with(test::reply("ok")));
    Origin listener(test::respond_with(test::reply("no")));
    const auto at = "://127.0.0.1:" + std::to_string(listener.port());
    const auto* const scheme = GENERATE("https", "HTTPS", "socks5", "socks4a");
    const test::Environment environment({{"all_proxy", scheme + at}});
    test::Client client;
    CHECK(client.cache.prewarm(origin.url(), 2) == 0);
    CHECK(client.cache.stats().opened == 0);
    CHECK(listener.accepts() == 0);
}

TEST_CASE("prewarm stays within the limits and says what there is", "[wire][prewarm]") {
    Origin origin(test::respond_with(test::reply("ok")));
    test::Client client([](auto& b) { b.max_connections(2); });
    CHECK(client.cache.prewarm(origin.url(), 5) == 2);
    CHECK(client.cache.stats().open == 2);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("prewarm ends where the cache keeps no more idle connections", "[wire][prewarm]") {
    Origin origin(test::respond_with(test::reply("ok")), {.record_requests = false});
    {
        test::Client client([](auto& b) { b.max_idle(0); });
        CHECK(client.cache.prewarm(origin.url(), 1) == 0);
        CHECK(client.cache.stats().opened == 0);
    }
    {
        test::Client client([](auto& b) { b.max_idle_per_host(2); });
        CHECK(client.cache.prewarm(origin.url(), 5) == 2);
        CHECK(client.cache.stats().opened == 2);
    }
    test::Client client;  // max_idle is 128
    CHECK(client.cache.prewarm(origin.url(), 129) == 128);
    CHECK(client.cache.stats().opened == 128);
    client.check_end(origin.url());
}

TEST_CASE("prewarm ends where idle ones of another origin fill the cache", "[wire][prewarm]") {
    Origin here(test::respond_with(test::reply("ok"))), there(test::respond_with(test::reply("ok")));
    test::Client client([](auto& b) { b.max_idle(4); });
    CHECK(client.cache.prewarm(here.url(), 2) == 2);
    CHECK(client.cache.prewarm(there.url(), 2) == 2);
    const auto idle = client.cache.prewarm(here.url(), 4);  // the oldest give way: first its own
    CHECK(idle <= 4);
    CHECK(client.cache.stats().opened <= 6);
    CHECK(client.cache.stats().idle == 4);
}

TEST_CASE("prewarm ends also where the server closes each connection at once", "[wire][prewarm]") {
    Origin origin([](test::Connection& c) { c.close(); });
    test::Client client;
    CHECK(client.cache.prewarm(origin.url(), 20) <= 20);
    CHECK(client.cache.stats().opened == 20);
}

TEST_CASE("prewarm does not wait for a place that leased connections have", "[wire][prewarm]") {
    const bool of_the_host = GENERATE(true, false);
    Origin origin(test::respond_with(test::reply("ok")));
    test::Client client([&](auto& b) { of_the_host ? b.max_connections_per_host(2) : b.max_connections(2); });
    Session second(client.cache);
    auto one = client.session.get(origin.url());
    auto two = second.get(origin.url());
    const auto outcome = outcome_of([&] { client.cache.prewarm(origin.url(), 1); });
    CHECK(outcome.threw);
    CHECK(outcome.code == Errc::acquire_timeout);
    CHECK(outcome.phase == Phase::acquire);
    std::error_code ec;
    CHECK(client.cache.prewarm(origin.url(), 1, ec) == 0);
    CHECK(ec == Errc::acquire_timeout);
    const auto stats = client.cache.stats();
    CHECK(stats.open == 2);
    CHECK(stats.leased == 2);
    CHECK(stats.waiting == 0);
    CHECK(stats.waits == 0);
    CHECK(stats.acquire_timeouts == 0);  // it was no request
    CHECK(stats.requests == 2);
    CHECK(origin.accepts() == 2);

    CHECK(one.text() == "ok");
    CHECK(client.cache.prewarm(origin.url(), 1) == 1);  // the one that came back
    CHECK(two.text() == "ok");
    CHECK(origin.accepts() == 2);
    client.check_end(origin.url());
}

TEST_CASE("prewarm after shutdown is refused", "[wire][prewarm]") {
    Origin origin(test::respond_with(test::reply("ok")));
    test::Client client;
    CHECK(client.cache.prewarm(origin.url(), 1) == 1);
    REQUIRE(origin.wait_for_accepts(1));
    client.cache.shutdown(1s);
    const auto outcome = outcome_of([&] { client.cache.prewarm(origin.url(), 2); });
    CHECK(outcome.threw);
    CHECK(outcome.code == Errc::cache_closed);
    std::error_code ec;
    CHECK(client.cache.prewarm(origin.url(), 2, ec) == 0);
    CHECK(ec == Errc::cache_closed);
    CHECK(client.cache.stats().open == 0);
    CHECK(client.cache.stats().opened == 1);
    CHECK(origin.wait_for_open(0));
    CHECK(origin.accepts() == 1);
}

TEST_CASE("prewarm throws when the first connection cannot be opened", "[wire][prewarm]") {
    test::Client client;
    CHECK(outcome_of([&] {
              client.cache.prewarm("http://127.0.0.1:" + std::to_string(test::free_port()) + "/", 2);
          }).code == Errc::connect);
    CHECK(outcome_of([&] { client.cache.prewarm("ftp://127.0.0.1/", 1); }).code ==
          Errc::unsupported_protocol);
    CHECK(client.cache.stats().open == 0);
}

TEST_CASE("a prewarmed connection that the server closed is not used", "[wire][prewarm]") {
    Origin origin(test::respond_with(test::reply("ok")));
    test::Client client([](auto& b) { b.watch_idle(false); });
    CHECK(client.cache.prewarm(origin.url(), 2) == 2);
    REQUIRE(origin.wait_for_accepts(2));
    origin.close_all();
    CHECK(client.session.get(origin.url()).text() == "ok");
    CHECK(origin.accepts() == 3);
    CHECK(client.cache.stats().replays == 0);
}

TEST_CASE("prewarmed connections are closed like others", "[wire][prewarm]") {
    Origin origin(test::respond_with(test::reply("ok")));
    test::Client client;
    CHECK(client.cache.prewarm(origin.url(), 2) == 2);
    CHECK(client.cache.close_idle() == 2);
    CHECK(origin.wait_for_fins(2));
    CHECK(client.cache.stats().open == 0);
}

}  // namespace
