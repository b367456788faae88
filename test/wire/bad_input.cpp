// Bad input: which Errc, and a message that names the redacted URL and the phase (behaviour.md, section 11).
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("a request that cannot be made says where, why and how far it came", "[wire]") {
    const auto closed_port = std::to_string(free_port());
    Origin origin(scripts_in_turn(
        {respond_and_close("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"), respond_with(ok)}));
    OriginOptions with_tls;
    with_tls.tls = true;
    Origin tls(respond_with(ok), with_tls);
    struct Row {
        std::string url;
        Errc code;
        Phase phase;
        std::string shown;  // in the message and as Error::url(); empty: the message only
    };
    const std::vector<Row> rows = {
        {"http://nosuch.invalid/p?k=v", Errc::resolve, Phase::resolve, "http://nosuch.invalid/p"},
        {"http://127.0.0.1:" + closed_port + "/p?k=v", Errc::connect, Phase::connect,
         "http://127.0.0.1:" + closed_port + "/p"},
        {origin.url("/p?k=v"), Errc::truncated, Phase::body, origin.url("/p")},
        {tls.url("/p?k=v"), Errc::tls, Phase::tls, tls.url("/p")},
        {"ftp://127.0.0.1/p?k=v", Errc::unsupported_protocol, Phase::none, "ftp://127.0.0.1/p"},
        {"file:///etc/passwd", Errc::unsupported_protocol, Phase::none, "file:///etc/passwd"},
        {"127.0.0.1/p?k=v", Errc::invalid_argument, Phase::none, "127.0.0.1/p"},
        {"http://", Errc::invalid_argument, Phase::none, "http://"},
        {"http://127.0.0.1:99999/", Errc::invalid_argument, Phase::none, "http://127.0.0.1:99999/"},
        {"http://a b/", Errc::invalid_argument, Phase::none, "http://a b/"},
        {"", Errc::invalid_argument, Phase::none, ""},
    };
    Client client;
    client.session.proxy("");
    for (const auto& row : rows) {
        INFO(row.url);
        const auto outcome = outcome_of([&] { client.session.get(row.url).text(); });
        INFO(outcome.message);
        REQUIRE(outcome.threw);
        CHECK(outcome.code == row.code);
        CHECK(outcome.phase == row.phase);
        CHECK(outcome.url == row.shown);
        CHECK(outcome.message.find(row.shown) != std::string::npos);
        CHECK(outcome.message.find("k=v") == std::string::npos);
        if (row.phase != Phase::none) {
            CHECK(outcome.message.find('(' + std::string(to_string(row.phase)) + ')') != std::string::npos);
            CHECK(outcome.message.starts_with("GET "));
        }
        CHECK(client.at_rest());
    }
    client.check_end(origin.url());
}

