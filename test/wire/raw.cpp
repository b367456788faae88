// Session::setopt / perform / getinfo: raw curl, call by call.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <ringlet/ringlet.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

#include "support/origin.hpp"

namespace {

using namespace ringlet;
using test::handler;
using test::Origin;
using test::Recorded;
using test::reply;
using test::respond_with;

// What the compiler lets setopt<OPTION>(value) have, and what it refuses: a literal is an rvalue, a variable
// is not.
template <CURLoption Option, class T>
constexpr bool takes = raw::acceptable<Option, T>();

using WriteFunction = std::size_t(char*, std::size_t, std::size_t, void*);
using WriteLambda = decltype([](char*, std::size_t, std::size_t n) { return n; });
using StrangeLambda = decltype([](const std::string& text) { return text.size(); });

static_assert(takes<CURLOPT_VERBOSE, long> && takes<CURLOPT_VERBOSE, bool> && takes<CURLOPT_VERBOSE, int&>);
static_assert(takes<CURLOPT_HTTP_VERSION, decltype(CURL_HTTP_VERSION_2_0)>);
static_assert(takes<CURLOPT_MAXFILESIZE_LARGE, curl_off_t> && takes<CURLOPT_MAXFILESIZE_LARGE, const int&>);
static_assert(!takes<CURLOPT_VERBOSE, const char (&)[2]> && !takes<CURLOPT_VERBOSE, std::string&>);
static_assert(!takes<CURLOPT_VERBOSE, void*> && !takes<CURLOPT_VERBOSE, std::nullptr_t>);
static_assert(!takes<CURLOPT_VERBOSE, WriteLambda> && !takes<CURLOPT_VERBOSE, WriteFunction&>);
static_assert(!takes<CURLOPT_TIMEOUT_MS, double> && !takes<CURLOPT_MAXFILESIZE_LARGE, const float&>);

static_assert(takes<CURLOPT_URL, const char (&)[2]> && takes<CURLOPT_URL, std::string&>);
static_assert(takes<CURLOPT_URL, std::nullptr_t> && takes<CURLOPT_HTTPHEADER, curl_slist*&>);
static_assert(takes<CURLOPT_WRITEDATA, std::string*>);
static_assert(!takes<CURLOPT_URL, int> && !takes<CURLOPT_URL, double> && !takes<CURLOPT_URL, bool&>);
static_assert(!takes<CURLOPT_HTTPHEADER, long> && !takes<CURLOPT_WRITEDATA, int>);
static_assert(!takes<CURLOPT_WRITEDATA, WriteFunction*> && !takes<CURLOPT_WRITEDATA, WriteFunction&>);
static_assert(!takes<CURLOPT_URL, WriteLambda> && !takes<CURLOPT_WRITEDATA, WriteLambda&>);
static_assert(!takes<CURLOPT_CAINFO_BLOB, int> && !takes<CURLOPT_CAINFO_BLOB, WriteFunction*>);

static_assert(takes<CURLOPT_WRITEFUNCTION, WriteFunction*> && takes<CURLOPT_WRITEFUNCTION, WriteFunction&>);
static_assert(takes<CURLOPT_WRITEFUNCTION, WriteLambda> && takes<CURLOPT_WRITEFUNCTION, std::nullptr_t>);
static_assert(!takes<CURLOPT_WRITEFUNCTION, int> && !takes<CURLOPT_WRITEFUNCTION, const char*>);
static_assert(!takes<CURLOPT_WRITEFUNCTION, std::string> && !takes<CURLOPT_WRITEFUNCTION, void*&>);
static_assert(!takes<CURLOPT_WRITEFUNCTION, StrangeLambda>);

TEST_CASE("perform runs a whole transfer with the caller's own callbacks", "[wire][raw]") {
    Origin origin(respond_with(reply("hello", 200, "X-One: 1\r\n")));
    ConnectionCache cache;
    Session session(cache);
    std::string body, head;
    session.setopt(CURLOPT_URL, origin.url("/a"))
        .setopt(CURLOPT_WRITEFUNCTION,
                [&](char* data, std::size_t, std::size_t n) {
                    body.append(data, n);
                    return n;
                })
        .setopt(CURLOPT_HEADERFUNCTION, [&](char* data, std::size_t size, std::size_t n, void*) {
            head.append(data, size * n);
            return size * n;
        });
    session.perform();
    CHECK(body == "hello");
    CHECK(head.find("X-One: 1\r\n") != std::string::npos);
    CHECK(session.getinfo<CURLINFO_RESPONSE_CODE>() == 200);
    CHECK(session.getinfo<CURLINFO_EFFECTIVE_URL>() == origin.url("/a"));
    CHECK(session.getinfo<CURLINFO_SIZE_DOWNLOAD_T>() == 5);
    CHECK(session.getinfo<CURLINFO_NUM_CONNECTS>() == 1);

    session.setopt(CURLOPT_URL, origin.url("/b").c_str());
    session.perform();
    CHECK(body == "hellohello");
    CHECK(session.getinfo<CURLINFO_NUM_CONNECTS>() == 0);
    CHECK(origin.accepts() == 1);
    CHECK(cache.stats().idle == 1);
    CHECK(cache.stats().reused == 1);
}

size_t append_to_string(char* data, size_t size, size_t n, void* to) {
    static_cast<std::string*>(to)->append(data, size * n);
    return size * n;
}

TEST_CASE("perform takes C functions with their data pointers", "[wire][raw]") {
    Origin origin(handler([](const Recorded& r) { return reply(r.method + ' ' + r.body); }));
    ConnectionCache cache;
    Session session(cache);
    std::string body;
    session.setopt(CURLOPT_URL, origin.url());
    session.setopt(CURLOPT_WRITEFUNCTION, append_to_string);
    session.setopt(CURLOPT_WRITEDATA, &body);
    session.setopt(CURLOPT_POSTFIELDS, std::string("a=b"));
    session.perform();
    CHECK(body == "POST a=b");
    body.clear();
    session.setopt<CURLOPT_HTTPGET>(1L).setopt<CURLOPT_CUSTOMREQUEST>("DELETE");
    session.perform();
    CHECK(body == "DELETE ");
}

TEST_CASE("setopt refuses what an option does not take, and names the option", "[wire][raw]") {
    ConnectionCache cache;
    Session session(cache);
    const auto message = [&](auto option, auto value) {
        try {
            session.setopt(option, value);
        } catch (const Error& error) {
            CHECK(error.code() == Errc::invalid_argument);
            return std::string(error.what());
        }
        return std::string("accepted");
    };
    CHECK(message(CURLOPT_TIMEOUT, "5").find("CURLOPT_TIMEOUT") != std::string::npos);
    CHECK(message(CURLOPT_URL, 5).find("CURLOPT_URL") != std::string::npos);
    CHECK(message(CURLOPT_HTTPHEADER, "A: b").find("CURLOPT_HTTPHEADER") != std::string::npos);
    CHECK(message(CURLOPT_WRITEFUNCTION, [](curl_off_t, int) { return 0; }).find("CURLOPT_WRITEFUNCTION") !=
          std::string::npos);
    CHECK(message(static_cast<CURLoption>(9999), 1).find("9999") != std::string::npos);
    CHECK(message(CURLOPT_TIMEOUT, 1.5).find("CURLOPT_TIMEOUT") != std::string::npos);
    CHECK(message(CURLOPT_TIMEOUT, 5) == "accepted");
}

TEST_CASE("what a raw callback throws reaches the caller of perform", "[wire][raw]") {
    Origin origin(respond_with(reply("hello")));
    ConnectionCache cache;
    Session session(cache);
    session.setopt(CURLOPT_URL, origin.url());
    session.setopt(CURLOPT_WRITEFUNCTION, [](char*, std::size_t, std::size_t) -> std::size_t {
        throw std::runtime_error("no room");
    });
    CHECK_THROWS_AS(session.perform(), std::runtime_error);
    CHECK(cache.stats().leased == 0);
    session.setopt(CURLOPT_WRITEFUNCTION, [](char*, std::size_t, std::size_t n) { return n; });
    session.perform();
    CHECK(session.getinfo<CURLINFO_RESPONSE_CODE>() == 200);
}

TEST_CASE("a failed perform throws with libcurl's own code, or sets the error code", "[wire][raw]") {
    ConnectionCache cache;
    Session session(cache);
    session.setopt(CURLOPT_URL, "http://127.0.0.1:1/?token=secret");
    try {
        session.perform();
        FAIL("it must throw");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::connect);
        CHECK(error.native_code() == CURLE_COULDNT_CONNECT);
        CHECK(std::string(error.what()).find("secret") == std::string::npos);
    }
    std::error_code ec;
    session.perform(ec);
    CHECK(ec == Errc::connect);
}

