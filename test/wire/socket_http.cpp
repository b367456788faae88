// HttpOverSocket: HTTP over exactly one given connection.
#include "ringlet/ringlet.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>

#include <string>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/stream_text.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::Origin;
using test::outcome_of;

HttpOverSocket over(const Origin& origin) {
    return HttpOverSocket(Socket::adopt(test::connect_tcp(origin.port()).release()));
}

test::OriginOptions tls(std::string name) {
    test::OriginOptions options;
    options.tls = true;
    options.certificate = test::TestCa::instance().issue({.names = {std::move(name)}});
    return options;
}

TEST_CASE("requests of every kind go over one given connection", "[wire][socket]") {
    Origin origin(test::handler(
        [](const test::Recorded& r) { return test::reply(r.method == "HEAD" ? "" : r.method + r.body); }));
    auto http = over(origin);
    http.header("X-Common", "yes").timeout(10s);
    const std::string url = "http://example.com/x";
    CHECK(http.get(url).text() == "GET");
    CHECK(http.head(url).status() == 200);
    CHECK(http.post(url, "a").text() == "POSTa");
    CHECK(http.put(url, "b").text() == "PUTb");
    CHECK(http.patch(url, "c").text() == "PATCHc");
    CHECK(http.del(url).text() == "DELETE");
    CHECK(http.options(url).text() == "OPTIONS");
    CHECK(http.send(Request("REPORT", url).header("X-Own", "1")).text() == "REPORT");
    CHECK(origin.accepts() == 1);
    for (const auto& request : origin.requests()) {
        CHECK(request.header("Host") == "example.com");
        CHECK(request.header("X-Common") == "yes");
    }
}

TEST_CASE("a given connection has no address that could be dialled, and shows the real one",
          "[wire][socket]") {
    Origin origin(test::respond_with(test::reply("ok")));
    auto http = over(origin);
    auto response = http.get("http://no.such.host.invalid/");
    CHECK(response.text() == "ok");
    CHECK(response.remote_address() == "127.0.0.1:" + std::to_string(origin.port()));
    CHECK(test::port_of(response.local_address()) == origin.requests().at(0).peer_port);
}

