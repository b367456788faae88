// Authentication: basic, bearer and digest, and whom the credentials never reach.
#include <openssl/evp.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

std::string md5(const std::string& text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_md5(), nullptr);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        std::array<char, 3> byte{};
        std::snprintf(byte.data(), byte.size(), "%02x", digest[i]);
        hex += byte.data();
    }
    return hex;
}

// The value of name="value" or name=value in a list of parameters.
std::string parameter(const std::string& list, const std::string& name) {
    auto at = list.find(name + "=");
    while (at != std::string::npos && at != 0 && list[at - 1] != ' ' && list[at - 1] != ',') {
        at = list.find(name + "=", at + 1);
    }
    if (at == std::string::npos) return {};
    at += name.size() + 1;
    if (list[at] == '"') return list.substr(at + 1, list.find('"', at + 1) - at - 1);
    return list.substr(at, list.find(',', at) - at);
}

// RFC 7616 section 3.4.1, with qop=auth.
bool digest_is_right(const Recorded& request, const std::string& user, const std::string& password) {
    const auto field = request.header("Authorization");
    if (!field || !field->starts_with("Digest ")) return false;
    const auto a1 = md5(user + ":" + parameter(*field, "realm") + ":" + password);
    const auto a2 = md5(request.method + ":" + parameter(*field, "uri"));
    const auto expected = md5(a1 + ":" + parameter(*field, "nonce") + ":" + parameter(*field, "nc") + ":" +
                              parameter(*field, "cnonce") + ":" + parameter(*field, "qop") + ":" + a2);
    return parameter(*field, "uri") == request.target && parameter(*field, "username") == user &&
           parameter(*field, "response") == expected;
}

// Asks for digest authentication and lets in who knows the password.
Script digest_server(std::string user, std::string password) {
    return handler([user = std::move(user), password = std::move(password)](const Recorded& request) {
        if (digest_is_right(request, user, password)) return reply("welcome, " + request.body);
        return reply(
            "who are you?", 401,
            "WWW-Authenticate: Digest realm=\"here\", nonce=\"abc\", qop=\"auth\", algorithm=MD5\r\n");
    });
}

}  // namespace

TEST_CASE("basic and bearer credentials go out with the first request", "[wire][auth]") {
    Origin origin(respond_with(reply("hello")));
    Client client;
    client.session.basic_auth("Aladdin", "open sesame").get(origin.url()).consume();
    client.session.bearer("a.b.c").get(origin.url()).consume();
    client.session.send(Request::get(origin.url()).basic_auth("user", "")).consume();
    client.session.get(origin.url()).consume();
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 4);
    CHECK(requests[0].header("Authorization") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    CHECK(requests[1].header("Authorization") == "Bearer a.b.c");
    CHECK(requests[2].header("Authorization") == "Basic dXNlcjo=");
    CHECK(requests[3].header("Authorization") == "Bearer a.b.c");
    for (const auto& request : requests) CHECK(request.headers("Authorization").size() == 1);
    CHECK(origin.accepts() == 1);  // these credentials are the request's, not the connection's
    client.check_end(origin.url());
}

TEST_CASE("credentials of one session are not those of the next on its connection", "[wire][auth]") {
    Origin origin(respond_with(reply("hello")));
    Client client;
    client.session.basic_auth("user", "secret").get(origin.url()).consume();
    Session second(client.cache);
    second.get(origin.url()).consume();
    Session third(client.cache);
    third.basic_auth("other", "secret").get(origin.url()).consume();
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 3);
    CHECK(requests[0].header("Authorization"));
    CHECK_FALSE(requests[1].header("Authorization"));
    CHECK(requests[2].header("Authorization"));
    CHECK(requests[2].header("Authorization") != requests[0].header("Authorization"));
    CHECK(origin.accepts() == 1);
}

TEST_CASE("digest authentication answers the challenge on the same connection", "[wire][auth]") {
    Origin origin(digest_server("user", "secret"));
    Client client;
    client.session.digest_auth("user", "secret");
    SECTION("GET") {
        auto response = client.session.get(origin.url("/door?a=b"));
        CHECK(response.status() == 200);
        CHECK(response.text() == "welcome, ");
        CHECK(origin.request_count() == 2);
        CHECK(client.session.get(origin.url("/door?a=b")).text() == "welcome, ");
        CHECK(origin.request_count() <= 4);
    }
    SECTION("POST, with its body") {
        auto response = client.session.post(origin.url("/door"), "my name");
        CHECK(response.status() == 200);
        CHECK(response.text() == "welcome, my name");
        CHECK(origin.request_count() == 2);
    }
    SECTION("a streamed body that can rewind") {
        std::size_t at = 0;
        const std::string text = "from a source";
        auto body = Body::pull(
            [&](std::span<std::byte> to) -> std::size_t {
                const auto n = std::min(to.size(), text.size() - at);
                std::copy_n(reinterpret_cast<const std::byte*>(text.data()) + at, n, to.data());
                at += n;
                return n;
            },
            text.size(),
            [&] {
                at = 0;
                return true;
            });
        auto response = client.session.put(origin.url("/door"), std::move(body));
        CHECK(response.status() == 200);
        CHECK(response.text() == "welcome, from a source");
    }
    CHECK(origin.accepts() == 1);
    CHECK(client.cache.stats().replays == 0);
    CHECK(client.drop_warnings() == 0);
    CHECK(client.at_rest());
}

