// Conformance: reuse.
#include <catch2/generators/catch_generators.hpp>

#include <clocale>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/nginx.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"
#include "support/timing.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

class Utf8Locale {
  public:
    Utf8Locale() : before_(std::setlocale(LC_CTYPE, nullptr)) { std::setlocale(LC_CTYPE, "C.UTF-8"); }
    ~Utf8Locale() { std::setlocale(LC_CTYPE, before_.c_str()); }
    Utf8Locale(const Utf8Locale&) = delete;
    Utf8Locale& operator=(const Utf8Locale&) = delete;

  private:
    std::string before_;
};

}  // namespace

TEST_CASE("C001 two sequential requests share one connection", "[conformance][C001]") {
    Origin origin(respond_with(ok));
    Client client;

    auto first = client.session.get(origin.url());
    const auto first_port = port_of(first.local_address());
    CHECK_FALSE(first.reused());
    CHECK(read_to_end(first).bytes == "ok");
    CHECK(client.cache.stats().idle == 1);

    auto second = client.session.get(origin.url());
    CHECK(second.reused());
    CHECK(port_of(second.local_address()) == first_port);
    CHECK(second.connection_id() == first.connection_id());
    CHECK(read_to_end(second).bytes == "ok");
    CHECK(client.cache.stats().idle == 1);
    CHECK(origin.accepts() == 1);
    for (const auto& request : origin.requests()) CHECK(request.peer_port == first_port);
    client.check_end(origin.url());
}

TEST_CASE("C002 the last byte of a body gives its connection back, not the destructor",
          "[conformance][C002]") {
    const bool chunked = GENERATE(false, true);
    CAPTURE(chunked);
    Origin origin(respond_with(chunked ? chunked_reply({"hel", "lo"}) : reply("hello")));
    Client client([](auto& b) { b.max_connections_per_host(1).acquire_timeout(0s); });

    auto first = client.session.get(origin.url());
    CHECK(read_bytes(first, 5) == "hello");
    CHECK(first.body_state() == BodyState::complete);
    CHECK(client.cache.stats().leased == 0);
    CHECK(client.cache.stats().idle == 1);

    Session other{client.cache};
    auto second = other.get(origin.url());
    CHECK(second.reused());
    CHECK(second.text() == "hello");
    CHECK(first.disposition()->reused);
    CHECK(client.drop_warnings() == 0);
    CHECK(client.cache.stats().waits == 0);
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C003 a last chunk that has arrived is taken without a further read", "[conformance][C003]") {
    Origin origin(
        respond_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    Client client;
    {
        auto response = client.session.get(origin.url());
        CHECK(read_bytes(response, 5) == "hello");
    }
    CHECK(client.drop_warnings() == 0);
    CHECK(client.cache.stats().idle == 1);
    CHECK(client.session.get(origin.url()).text() == "hello");
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C004 a POST and a GET follow each other on one connection without stray bytes",
          "[conformance][C004]") {
    Origin origin(respond_with(ok));
    Client client;

    CHECK(client.session.post(origin.url("/post"), "hello world").text() == "ok");
    CHECK(client.session.get(origin.url("/get")).text() == "ok");

    const auto requests = origin.requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].method == "POST");
    CHECK(requests[0].body == "hello world");
    CHECK(requests[1].method == "GET");
    CHECK(requests[1].target == "/get");
    CHECK(requests[1].head.starts_with("GET /get HTTP/1.1\r\n"));
    CHECK(requests[1].body_size == 0);
    CHECK_FALSE(requests[1].header("Content-Length"));
    CHECK_FALSE(requests[1].header("Content-Type"));
    CHECK(origin.accepts() == 1);
    CHECK(origin.errors().empty());
    client.check_end(origin.url());
}

TEST_CASE("C005 dropping an empty body is not a partial read", "[conformance][C005]") {
    Origin origin(respond_with(reply("")));
    Client client;
    for (int i = 0; i < 100; ++i) {
        const auto response = client.session.get(origin.url());
        CHECK(response.body_state() == BodyState::complete);
    }
    CHECK(origin.accepts() == 1);
    CHECK(origin.request_count() == 100);
    CHECK(client.log.warnings().empty());
    CHECK(client.cache.stats().dropped_unread == 0);
    client.check_end(origin.url());
}

