#include "smoke.hpp"

#include <curl/curl.h>
#include <catch2/catch_test_macros.hpp>

#include <string>
#include <string_view>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/threads.hpp"

namespace ringlet::test {

namespace {

using Speaks = test::Protocol;

std::string_view name_of(Speaks protocol) {
    switch (protocol) {
        case Speaks::http:
            return "HTTP/1.1";
        case Speaks::https:
            return "HTTP/1.1 over TLS";
        case Speaks::h2:
            return "HTTP/2 over TLS";
        case Speaks::h2c:
            return "HTTP/2";
    }
    return "?";
}

void prepare(Session& session, Speaks protocol) {
    session.ca_blob(TestCa::instance().pem()).timeout(30s);
    if (protocol == Speaks::h2c) session.http_version(HttpVersion::http_2_prior_knowledge);
}

bool is_http2(Speaks protocol) {
    return protocol == Speaks::h2 || protocol == Speaks::h2c;
}

// Whether a half read HTTP/2 answer costs its connection (behaviour.md, section 3).
bool drop_keeps_connection(Speaks protocol) {
    constexpr unsigned since = 0x080f00;  // libcurl 8.15
    return is_http2(protocol) && curl_version_info(CURLVERSION_NOW)->version_num >= since;
}

void check_methods(Session& session, const std::function<std::string(std::string_view)>& url,
                   Speaks protocol) {
    for (int i = 0; i < 5; ++i) {
        auto response = session.get(url("/small"));
        CHECK(response.status() == 200);
        CHECK(response.version() ==
              (is_http2(protocol) ? ringlet::Protocol::http_2 : ringlet::Protocol::http_1_1));
        CHECK(response.reused() == (i > 0));
        CHECK(response.text() == small_body());
    }
    auto head = session.head(url("/small"));
    CHECK(head.status() == 200);
    CHECK(head.body_state() == BodyState::complete);
    const std::string upload(100'000, 'u');
    auto echo = session.post(url("/echo"), upload);
    CHECK(echo.status() == 200);
    CHECK((echo.text() == upload));
    CHECK(session.get(url("/size/1m")).text().size() == 1 << 20);
    auto missing = session.get(url("/no-such-document"));
    CHECK(missing.status() == 404);
    missing.consume();
}

void check_drop(Client& client, const std::function<std::string(std::string_view)>& url, Speaks protocol) {
    const auto before = client.cache.stats();
    {
        auto large = client.session.get(url("/size/100m"));
        CHECK(large.status() == 200);
        CHECK(read_bytes(large, 1000).size() == 1000);
    }
    const bool kept = drop_keeps_connection(protocol);
    CHECK(client.session.get(url("/small")).text() == small_body());
    const auto after = client.cache.stats();
    CHECK(after.opened == before.opened + (kept ? 0 : 1));
    CHECK(after.closed_by[CloseReason::unread_body] == (kept ? 0 : 1));
    CHECK(client.drop_warnings() == (kept ? 0 : 1));
    CHECK(after.dropped_unread == 1);
}

void check_threads(Client& client, const std::string& url, Speaks protocol) {
    const auto errors = on_threads(4, [&](std::size_t) {
        Session session(client.cache);
        prepare(session, protocol);
        for (int i = 0; i < 10; ++i) expect(session.get(url).text() == small_body(), "the small body");
    });
    CHECK(errors == std::vector<std::string>{});
}

}  // namespace

void smoke(ServerProcess& server, const Served& served) {
    std::size_t opened = 0;
    for (const auto protocol : {Speaks::http, Speaks::https, Speaks::h2, Speaks::h2c}) {
        if (!server.offers(protocol)) continue;
        INFO(name_of(protocol));
        const auto url = [&](std::string_view path) { return server.url(protocol, path); };
        Client client([](ConnectionCache::Builder& b) { b.max_connections(4); });
        prepare(client.session, protocol);
        check_methods(client.session, url, protocol);
        CHECK(client.cache.stats().opened == 1);
        check_drop(client, url, protocol);
        check_threads(client, url("/small"), protocol);
        CHECK(client.at_rest());
        const auto stats = client.cache.stats();
        CHECK(stats.replays == 0);
        CHECK(stats.opened <= 5);
        opened += stats.opened;
    }
    REQUIRE(opened > 0);
    if (served) CHECK(eventually([&] { return served() == opened; }));
    if (served) CHECK(served() == opened);
}

void survives_restart(ServerProcess& server) {
    for (const auto protocol : {Speaks::http, Speaks::https, Speaks::h2, Speaks::h2c}) {
        if (!server.offers(protocol)) continue;
        INFO(name_of(protocol));
        Client client;
        prepare(client.session, protocol);
        client.session.replay(Replay::never);
        CHECK(client.session.get(server.url(protocol, "/small")).text() == small_body());
        server.restart();
        CHECK(client.session.get(server.url(protocol, "/small")).text() == small_body());
        CHECK(client.cache.stats().opened == 2);
        CHECK(client.cache.stats().replays == 0);
        CHECK(client.at_rest());
    }
}

}  // namespace ringlet::test