TEST_CASE("a wrong password for digest authentication is the server's 401", "[wire][auth]") {
    Origin origin(digest_server("user", "secret"));
    Client client;
    client.session.digest_auth("user", "wrong");
    auto response = client.session.get(origin.url());
    CHECK(response.status() == 401);
    CHECK(response.text() == "who are you?");
    CHECK(origin.request_count() == 2);
    Session nobody(client.cache);
    auto refused = nobody.get(origin.url());
    CHECK(refused.status() == 401);
    CHECK(refused.text() == "who are you?");
    CHECK_FALSE(origin.requests().back().header("Authorization"));
    CHECK(origin.accepts() == 1);
}

TEST_CASE("where nobody asks for digest credentials, the answer is that to the body", "[wire][auth]") {
    const int probed = GENERATE(200, 204);
    const bool late = GENERATE(false, true);
    CAPTURE(probed, late);
    Origin origin([=](Connection& connection) {
        while (const auto request = connection.read_request()) {
            if (request->body.empty()) {
                connection.write(reply(probed == 204 ? "" : "probe", probed, "X-Which: probe\r\n"));
                continue;
            }
            if (late) connection.sleep(100ms);
            connection.write(reply("real", 500, "X-Which: real\r\n"));
        }
    });
    Client client;
    const bool raw = GENERATE(false, true);
    CAPTURE(raw);
    if (raw) {
        client.session.with_handle([](CURL* handle) {
            curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_DIGEST);
            curl_easy_setopt(handle, CURLOPT_USERPWD, "user:secret");
        });
    } else {
        client.session.digest_auth("user", "secret");
    }
    for (int i = 0; i < 2; ++i) {
        auto response = client.session.post(origin.url(), "body");
        CHECK(response.status() == 500);
        CHECK(response.headers().get("X-Which") == "real");
        CHECK(response.text() == "real");
    }
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) CHECK(requests[i].body == (i % 2 == 0 ? "" : "body"));
    CHECK(origin.accepts() == 1);
    CHECK(client.at_rest());
}

TEST_CASE("an empty POST with digest credentials goes out once where nobody asks for them", "[wire][auth]") {
    Origin origin(handler([](const Recorded&) { return reply("done"); }));
    Client client;
    client.session.digest_auth("user", "secret");
    CHECK(client.session.post(origin.url(), "").text() == "done");
    CHECK(client.session.send(Request::post(origin.url())).text() == "done");
    CHECK(client.session.post(origin.url(), Body::pull([](std::span<std::byte>) { return 0; }, 0)).text() ==
          "done");
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 3);
    for (const auto& request : requests) {
        CHECK(request.method == "POST");
        CHECK(request.headers("Content-Length") == std::vector<std::string>{"0"});
        CHECK_FALSE(request.header("Content-Type"));
    }
    client.check_end(origin.url());
}

TEST_CASE("a chunked body without chunks ends with digest credentials too", "[wire][auth]") {
    Origin origin(handler([](const Recorded&) { return reply("done"); }));
    Client client;
    auto request = Request::post(origin.url()).body("").header("Transfer-Encoding", "chunked").timeout(10s);
    CHECK(client.session.digest_auth("user", "secret").send(request).text() == "done");
    for (const auto& seen : origin.requests())
        CHECK((seen.chunked != seen.header("Content-Length").has_value()));
    CHECK(client.at_rest());
}

TEST_CASE("an empty POST answers the challenge", "[wire][auth]") {
    Origin origin(digest_server("user", "secret"));
    Client client;
    client.session.digest_auth("user", "secret");
    CHECK(client.session.post(origin.url("/door"), "").text() == "welcome, ");
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 2);
    for (const auto& request : requests) {
        CHECK(request.method == "POST");
        CHECK(request.headers("Content-Length") == std::vector<std::string>{"0"});
    }
    CHECK(client.at_rest());
}

TEST_CASE("a server that calls every answer to its challenge stale is not asked for ever", "[wire][auth]") {
    std::atomic<int> nonce{0};
    Origin origin(handler([&](const Recorded&) {
        return reply("", 401,
                     "WWW-Authenticate: Digest realm=\"here\", qop=\"auth\", stale=true, nonce=\"" +
                         std::to_string(++nonce) + "\"\r\n");
    }));
    Client client;
    const auto outcome = outcome_of([&] { client.session.digest_auth("user", "secret").get(origin.url()); });
    CHECK(outcome.code == Errc::protocol);
    CHECK(outcome.message.find("credentials again and again") != std::string::npos);
    CHECK(origin.request_count() == 10);
    CHECK(client.at_rest());
}