TEST_CASE("HTTP over a socketpair, and the socket back after it", "[wire][socket]") {
    auto fds = test::unix_pair();
    test::Gate answered;
    std::ptrdiff_t written = 0;
    std::thread peer([&, fd = fds.theirs.get()] {
        for (int i = 0; i < 2; ++i) {
            std::string request;
            while (request.find("\r\n\r\n") == std::string::npos) request += test::read_fd(fd);
            const auto answer = test::reply("pair");
            written += ::write(fd, answer.data(), answer.size());
        }
        if (answered.wait()) written += ::write(fd, "raw", 3);
    });
    auto socket = Socket::adopt(fds.ours.release());
    HttpOverSocket http(std::move(socket));
    CHECK(http.get("http://example.com/").text() == "pair");
    auto second = http.get("http://example.com/");
    CHECK(second.reused());
    CHECK(second.text() == "pair");
    answered.open();
    peer.join();
    CHECK(written == static_cast<std::ptrdiff_t>(2 * test::reply("pair").size() + 3));
    auto back = http.release();
    CHECK(back.state() == SocketState::open);
    CHECK(test::read_text(back, 3) == "raw");  // what came after the response is there
    test::write_text(back, "more");
    CHECK(test::read_fd(fds.theirs.get()) == "more");
    CHECK(outcome_of([&] { http.get("http://example.com/"); }).code == Errc::client_spent);
    const test::Fd owner(back.release());
    CHECK((::fcntl(owner.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a client that was never used gives its socket back", "[wire][socket]") {
    auto fds = test::unix_pair();
    const int number = fds.ours.release();
    HttpOverSocket http(Socket::adopt(number));
    auto back = http.release();
    const test::Fd owner(back.release());
    CHECK(owner.get() == number);
}

TEST_CASE("a second request while one is unfinished is session_busy", "[wire][socket]") {
    Origin origin(test::respond_with(test::reply("hello")));
    auto http = over(origin);
    auto first = http.get("http://example.com/");
    CHECK(outcome_of([&] { http.get("http://example.com/"); }).code == Errc::session_busy);
    CHECK(outcome_of([&] { (void)http.release(); }).code == Errc::session_busy);
    CHECK(first.text() == "hello");
    CHECK(http.get("http://example.com/").text() == "hello");
    CHECK(origin.request_count() == 2);
}

TEST_CASE("single use: the second request is client_spent and says so", "[wire][socket]") {
    Origin origin(test::respond_with(test::reply("once")));
    auto http = over(origin);
    http.single_use();
    CHECK(http.get("http://example.com/").text() == "once");
    const auto second = outcome_of([&] { http.get("http://example.com/"); });
    CHECK(second.code == Errc::client_spent);
    CHECK(second.message.find("can only be used once") != std::string::npos);
    CHECK(origin.request_count() == 1);
}

TEST_CASE("a connection that ended makes the client spent, and is never dialled again", "[wire][socket]") {
    SECTION("Connection: close") {
        Origin origin(test::respond_with(test::reply("bye", 200, "Connection: close\r\n")));
        auto http = over(origin);
        CHECK(http.get("http://example.com/").text() == "bye");
        CHECK(outcome_of([&] { http.get("http://example.com/"); }).code == Errc::client_spent);
        CHECK(outcome_of([&] { (void)http.release(); }).code == Errc::client_spent);
        CHECK(origin.accepts() == 1);
    }
    SECTION("closed by the peer between two requests") {
        test::Gate closed;
        Origin origin([&](test::Connection& c) {
            if (!c.read_request()) return;
            c.write(test::reply("bye"));
            c.close();
            closed.open();
        });
        auto http = over(origin);
        CHECK(http.get("http://127.0.0.1:" + std::to_string(origin.port()) + "/").text() == "bye");
        REQUIRE(closed.wait());
        const auto url = origin.url();
        CHECK(outcome_of([&] { http.get(url); }).code == Errc::client_spent);
        CHECK(outcome_of([&] { http.get(url); }).code == Errc::client_spent);
        CHECK(origin.accepts() == 1);
    }
    SECTION("a body dropped unread") {
        Origin origin(test::respond_with(test::reply(std::string(1 << 20, 'x'))));
        auto http = over(origin);
        { const auto dropped = http.get("http://example.com/"); }
        CHECK(outcome_of([&] { http.get("http://example.com/"); }).code == Errc::client_spent);
    }
    SECTION("an answer cut short") {
        Origin origin(test::respond_and_close("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
        auto http = over(origin);
        auto response = http.get("http://example.com/");
        CHECK(outcome_of([&] { response.text(); }).code == Errc::truncated);
        CHECK(outcome_of([&] { http.get("http://example.com/"); }).code == Errc::client_spent);
    }
    SECTION("no answer: nothing is replayed") {
        Origin origin([](test::Connection& c) {
            (void)c.read_request();
            c.write(test::reply("one"));
            (void)c.read_request();
            c.close();
        });
        auto http = over(origin);
        CHECK(http.get("http://example.com/").text() == "one");
        CHECK(outcome_of([&] { http.get("http://example.com/"); }).threw);
        CHECK(outcome_of([&] { http.get("http://example.com/"); }).code == Errc::client_spent);
        CHECK(origin.accepts() == 1);
        CHECK(origin.request_count() == 2);
    }
}

TEST_CASE("bytes that nobody asked for between two requests never become a response", "[wire][socket]") {
    test::Gate asked;
    Origin origin([&](test::Connection& c) {
        (void)c.read_request();
        c.write(test::reply("one"));
        if (c.wait_for(asked)) c.write(test::reply("poison", 408));
        c.wait_for_stop();
    });
    auto http = over(origin);
    auto first = http.get("http://example.com/");
    CHECK(first.text() == "one");
    asked.open();
    test::eventually([&] { return false; }, 100ms);  // why: the bytes announce themselves nowhere
    CHECK(outcome_of([&] { http.get("http://example.com/"); }).code == Errc::client_spent);
}

TEST_CASE("one origin and one set of connection settings per given connection", "[wire][socket]") {
    Origin origin(test::respond_with(test::reply("ok")));
    auto http = over(origin);
    CHECK(http.get("http://example.com/").text() == "ok");
    CHECK(outcome_of([&] { http.get("http://example.org/"); }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] {
              http.send(Request::get("http://example.com/").proxy("http://127.0.0.1:1"));
          }).code == Errc::invalid_argument);
    CHECK(outcome_of([&] { http.send(Request::get("http://example.com/").verify_tls(false)); }).code ==
          Errc::invalid_argument);
    CHECK(http.get("http://example.com/again").text() == "ok");
    CHECK(origin.accepts() == 1);
}

TEST_CASE("https over a plain socket, twice in a row, verified against the URL's host", "[wire][socket]") {
    Origin origin(test::respond_with(test::reply("secret")), tls("secure.test"));
    SECTION("the right name") {
        auto http = over(origin);
        http.ca_blob(test::TestCa::instance().pem());
        CHECK(http.get("https://secure.test/").text() == "secret");
        auto second = http.get("https://secure.test/");
        CHECK(second.reused());
        CHECK(second.text() == "secret");
        CHECK(origin.accepts() == 1);
        CHECK(outcome_of([&] { (void)http.release(); }).code == Errc::invalid_argument);
        CHECK(http.get("https://secure.test/").text() == "secret");
    }
    SECTION("another name") {
        auto http = over(origin);
        http.ca_blob(test::TestCa::instance().pem());
        CHECK(outcome_of([&] { http.get("https://other.test/"); }).code == Errc::tls);
        CHECK(outcome_of([&] { http.get("https://other.test/"); }).code == Errc::client_spent);
        CHECK(origin.request_count() == 0);
    }
}

TEST_CASE("a client may go before its response, and both may move", "[wire][socket]") {
    Origin origin(test::respond_with(test::reply("kept")));
    Response response;
    {
        auto http = over(origin);
        HttpOverSocket moved(std::move(http));
        response = moved.get("http://example.com/");
        CHECK(outcome_of([&] { http.get("http://example.com/"); }).code == Errc::client_spent);
    }
    CHECK(response.text() == "kept");
    CHECK(origin.wait_for_fins(1));
}

TEST_CASE("descriptors of given connections are all closed, once", "[wire][socket]") {
    Origin origin(test::respond_with(test::reply("ok")));
    const auto round = [&] {
        auto http = over(origin);
        CHECK(http.get("http://example.com/").text() == "ok");
        auto back = http.release();
        HttpOverSocket again(std::move(back));
        CHECK(again.get("http://example.com/").text() == "ok");
    };
    round();
    const auto before = test::open_descriptors();
    for (int i = 0; i < 3; ++i) round();
    REQUIRE(origin.wait_for_open(0));
    CHECK(test::eventually([&] { return test::open_descriptors() <= before; }));
}

}  // namespace