TEST_CASE("CR, LF and NUL are refused in every setter before anything is sent", "[wire]") {
    Origin origin(respond_with(ok));
    Client client;
    Session& session = client.session;
    for (const auto& bad :
         {std::string("a\rb"), std::string("a\nb"), std::string("a\0b", 3), std::string("a\r\nX: y")}) {
        const std::string_view text = bad;
        const std::vector<std::function<void()>> calls = {
            [&] { Request(text, origin.url()); },
            [&] { Request::get(origin.url(text)); },
            [&] { session.get(origin.url(text)); },
            [&] { session.get(origin.url("/?" + bad)); },
            [&] { session.get("http://" + bad + "/"); },
            [&] { session.header(text, "v"); },
            [&] { session.header("N", text); },
            [&] { session.add_header(text, "v"); },
            [&] { session.add_header("N", text); },
            [&] { session.basic_auth(text, "p"); },
            [&] { session.basic_auth("u", text); },
            [&] { session.digest_auth(text, "p"); },
            [&] { session.digest_auth("u", text); },
            [&] { session.bearer(text); },
            [&] { session.proxy(text); },
            [&] { session.unix_socket(std::filesystem::path(bad)); },
            [&] { session.local_address(text); },
            [&] { session.ca_file(std::filesystem::path(bad)); },
            [&] { session.client_certificate(std::filesystem::path(bad), "key"); },
            [&] { session.client_certificate("cert", std::filesystem::path(bad)); },
            [&] { session.client_certificate("cert", "key", text); },
            [&] { session.pinned_key(text); },
            [&] { session.tls_ciphers(text); },
            [&] { session.accept_encoding(text); },
            [&] { session.user_agent(text); },
            [&] { session.base_url("http://host/" + bad); },
            [&] { Body::multipart({{.name = "n", .data = "d", .content_type = bad}}); },
        };
        for (std::size_t i = 0; i < calls.size(); ++i) {
            INFO("call " << i);
            CHECK(outcome_of(calls[i]).code == Errc::invalid_argument);
        }
    }
    for (const char* name : {"", "a b", "a:b", "\xc3\xbc", "a\tb", "(a)"}) {
        INFO(name);
        CHECK(outcome_of([&] { session.header(name, "v"); }).code == Errc::invalid_argument);
        CHECK(outcome_of([&] { Request(name, origin.url()); }).code == Errc::invalid_argument);
    }
    CHECK(outcome_of([&] { session.timeout(-1s); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { session.connect_timeout(-1s); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { session.first_byte_timeout(-1s); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { session.low_speed(1, -1s); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { session.retry({.attempts = 0}); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { session.retry({.backoff = -1ms}); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { session.retry({.max_backoff = -1ms}); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { session.proxy("ftp://host:1"); }).code == Errc::invalid_argument);
    for (const char* proxy : {"sox5://me:secret@host:1", "me:secret://x@host:1", "me:secret@ftp://host:1"})
        CHECK(outcome_of([&] { session.proxy(proxy); }).message.find("secret") == std::string::npos);
    session.proxy("");
    CHECK(outcome_of([&] { session.max_body_size(-1); }).code == Errc::invalid_argument);
    CHECK(origin.accepts() == 0);
    // Nothing of it was kept.
    CHECK(session.get(origin.url()).text() == "ok");
    CHECK_FALSE(origin.requests().at(0).header("N"));
    CHECK_FALSE(origin.requests().at(0).header("Authorization"));
    client.check_end(origin.url());
}

TEST_CASE("a form's names hold no NUL, which would cut them", "[wire]") {
    const std::string bad("a\0b", 3);
    CHECK(outcome_of([&] { Body::multipart({{.name = bad, .data = "d"}}); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { Body::multipart({{.name = "n", .data = "d", .filename = bad}}); }).code ==
          Errc::invalid_argument);
}

TEST_CASE("a password that breaks a URL or a proxy's name is not shown", "[wire]") {
    Client client;
    std::vector<std::string> said;
    const auto failing = [&](const auto& call) {
        const auto outcome = outcome_of(call);
        CHECK(outcome.threw);
        CHECK_FALSE(outcome.message.empty());
        said.push_back(outcome.message);
        said.push_back(outcome.url);
    };
    for (const char* password : {"s3cret", "s3/cret", "s3?cret", "s3#cret", "s3@cret", "s3 cret"}) {
        const auto user = std::string("user:") + password + '@';
        failing([&] { Request::get("http://" + user + "host/\n"); });
        failing([&] { Request::get("http://" + user + "h\nost"); });
        failing([&] { client.session.get("http://" + user + "host:80a/"); });
        for (const auto& proxy : {user + "proxy:80a", "http://" + user + "proxy:80a", user + "pro xy"}) {
            failing([&] { client.session.send(Request::get("https://host/").proxy(proxy)); });
            failing([&] { client.session.send(Request::get("http://host/").proxy(proxy)); });
            failing([&] {
                SocketOptions options;
                options.proxy = proxy;
                options.cache = client.cache;
                Socket::connect("host.invalid", 1, options);
            });
        }
    }
    for (const auto& line : client.log.lines()) said.push_back(line);
    for (const auto& text : said) {
        INFO(text);
        CHECK(text.find("s3") == std::string::npos);
        CHECK(text.find("cret") == std::string::npos);
    }
}

TEST_CASE("a Request that has been moved from is refused, and says nothing of itself", "[wire]") {
    Origin origin(respond_with(ok));
    Client client;
    auto request = Request::get(origin.url());
    const auto other = std::move(request);
    const std::vector<std::function<void()>> calls = {[&] { client.session.send(request); },
                                                      [&] { request.header("N", "v"); },
                                                      [&] { request.timeout(1s); },
                                                      [&] { request.query("n", "v"); },
                                                      [&] { request.body("text"); },
                                                      [&] { const Request copy(request); },
                                                      [&] {
                                                          Request copy(other);
                                                          copy = request;
                                                      }};
    for (std::size_t i = 0; i < calls.size(); ++i) {
        INFO("call " << i);
        CHECK(outcome_of(calls[i]).code == Errc::invalid_argument);  // NOLINT(bugprone-use-after-move)
    }
    CHECK(request.method().empty());
    CHECK(request.url().empty());
    request = other;
    CHECK(client.session.send(request).text() == "ok");
}
