// The drop rule beyond its first line (behaviour.md, section 3), and what may not be said or passed on.
#include <catch2/generators/catch_generators.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("at most ten drops a second are told in full, the rest is counted", "[wire]") {
    Origin origin(respond_with(reply("hello")));
    Client client;
    const auto start = Clock::now();
    for (int i = 0; i < 40; ++i) client.session.get(origin.url());
    const auto seconds = static_cast<std::size_t>((Clock::now() - start) / 1s) + 1;
    CHECK(client.drop_warnings() >= 10);
    CHECK(client.drop_warnings() <= 10 * seconds);
    CHECK(client.cache.stats().dropped_unread == 40);
    std::this_thread::sleep_for(1100ms);  // why: the window is a second
    client.session.get(origin.url());
    CHECK(client.log.count("more responses dropped from http://127.0.0.1:" + std::to_string(origin.port()),
                           spdlog::level::warn) >= 1);
    client.check_end(origin.url());
}

TEST_CASE("what was held back is said with the next request, not only with the next drop", "[wire]") {
    Origin origin(handler(
        [](const Recorded& request) { return reply(std::string(request.target == "/" ? 2 : 1000, 'x')); }));
    Client client;
    for (int i = 0; i < 30; ++i) client.session.get(origin.url("/large"));
    CHECK(client.drop_warnings() >= 10);
    const auto told = [&] {
        auto n = client.drop_warnings();
        for (const auto& line : client.log.warnings()) {
            if (line.find(" more responses dropped from " + origin.url("")) != std::string::npos)
                n += std::stoul(line);
        }
        return n;
    };
    CHECK(eventually([&] {
        client.session.get(origin.url()).consume();
        return told() == 30;
    }));
    CHECK(client.cache.stats().dropped_unread == 30);
}

TEST_CASE("what was held back is said at the end of the cache", "[wire]") {
    Origin origin(respond_with(reply("hello")));
    const bool shut_down = GENERATE(true, false);
    CAPTURE(shut_down);
    LogCapture log;
    std::optional<ConnectionCache> cache(ConnectionCache::builder().logger(log.logger()).build());
    std::optional<Session> session(*cache);
    const auto told_in_full = [&] { return log.count(dropped_line, spdlog::level::warn); };
    for (int i = 0; i < 40; ++i) session->get(origin.url());
    const auto before = told_in_full();
    if (shut_down) cache->shutdown(1s);
    session.reset();
    cache.reset();
    std::size_t told = told_in_full();
    CHECK(told == before);
    for (const auto& line : log.warnings()) {
        if (line.find(" more responses dropped from " + origin.url("")) != std::string::npos)
            told += std::stoul(line);
    }
    CHECK(told == 40);
}