TEST_CASE("C007 no connection serves another host, port or scheme", "[conformance][C007]") {
    Origin origin(respond_with(ok));
    Origin other_port(respond_with(ok));
    OriginOptions tls_options;
    tls_options.tls = true;
    Origin tls(respond_with(ok), tls_options);
    Client client;
    Session trusting{client.cache};
    trusting.ca_blob(TestCa::instance().pem());

    client.session.get(origin.url_for("localhost")).text();
    CHECK(origin.accepts() == 1);
    client.session.get(origin.url_for("127.0.0.1")).text();
    CHECK(origin.accepts() == 2);
    client.session.get(other_port.url_for("localhost")).text();
    CHECK(origin.accepts() == 2);
    CHECK(other_port.accepts() == 1);
    trusting.get(tls.url_for("localhost")).text();
    CHECK(tls.accepts() == 1);
    // The same host and port with the other scheme: a connection of its own, on which the plain server sees
    // no request.
    const auto refused = outcome_of([&] {
        trusting.send(
            Request::get("https://localhost:" + std::to_string(origin.port()) + "/").connect_timeout(300ms));
    });
    CAPTURE(refused.message);
    CHECK(refused.threw);
    CHECK(refused.code == Errc::timeout);
    CHECK(refused.phase == Phase::tls);
    CHECK(origin.accepts() == 3);
    CHECK(origin.request_count() == 2);
    client.check_end(origin.url());
}

TEST_CASE("C008 a host is the same in any case of letters and in either form of IDN", "[conformance][C008]") {
    Origin origin(respond_with(ok));
    Client client([&](auto& b) { b.resolve("xn--bcher-kva.example", origin.port(), "127.0.0.1"); });
    const auto port = std::to_string(origin.port());

    client.session.get("http://LOCALHOST:" + port + "/").text();
    client.session.get("http://localhost:" + port + "/").text();
    client.session.get("HTTP://LocalHost:" + port).text();
    CHECK(origin.accepts() == 1);
    CHECK(client.cache.connections().size() == 1);

    client.session.get("http://xn--bcher-kva.example:" + port + "/").text();
    CHECK(origin.accepts() == 2);
    client.session.get("http://XN--BCHER-KVA.example:" + port + "/").text();
    CHECK(origin.accepts() == 2);
    const Utf8Locale locale;  // libcurl reads names in the locale's encoding
    client.session
        .get(
            "http://b\xc3\xbc"
            "cher.example:" +
            port + "/")
        .text();
    CHECK(origin.accepts() == 2);
    client.check_end(origin.url_for("localhost"));
}

TEST_CASE("C008 a default port may be left out", "[conformance][C008]") {
    // Port 80 cannot be had everywhere: a Unix socket stands for any host and port, but they still are the
    // origin.
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    const TempDir dir;
    OriginOptions options;
    options.unix_path = dir.path() / "origin";
    options.tls = tls;
    Origin origin(respond_with(ok), options);
    Client client;
    client.session.unix_socket(options.unix_path).ca_blob(TestCa::instance().pem());
    const std::string scheme = tls ? "https://" : "http://";
    const std::string port = tls ? "443" : "80";

    for (const auto& url : {scheme + "LOCALHOST:" + port + "/", scheme + "localhost/",
                            scheme + "localhost:" + port, scheme + "LocalHost"}) {
        client.session.get(url).text();
        CHECK(origin.accepts() == 1);
    }
    CHECK(origin.request_count() == 4);
    REQUIRE(client.cache.connections().size() == 1);
    CHECK(client.cache.connections()[0].origin == scheme + "localhost:" + port);
    // The other scheme's default is another port.
    client.session.get(scheme + "localhost:" + (tls ? "80" : "443") + "/").text();
    CHECK(origin.accepts() == 2);
    CHECK(client.cache.connections().size() == 2);
    CHECK(client.at_rest());
}