TEST_CASE("raw options persist over requests of both kinds, and reset forgets them", "[wire][raw]") {
    Origin origin(respond_with(reply("ok")));
    ConnectionCache cache;
    Session session(cache);
    session.setopt(CURLOPT_USERAGENT, "raw/1");
    session.get(origin.url()).consume();
    session.reset();
    session.get(origin.url()).consume();
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].head.find("User-Agent: raw/1\r\n") != std::string::npos);
    CHECK(requests[1].head.find("raw/1") == std::string::npos);
    CHECK(origin.accepts() == 1);
}

TEST_CASE("with_handle runs on the handle, and makes the session's connections its own", "[wire][raw]") {
    Origin origin(respond_with(reply("ok")));
    ConnectionCache cache;
    Session plain(cache), own(cache);
    plain.get(origin.url()).consume();
    int runs = 0;
    own.with_handle([&](CURL* easy) {
        ++runs;
        curl_easy_setopt(easy, CURLOPT_REFERER, "http://from/");
    });
    own.get(origin.url()).consume();
    own.get(origin.url()).consume();
    plain.get(origin.url()).consume();
    CHECK(runs == 1);
    CHECK(origin.accepts() == 2);
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 4);
    CHECK(requests[2].head.find("Referer: http://from/\r\n") != std::string::npos);
    CHECK(requests[3].head.find("Referer") == std::string::npos);
}

