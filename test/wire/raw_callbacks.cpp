// Raw options beside ringlet's own requests, and ringlet's settings beside raw transfers.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>

#include <unistd.h>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/h2_origin.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

bool is_openssl() {
    return std::string_view(curl_version_info(CURLVERSION_NOW)->ssl_version).find("OpenSSL") !=
           std::string_view::npos;
}

}  // namespace

// libcurl keeps the function that closes a socket, and its data, as long as the connection lives.
TEST_CASE("a connection that the caller's own function closes ends with its transfer", "[wire][raw]") {
    Origin origin(respond_with(reply("ok")));
    Client client;
    const bool raw = GENERATE(true, false);
    CAPTURE(raw);
    int closed = 0;
    {
        Session session(client.cache);
        session.setopt(CURLOPT_CLOSESOCKETFUNCTION, [&](curl_socket_t fd) {
            ++closed;
            return ::close(fd);
        });
        session.setopt(CURLOPT_URL, origin.url());
        session.setopt(CURLOPT_WRITEFUNCTION, [](char*, std::size_t, std::size_t n) { return n; });
        if (raw)
            session.perform();
        else
            session.get(origin.url()).consume();
        CHECK(closed == 1);
    }
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.cache.close_idle() == 0);
    CHECK(closed == 1);
    client.check_end(origin.url());
}

TEST_CASE("a connection that the caller's own function closes ends with a stream that was reset",
          "[wire][raw][http2]") {
    Origin origin(h2_handler([](const H2Request&) {
                      return h2_respond_headers_only(200, {{"content-length", "1000"}});
                  }),
                  h2_options());
    Client client;
    int closed = 0;
    {
        Session session(client.cache);
        session.ca_blob(TestCa::instance().pem()).http_version(HttpVersion::http_2);
        session.setopt(CURLOPT_CLOSESOCKETFUNCTION, [&](curl_socket_t fd) {
            ++closed;
            return ::close(fd);
        });
        auto response = session.get(origin.url());
        CHECK(response.version() == ringlet::Protocol::http_2);
    }
    CHECK(closed == 1);
    CHECK(client.cache.stats().closed_by[CloseReason::connection_close] == 1);
    CHECK(client.cache.close_idle() == 0);
    CHECK(closed == 1);
}

TEST_CASE("what a raw callback throws in a request of ringlet's own reaches its caller", "[wire][raw]") {
    OriginOptions options;
    options.tls = true;
    Origin origin(respond_with(reply("ok")), options);
    Client client;
    client.session.ca_blob(TestCa::instance().pem());
    SECTION("while it connects") {
        client.session.setopt(CURLOPT_SOCKOPTFUNCTION, [](curl_socket_t, curlsocktype) -> int {
            throw std::domain_error("the caller's own");
        });
    }
    SECTION("in the TLS handshake") {
        if (!is_openssl()) SKIP("SSL_CTX_FUNCTION is OpenSSL's");
        client.session.setopt(CURLOPT_SSL_CTX_FUNCTION,
                              [](CURL*, void*) -> CURLcode { throw std::domain_error("the caller's own"); });
    }
    CHECK_THROWS_AS(client.session.get(origin.url()), std::domain_error);
    client.session.reset();
    CHECK(client.session.get(origin.url()).text() == "ok");
    CHECK(client.at_rest());
}

TEST_CASE("perform ends by the session's timeout", "[wire][raw]") {
    Origin origin(stay_silent());
    Client client;
    client.session.timeout(200ms).setopt(CURLOPT_URL, origin.url());
    const auto start = Clock::now();
    const auto outcome = outcome_of([&] { client.session.perform(); });
    CHECK(outcome.code == Errc::timeout);
    CHECK(Clock::now() - start >= 200ms);
    CHECK(Clock::now() - start < 2s);
    CHECK(client.cache.stats().open == 0);
}

TEST_CASE("the wait for a connection counts in the timeout of perform", "[wire][raw]") {
    Origin origin(respond_with(reply("ok")));
    Client client([](auto& builder) { builder.max_connections(1); });
    Session other(client.cache);
    const auto unread = other.get(origin.url());
    client.session.timeout(200ms).setopt(CURLOPT_URL, origin.url());
    CHECK(outcome_of([&] { client.session.perform(); }).code == Errc::timeout);
    CHECK(origin.request_count() == 1);
}