TEST_CASE("drain_on_drop keeps the connection where the rest is known to fit", "[wire]") {
    Origin origin(handler([](const Recorded& r) {
        if (r.target == "/large") return reply(std::string(100'000, 'l'));
        if (r.target == "/unknown") return chunked_reply({std::string(5'000, 'c'), std::string(5'000, 'd')});
        return reply(std::string(5'000, 's'));
    }));
    Client client([](auto& b) { b.drain_on_drop(64 * 1024, 500ms); });
    {
        auto small = client.session.get(origin.url("/small"));
        read_bytes(small, 10);
    }
    CHECK(client.drop_warnings() == 0);
    CHECK(client.cache.stats().idle == 1);
    CHECK(client.cache.stats().closed == 0);
    {
        auto large = client.session.get(origin.url("/large"));
        read_bytes(large, 10);
    }
    CHECK(client.drop_warnings() == 1);
    CHECK(client.cache.stats().closed_by[CloseReason::unread_body] == 1);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("drain_on_drop gives up within its time", "[wire]") {
    Origin origin(scripts_in_turn({[](Connection& c) {
                                       c.read_request();
                                       c.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun");
                                       c.wait_for_fin(10s);
                                   },
                                   respond_with(ok)}));
    Client client([](auto& b) { b.drain_on_drop(64 * 1024, 100ms); });
    Clock::time_point start;
    {
        auto response = client.session.get(origin.url());
        read_bytes(response, 2);
        start = Clock::now();
    }
    CHECK(Clock::now() - start < 1s);
    CHECK(client.cache.stats().idle == 0);
    CHECK(client.cache.stats().dropped_unread == 1);  // it cost its connection after all
    REQUIRE(client.drop_warnings() == 1);
    CHECK(client.log.warnings()[0].find(", 98 left;") != std::string::npos);  // of 100, by its reader
    client.check_end(origin.url());
}

TEST_CASE("a body that answers a HEAD with a body can be dropped like another", "[wire]") {
    const bool chunked = GENERATE(true, false);
    Origin origin(respond_with(chunked ? chunked_reply({"hello"}) : reply("hello")));
    Client client;
    client.session.send(Request("HEAD", origin.url()).body("x"));
    CHECK(client.drop_warnings() == 1);
    CHECK(client.log.warnings()[0].find(chunked ? " an unknown number left;" : " 5 left;") !=
          std::string::npos);
    CHECK(client.cache.stats().dropped_unread == 1);
    CHECK(origin.wait_for_ends(1));
    CHECK(client.at_rest());
}

TEST_CASE("consume() within a byte limit closes what is larger", "[wire]") {
    Origin origin(handler([](const Recorded& r) {
        return r.target == "/large" ? reply(std::string(1 << 20, 'l')) : reply(std::string(1'000, 's'));
    }));
    Client client;
    const auto kept = client.session.get(origin.url()).consume(DrainLimits{.bytes = 1'000});
    CHECK(kept.reused);
    CHECK(kept.discarded_bytes == 1'000);
    const auto closed = client.session.get(origin.url("/large")).consume(DrainLimits{.bytes = 1'000});
    CHECK_FALSE(closed.reused);
    CHECK(closed.reason == CloseReason::drain_limit);
    CHECK(closed.discarded_bytes > 1'000);
    CHECK(closed.discarded_bytes <= 1'000 + 64 * 1024);  // no more than libcurl hands over at once
    CHECK(origin.wait_for_ends(1));
    CHECK(client.log.warnings().empty());
    client.check_end(origin.url());
}

TEST_CASE("no secret reaches a log line, an error or an event", "[wire]") {
    Origin origin(handler([](const Recorded& r) {
        if (r.target.starts_with("/moved")) {
            return reply("", 302, "Location: /end?next=s3cret\r\nSet-Cookie: c=s3cret\r\n");
        }
        return reply("hello");
    }));
    Client client;
    std::vector<std::string> said;
    const auto secret_url = [&](const std::string& path) {
        return "http://user:s3cret@127.0.0.1:" + std::to_string(origin.port()) + path + "?q=s3cret#s3cret";
    };
    const auto failing = [&](const auto& call) {
        const auto outcome = outcome_of(call);
        CHECK(outcome.threw);
        said.push_back(outcome.message);
        said.push_back(outcome.url);
    };
    client.session.header("Authorization", "Bearer s3cret").header("Cookie", "id=s3cret").cookies(true);
    client.session.header("Proxy-Authorization", "Basic s3cret");
    { client.session.get(secret_url("/dropped")); }
    client.session.get(secret_url("/moved")).text();
    {
        auto half = client.session.get(secret_url("/half"));
        read_bytes(half, 2);
        failing([&] { client.session.get(secret_url("/busy")); });
        failing([&] { half.text(); });
        half.abort();
        failing([&] { half.text(); });
    }
    failing([&] { client.session.get("http://user:s3cret@127.0.0.1:1/?q=s3cret"); });
    failing([&] { client.session.get("ftp://user:s3cret@127.0.0.1/?q=s3cret"); });
    failing([&] { client.session.get("http://user:s3cret@127.0.0.1:99999/?q=s3cret"); });
    failing([&] { client.session.get("user:s3cret@host/?q=s3cret"); });
    failing([&] { client.session.get("http://user:s3cret@127.0.0.1/\r\n?q=s3cret"); });
    failing([&] { Request::get("http://user:s3cret@127.0.0.1/\n?q=s3cret"); });
    failing([&] { client.session.header("Authorization", "s3cret\r\n"); });
    failing([&] { client.session.bearer("s3cret\n"); });
    for (const auto& line : client.log.lines()) said.push_back(line);
    for (const auto& event : client.events->all()) said.push_back(event.origin);
    CHECK(said.size() > 20);
    for (const auto& text : said) {
        INFO(text);
        CHECK(text.find("s3cret") == std::string::npos);
    }
    client.check_end(origin.url());
}

TEST_CASE("nothing of one session shows in another's requests on the same connection", "[wire]") {
    Origin origin(handler([](const Recorded& r) {
        return reply(r.method == "HEAD" ? "" : "ok", 200, "Set-Cookie: jar=one\r\n");
    }));
    Client client;
    Session loud{client.cache};
    loud.header("X-Loud", "1")
        .basic_auth("loud", "secret")
        .user_agent("loud/1")
        .cookies(true)
        .max_body_size(10);
    loud.progress([](const Progress&) {});
    Session plain{client.cache};
    for (int i = 0; i < 4; ++i) {
        if (i % 2 == 0)
            loud.post(origin.url("/loud"), "loud body").text();
        else
            loud.put(origin.url("/loud"), "loud body").text();
        plain.get(origin.url("/plain")).text();
        if (i == 2) plain.head(origin.url("/plain"));
    }
    CHECK(origin.accepts() == 1);
    std::string first;
    for (const auto& request : origin.requests()) {
        if (request.target == "/loud") {
            CHECK(request.header("X-Loud") == "1");
            CHECK(request.header("User-Agent") == "loud/1");
            CHECK(request.header("Authorization") == "Basic bG91ZDpzZWNyZXQ=");
            CHECK(request.body == "loud body");
            continue;
        }
        if (request.method == "HEAD") continue;
        CHECK(request.body_size == 0);
        CHECK(request.method == "GET");
        if (first.empty()) first = request.head;
        CHECK(request.head == first);
        for (const char* name :
             {"X-Loud", "Authorization", "Cookie", "User-Agent", "Content-Type", "Content-Length"}) {
            INFO(name);
            CHECK_FALSE(request.header(name));
        }
    }
    CHECK_FALSE(origin.requests().at(0).header("Cookie"));
    CHECK(origin.requests().at(2).header("Cookie") == "jar=one");
    client.check_end(origin.url());
}