TEST_CASE("an option that can change the connection makes it private", "[wire][raw]") {
    Origin origin(respond_with(reply("ok")));
    ConnectionCache cache;
    Session plain(cache), own(cache);
    plain.get(origin.url()).consume();
    own.setopt(CURLOPT_SOCKOPTFUNCTION, [](curl_socket_t, curlsocktype) { return CURL_SOCKOPT_OK; });
    own.get(origin.url()).consume();
    CHECK(origin.accepts() == 2);
    plain.get(origin.url()).consume();
    CHECK(origin.accepts() == 2);
}

TEST_CASE("a field that authenticates the connection makes it private in a list too",
          "[wire][raw][isolation]") {
    Origin origin(respond_with(reply("ok")));
    ConnectionCache cache;
    Session plain(cache), own(cache);
    plain.get(origin.url()).consume();
    const auto [field, is_private] = GENERATE(table<const char*, bool>({{"Authorization: NTLM TlRM", true},
                                                                        {"authorization:Negotiate YII", true},
                                                                        {"X-Any: NTLM TlRM", false}}));
    CAPTURE(field);
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> fields(
        curl_slist_append(nullptr, field), &curl_slist_free_all);
    own.setopt(CURLOPT_HTTPHEADER, fields.get());
    own.get(origin.url()).consume();
    CHECK(origin.accepts() == (is_private ? 2u : 1u));
    plain.get(origin.url()).consume();
    CHECK(origin.accepts() == (is_private ? 2u : 1u));
}

TEST_CASE("cookies of raw transfers stay with their session", "[wire][raw]") {
    Origin origin(respond_with(reply("ok", 200, "Set-Cookie: a=1\r\n")));
    ConnectionCache cache;
    Session first(cache), second(cache);
    for (auto* session : {&first, &second}) {
        session->setopt(CURLOPT_URL, origin.url());
        session->setopt(CURLOPT_WRITEFUNCTION, [](char*, std::size_t, std::size_t n) { return n; });
    }
    first.setopt(CURLOPT_COOKIEFILE, "");
    first.perform();
    second.perform();
    first.perform();
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 3);
    CHECK(requests[1].head.find("Cookie:") == std::string::npos);
    CHECK(requests[2].head.find("Cookie: a=1\r\n") != std::string::npos);
    CHECK(origin.accepts() == 1);
}

TEST_CASE("nothing of a raw transfer is left on its connection for a session's own requests", "[wire][raw]") {
    Origin origin(handler([](const Recorded& request) { return reply(request.method + request.body); }));
    ConnectionCache cache;
    {
        Session raw(cache);
        auto body = std::make_unique<std::string>();  // gone before the next request
        curl_slist* headers = curl_slist_append(nullptr, "Authorization: x");
        raw.setopt(CURLOPT_URL, origin.url("/raw")).setopt(CURLOPT_POSTFIELDS, "fields");
        raw.setopt(CURLOPT_HTTPHEADER, headers).setopt(CURLOPT_REFERER, "raw");
        curl_slist_free_all(headers);
        raw.setopt(CURLOPT_WRITEFUNCTION, [&body](char* data, std::size_t, std::size_t n) {
            body->append(data, n);
            return n;
        });
        raw.perform();
        CHECK(*body == "POSTfields");
    }
    Session plain(cache);
    CHECK(plain.get(origin.url("/plain")).text() == "GET");
    const auto requests = origin.requests();
    REQUIRE(requests.size() == 2);
    CHECK_FALSE(requests[1].header("Referer"));
    CHECK_FALSE(requests[1].header("Authorization"));
    CHECK(origin.accepts() == 1);
}

TEST_CASE("redirects of a raw transfer are libcurl's, and its connection is not taken for another origin's",
          "[wire][raw]") {
    Origin target(respond_with(reply("there")));
    Origin origin(respond_with("HTTP/1.1 302 Found\r\nLocation: " + target.url("/x") +
                               "\r\nContent-Length: 0\r\n\r\n"));
    ConnectionCache cache;
    Session session(cache);
    std::string body;
    session.setopt(CURLOPT_URL, origin.url()).setopt(CURLOPT_FOLLOWLOCATION, 1L);
    session.setopt(CURLOPT_WRITEFUNCTION, append_to_string).setopt(CURLOPT_WRITEDATA, &body);
    session.perform();
    CHECK(body == "there");
    CHECK(session.getinfo<CURLINFO_REDIRECT_COUNT>() == 1);
    Session plain(cache);
    plain.follow_redirects(0);
    CHECK(plain.get(origin.url()).status() == 302);
    CHECK(cache.stats().leased == 0);
}

}  // namespace