TEST_CASE("digest state of one session is not used for another", "[wire][auth]") {
    Origin origin(digest_server("user", "secret"));
    Client client;
    client.session.digest_auth("user", "secret");
    CHECK(client.session.get(origin.url()).status() == 200);
    client.session.get(origin.url()).consume();
    Session other(client.cache);
    other.digest_auth("intruder", "guess");
    auto response = other.get(origin.url());
    CHECK(response.status() == 401);
    response.consume();
    for (const auto& request : origin.requests()) {
        const auto field = request.header("Authorization").value_or("");
        CHECK((field.empty() || parameter(field, "username") == "user" ||
               parameter(field, "username") == "intruder"));
    }
    CHECK(client.session.get(origin.url()).status() == 200);
}

TEST_CASE("credentials in a URL are sent and never shown", "[wire][auth]") {
    Origin origin(respond_with(reply("hello")));
    Client client;
    const auto url = "http://user:secret@127.0.0.1:" + std::to_string(origin.port()) + "/?token=hidden";
    client.session.get(url).consume();
    CHECK(origin.requests()[0].header("Authorization") == "Basic dXNlcjpzZWNyZXQ=");
    {
        auto response = client.session.get(url);
        CHECK(response.status() == 200);
    }
    client.session.get(origin.url()).consume();
    CHECK_FALSE(origin.requests().back().header("Authorization"));
    for (const auto& line : client.log.lines()) {
        CHECK(line.find("secret") == std::string::npos);
        CHECK(line.find("hidden") == std::string::npos);
    }
}

TEST_CASE("credentials of a URL go along on a redirect within its origin, and nowhere else", "[wire][auth]") {
    Origin elsewhere(respond_with(reply("elsewhere")));
    std::string location;
    Origin origin(handler([&](const Recorded& request) {
        return request.target == "/" ? reply("", 302, "Location: " + location + "\r\n") : reply("hello");
    }));
    Client client;
    const auto authority = "127.0.0.1:" + std::to_string(origin.port());
    const auto url = "http://us%40er:se%3Acret@" + authority + "/";
    const auto sent_to = [&](const std::string& to) {
        location = to;
        client.session.get(url).consume();
        return origin.requests().back().header("Authorization");
    };
    const auto own = "Basic dXNAZXI6c2U6Y3JldA==";
    CHECK(sent_to("/relative") == own);
    CHECK(sent_to("http://" + authority + "/absolute") == own);
    CHECK(sent_to("//" + authority + "/without-scheme") == own);
    CHECK(sent_to("http://a:b@" + authority + "/other") == "Basic YTpi");
    CHECK(client.session.get(url).url() == "http://a:b@" + authority + "/other");
    sent_to(elsewhere.url("/x"));
    REQUIRE(elsewhere.request_count() == 1);
    CHECK_FALSE(elsewhere.requests()[0].header("Authorization"));
    for (const auto& line : client.log.lines()) CHECK(line.find("cret") == std::string::npos);
}

TEST_CASE("first_byte_timeout holds for each round of an authentication", "[wire][auth]") {
    const bool with_body = GENERATE(false, true);
    const bool first_silent = GENERATE(false, true);
    CAPTURE(with_body, first_silent);
    Origin origin([&](Connection& connection) {
        connection.read_request();
        if (!first_silent) {
            connection.write(reply(
                "who?", 401, "WWW-Authenticate: Digest realm=\"here\", nonce=\"abc\", qop=\"auth\"\r\n"));
            connection.read_request();
        }
        connection.wait_for_fin(10s);
    });
    Client client;
    client.session.digest_auth("user", "secret").first_byte_timeout(300ms).timeout(5s);
    const auto start = Clock::now();
    const auto outcome = outcome_of([&] {
        if (with_body)
            client.session.post(origin.url(), "body");
        else
            client.session.get(origin.url());
    });
    CHECK(outcome.code == Errc::timeout);
    CHECK(outcome.message.find("first_byte_timeout") != std::string::npos);
    CHECK(Clock::now() - start >= 300ms);
    CHECK(Clock::now() - start < 3s);
    CHECK(origin.request_count() == (first_silent ? 1 : 2));
}

TEST_CASE("a round of an authentication does not use up the next one's first_byte_timeout", "[wire][auth]") {
    Origin origin([](Connection& connection) {
        for (const int status : {401, 200}) {
            connection.read_request();
            connection.sleep(400ms);
            connection.write(reply(
                "x", status, "WWW-Authenticate: Digest realm=\"here\", nonce=\"abc\", qop=\"auth\"\r\n"));
        }
        connection.wait_for_fin();
    });
    Client client;
    client.session.digest_auth("user", "secret").first_byte_timeout(700ms);
    CHECK(client.session.get(origin.url()).status() == 200);
}

TEST_CASE("the coding of a challenge says nothing of the answer after it", "[wire][auth]") {
    Origin origin(
        respond_in_turn({reply("", 401,
                               "WWW-Authenticate: Digest realm=\"here\", nonce=\"abc\", qop=\"auth\"\r\n"
                               "Content-Encoding: gzip\r\n"),
                         reply("welcome to what is not coded at all")}));
    Client client;
    client.session.digest_auth("user", "secret");
    CHECK(client.session.get(origin.url()).text() == "welcome to what is not coded at all");
}
