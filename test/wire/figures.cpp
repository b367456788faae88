// What a response says in figures: timings, progress.
#include <ringlet/ringlet.hpp>

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace std::chrono_literals;
using test::Origin;

struct Heard {
    std::vector<Progress> calls;
    auto listener() {
        return [this](const Progress& progress) { calls.push_back(progress); };
    }
};

TEST_CASE("the last call of progress has everything, in both directions", "[wire][progress]") {
    const Origin origin(test::respond_with(test::reply(std::string(300'000, 'd'))));
    Session session{ConnectionCache{}};
    Heard heard;
    session.progress(heard.listener());

    SECTION("of a body that is read") {
        session.post(origin.url(), std::string(5000, 'u')).text();
    }
    SECTION("of a body that is consumed") {
        session.post(origin.url(), std::string(5000, 'u')).consume();
    }
    REQUIRE(!heard.calls.empty());
    const auto& last = heard.calls.back();
    CHECK(last.downloaded == 300'000);
    CHECK(last.download_total == 300'000);
    CHECK(last.uploaded == 5000);
    CHECK(last.upload_total == 5000);
}

TEST_CASE("progress ends at the size of the body as it travels, also when it is decoded",
          "[wire][progress]") {
    // An empty gzip member: 20 bytes that decode to none.
    const std::string gzip("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                           20);
    const Origin origin(test::respond_with(test::reply(gzip, 200, "Content-Encoding: gzip\r\n")));
    Session session{ConnectionCache{}};
    Heard heard;
    session.progress(heard.listener());
    CHECK(session.get(origin.url()).text().empty());
    REQUIRE(!heard.calls.empty());
    CHECK(heard.calls.back().downloaded == 20);
    CHECK(heard.calls.back().download_total == 20);
}

TEST_CASE("timings say how long a request queued for its connection", "[wire][timings]") {
    const Origin origin(test::respond_with(test::reply("hello")));
    const auto cache = ConnectionCache::builder().max_connections(1).build();
    Session first{cache};
    auto held = first.get(origin.url());
    Timings waited;
    {
        std::jthread second([&] {
            Session session{cache};
            auto response = session.get(origin.url());
            response.consume();
            waited = response.timings();
        });
        const auto deadline = std::chrono::steady_clock::now() + 10s;
        while (cache.stats().waiting == 0 && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
        REQUIRE(cache.stats().waiting == 1);
        const auto begin = std::chrono::steady_clock::now();
        while (std::chrono::steady_clock::now() < begin + 20ms) std::this_thread::yield();
        held.consume();
    }
    CHECK(waited.queued >= 20ms);
    CHECK(waited.total > 0us);
    CHECK(held.timings().queued == 0us);
}

}  // namespace