TEST_CASE("C009 no option of one request shows in the next on its connection", "[conformance][C009]") {
    const auto script = [](Connection& c) {
        while (auto request = c.read_request()) {
            if (request->target == "/stall") {
                c.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na");
                if (!c.sleep(750ms)) return;  // why: the stall that the row asks for
                c.write("bcd");
            } else if (request->target == "/slow") {
                if (!c.sleep(1500ms)) return;  // why: the stall that the row asks for
                c.write(ok);
            } else {
                c.write(ok);
            }
        }
    };
    Origin origin(script);
    Client client;

    auto one = Request::post(origin.url("/"), "body");
    one.timeout(1s).header("X-One", "1").basic_auth("user", "secret");
    CHECK(client.session.send(one).text() == "ok");

    const auto start = Clock::now();
    const auto two =
        outcome_of([&] { client.session.send(Request::get(origin.url("/stall")).timeout(250ms)).text(); });
    const auto took = Clock::now() - start;
    CHECK(two.threw);
    CHECK(two.code == Errc::timeout);
    CHECK(took >= 250ms);
    CHECK(took < 700ms);

    CHECK(client.session.get(origin.url("/slow")).text() == "ok");
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 3);
    CHECK(requests[1].connection == 0);
    for (std::size_t i = 1; i < requests.size(); ++i) {
        CHECK(requests[i].method == "GET");
        CHECK_FALSE(requests[i].header("X-One"));
        CHECK_FALSE(requests[i].header("Authorization"));
        CHECK_FALSE(requests[i].header("Content-Length"));
        CHECK_FALSE(requests[i].header("Content-Type"));
        CHECK(requests[i].body_size == 0);
    }
    client.check_end(origin.url());
}

TEST_CASE("C011 Basic credentials belong to a request, a tag to a connection", "[conformance][C011]") {
    Origin origin(respond_with(ok));
    Client client;
    const auto authorization = [&](std::size_t n) { return origin.requests().at(n).header("Authorization"); };

    client.session.send(Request::get(origin.url()).basic_auth("user1", "a")).text();
    client.session.send(Request::get(origin.url()).basic_auth("user2", "b")).text();
    client.session.get(origin.url()).text();
    CHECK(origin.accepts() == 1);
    CHECK(authorization(0) == "Basic dXNlcjE6YQ==");
    CHECK(authorization(1) == "Basic dXNlcjI6Yg==");
    CHECK_FALSE(authorization(2));

    client.session.send(Request::get(origin.url()).isolation("alice")).text();
    CHECK(origin.accepts() == 2);
    client.session.send(Request::get(origin.url()).isolation("bob")).text();
    CHECK(origin.accepts() == 3);
    client.session.send(Request::get(origin.url()).isolation("alice")).text();
    client.session.get(origin.url()).text();
    CHECK(origin.accepts() == 3);
    client.check_end(origin.url());
}

TEST_CASE("C012 a request's own Connection: close is kept", "[conformance][C012]") {
    Origin origin(respond_with(ok));
    Client client;
    const bool text = GENERATE(true, false);
    {
        auto response = client.session.send(Request::get(origin.url()).header("Connection", "close"));
        if (text)
            CHECK(response.text() == "ok");
        else
            CHECK(response.consume().reason == CloseReason::connection_close);
        REQUIRE(response.disposition());
        CHECK_FALSE(response.disposition()->reused);
        CHECK(response.disposition()->reason == CloseReason::connection_close);
    }
    CHECK(origin.requests().at(0).header("Connection") == "close");
    CHECK(origin.wait_for_fins(1));
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.session.get(origin.url()).text() == "ok");
    CHECK(origin.accepts() == 2);
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C013 a cache of no idle connections closes each at the end of its body", "[conformance][C013]") {
    Origin origin(respond_with(ok));
    Client client([](auto& b) { b.max_idle(0); });

    std::size_t n = 0;
    const auto one_request = [&] {
        auto response = client.session.get(origin.url());
        const auto before = Clock::now();
        CHECK(response.text() == "ok");
        CHECK(client.cache.stats().idle == 0);
        REQUIRE(origin.wait_for_fins(++n));
        CHECK(origin.accepts() == n);
        return origin.ended().back().at - before;
    };
    one_request();
    CHECK(ever_within(100ms, one_request));
    const auto requests = origin.requests();
    REQUIRE(requests.size() == n);
    for (std::size_t i = 1; i < n; ++i) CHECK(requests[i - 1].peer_port != requests[i].peer_port);
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}