TEST_CASE("perform sends the session's header fields, unless CURLOPT_HTTPHEADER says something",
          "[wire][raw]") {
    Origin origin(respond_with(reply("ok")));
    Client client;
    client.session.header("X-Ours", "1").setopt(CURLOPT_URL, origin.url());
    client.session.setopt(CURLOPT_WRITEFUNCTION, [](char*, std::size_t, std::size_t n) { return n; });
    client.session.perform();
    client.session.perform();
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> list(curl_slist_append(nullptr, "X-Raw: 2"),
                                                                     &curl_slist_free_all);
    client.session.setopt(CURLOPT_HTTPHEADER, list.get());
    client.session.perform();
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 3);
    CHECK(requests[0].header("X-Ours") == "1");
    CHECK(requests[1].header("X-Ours") == "1");
    CHECK_FALSE(requests[2].header("X-Ours"));
    CHECK(requests[2].header("X-Raw") == "2");
    CHECK(origin.accepts() == 1);
    Session other(client.cache);
    other.get(origin.url()).consume();
    CHECK_FALSE(origin.requests().back().header("X-Ours"));
}

TEST_CASE("the wait for a connection counts in libcurl's own timeout too", "[wire][raw]") {
    Origin origin(respond_with(reply("ok")));
    Client client([](auto& builder) { builder.max_connections(1); });
    Session other(client.cache);
    const auto unread = other.get(origin.url());
    client.session.setopt(CURLOPT_URL, origin.url());
    const bool in_seconds = GENERATE(true, false);
    CAPTURE(in_seconds);
    // Of the two, the one that was set last counts.
    if (in_seconds)
        client.session.setopt(CURLOPT_TIMEOUT_MS, 60'000L).setopt(CURLOPT_TIMEOUT, 1L);
    else
        client.session.setopt(CURLOPT_TIMEOUT, 60L).setopt(CURLOPT_TIMEOUT_MS, 200L);
    CHECK(outcome_of([&] { client.session.perform(); }).code == Errc::timeout);
    CHECK(origin.request_count() == 1);
}

TEST_CASE("Connection: close among the fields that perform sends ends its connection", "[wire][raw]") {
    Origin origin(respond_with(reply("")));
    Client client;
    const bool in_list = GENERATE(true, false);
    CAPTURE(in_list);
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> list(
        curl_slist_append(curl_slist_append(nullptr, "X-Any: 1"), "connection:close"), &curl_slist_free_all);
    if (in_list)
        client.session.setopt(CURLOPT_HTTPHEADER, list.get());
    else
        client.session.header("Connection", "close");
    client.session.setopt(CURLOPT_URL, origin.url()).perform();
    CHECK(origin.requests().at(0).header("Connection") == "close");
    CHECK(client.cache.stats().closed_by[CloseReason::connection_close] == 1);
    CHECK(client.cache.stats().idle == 0);
    // Requests of ringlet's own do not send that list.
    client.session.get(origin.url()).consume();
    CHECK(origin.requests().at(1).header("Connection").has_value() == !in_list);
    CHECK(client.cache.stats().idle == (in_list ? 1u : 0u));
}

TEST_CASE("a connection that perform could not replace was never opened", "[wire][raw][observer]") {
    Origin origin(scripts_in_turn({[](Connection& c) {
        c.read_request();
        c.write(reply(""));
        c.read_request();
        c.close();
    }}));
    Client client;
    client.session.setopt(CURLOPT_URL, origin.url());
    client.session.perform();
    origin.stop_listening();
    CHECK(outcome_of([&] { client.session.perform(); }).code == Errc::connect);
    CHECK(client.cache.stats().opened == 1);
    CHECK(client.cache.stats().closed == 1);
    CHECK(client.cache.stats().open == 0);
}

TEST_CASE("a connection that perform could not make was never opened", "[wire][raw][observer]") {
    Origin origin(stay_silent());
    Client client;
    SECTION("refused") {
        origin.stop_listening();
        client.session.setopt(CURLOPT_URL, origin.url());
        CHECK(outcome_of([&] { client.session.perform(); }).code == Errc::connect);
    }
    SECTION("no TLS there") {
        Origin closing([](Connection& c) {
            c.read_some();
            c.close();
        });
        client.session.setopt(CURLOPT_URL, closing.url().replace(0, 4, "https"));
        CHECK(outcome_of([&] { client.session.perform(); }).code == Errc::tls);
    }
    CHECK(client.cache.stats().opened == 0);
    CHECK(client.cache.stats().open == 0);
}
