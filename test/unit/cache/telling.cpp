// What a program is told: statistics, events, log lines, explanations.
#include "driver.hpp"
#include "support/threads.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

namespace {

class Recorder final : public Observer {
  public:
    void on_event(const Event& event) override {
        const std::lock_guard lock(mutex_);
        text_ += std::string(to_string(event.kind));
        if (event.reason != CloseReason::none) text_ += "(" + std::string(to_string(event.reason)) + ")";
        text_ += " ";
        origins_.emplace_back(event.origin);
        ids_.push_back(event.connection_id);
    }
    std::string text() const {
        const std::lock_guard lock(mutex_);
        return text_;
    }
    std::vector<std::uint64_t> ids() const {
        const std::lock_guard lock(mutex_);
        return ids_;
    }
    std::vector<std::string> origins() const {
        const std::lock_guard lock(mutex_);
        return origins_;
    }

  private:
    mutable std::mutex mutex_;
    std::string text_;
    std::vector<std::string> origins_;
    std::vector<std::uint64_t> ids_;
};

class Thrower final : public Observer {
  public:
    void on_event(const Event&) override { throw std::runtime_error("not today"); }
};

// A logger that writes into a string.
struct Lines {
    std::ostringstream out;
    std::shared_ptr<spdlog::logger> logger =
        std::make_shared<spdlog::logger>("ringlet", std::make_shared<spdlog::sinks::ostream_sink_mt>(out));

    Lines() {
        logger->set_level(spdlog::level::debug);
        logger->set_pattern("%l %v");
    }
    bool has(std::string_view text) const { return out.str().find(text) != std::string::npos; }
};

const Explanation::Candidate& candidate(const Explanation& explanation, std::string_view reason) {
    const auto found = std::find_if(explanation.candidates.begin(), explanation.candidates.end(),
                                    [&](const auto& c) { return c.reason == reason; });
    if (found == explanation.candidates.end())
        throw std::out_of_range("no candidate: " + std::string(reason));
    return *found;
}

}  // namespace

TEST_CASE("an observer is told of a connection's whole life", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto recorder = std::make_shared<Recorder>();
    const auto cache = make_cache({.watch_idle = false, .observer = recorder});
    request(cache, server);
    Lease lease = lend(cache, server);
    cache->count_replay(lease);
    cache->count_dropped(lease);
    cache->release(std::move(lease), {.close = CloseReason::unread_body});
    CHECK(recorder->text() == "opened leased released leased reused replayed dropped closed(unread_body) ");
    const auto ids = recorder->ids();
    CHECK(std::count(ids.begin(), ids.end(), ids.front()) == static_cast<std::ptrdiff_t>(ids.size()));
    for (const auto& origin : recorder->origins()) CHECK(origin == origin_of(server));
    CHECK(cache->stats().replays == 1);
    CHECK(cache->stats().dropped_unread == 1);
}

TEST_CASE("an observer is told of waits", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto recorder = std::make_shared<Recorder>();
    const auto cache = make_cache({.max_connections = 1, .watch_idle = false, .observer = recorder});
    Lease held = lend(cache, server);
    std::jthread waiter([&] { request(cache, server); });
    REQUIRE(eventually([&] { return cache->stats().waiting == 1; }));
    cache->release(std::move(held), {});
    waiter.join();
    CHECK(recorder->text().find("waited") != std::string::npos);
}

TEST_CASE("an observer may use the cache, and what it throws is logged and dropped", "[cache]") {
    Origin server(respond_with(reply("x")));
    Lines lines;
    const auto cache = make_cache({.logger = lines.logger, .observer = std::make_shared<Thrower>()});
    CHECK(request(cache, server) == CloseReason::none);
    CHECK(request(cache, server) == CloseReason::none);
    CHECK(lines.has("warning an observer threw, ignored: not today"));
}

TEST_CASE("debug lines tell the same", "[cache]") {
    Origin server(respond_with(reply("x")));
    Lines lines;
    const auto cache = make_cache({.watch_idle = false, .logger = lines.logger});
    request(cache, server);
    request(cache, server);
    const auto id = std::to_string(cache->connections().at(0).id);
    cache->close_idle({});
    for (const auto* what : {"opened", "leased", "reused", "released", "closed: evicted"}) {
        INFO(what);
        CHECK(lines.has("debug connection " + id + " to " + origin_of(server) + " " + what));
    }
}

TEST_CASE("the logger named ringlet may come and go", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.watch_idle = false});
    Lines lines;
    request(cache, server);
    cache->log().warn("before");
    spdlog::register_logger(lines.logger);
    cache->log().warn("registered");
    CHECK(lines.has("warning registered"));
    cache->close_idle({});
    request(cache, server);  // debug lines from the next connection on
    CHECK(lines.has("opened"));
    spdlog::drop("ringlet");
    cache->log().warn("dropped");
    CHECK_FALSE(lines.has("dropped"));
    CHECK(lines.logger.use_count() == 1);  // nothing keeps it
}

TEST_CASE("without a logger of that name the default one's sinks are used", "[cache]") {
    Lines lines;
    const auto before = spdlog::default_logger();
    const auto fallback = std::make_shared<spdlog::logger>("program", lines.logger->sinks().front());
    spdlog::set_default_logger(fallback);
    lines.logger->sinks().front()->set_pattern("%n: %v");
    const auto cache = make_cache();
    cache->log().warn("hello");
    spdlog::set_default_logger(before);
    CHECK(lines.has("ringlet: hello"));
}

TEST_CASE("a snapshot shows every connection", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Lease connecting = cache->acquire({"http://127.0.0.1:1", ""});
    Lease lent = lend(cache, server);
    Lease third = lend(cache, server);
    cache->release(std::move(third), {});
    const auto all = cache->connections();
    REQUIRE(all.size() == 3);
    CHECK(all[0].id == connecting->id());
    CHECK(all[0].state == ConnectionState::connecting);
    CHECK(all[0].remote_address.empty());
    CHECK(all[1].id == lent->id());
    CHECK(all[1].state == ConnectionState::leased);
    CHECK(all[1].origin == origin_of(server));
    CHECK(all[1].requests_served == 0);
    CHECK(all[1].idle_time == 0ns);
    CHECK(all[1].age > 0ns);
    CHECK(all[2].state == ConnectionState::idle);
    CHECK(all[2].protocol == Protocol::http_1_1);
    CHECK(all[2].requests_served == 1);
    CHECK(all[2].idle_time > 0ns);
    CHECK(all[2].remote_address == "127.0.0.1:" + std::to_string(server.port()));
}

TEST_CASE("statistics are consistent at every moment", "[cache]") {
    Origin server(respond_with(reply("x")), {.record_requests = false});
    const auto cache = make_cache({.max_connections = 3, .max_idle = 1});
    std::vector<std::jthread> threads;
    std::atomic<int> running = 4;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 60; ++i) {
                Lease lease = lend(cache, server);
                if (i % 3 != 0) cache->release(std::move(lease), {});
            }
            --running;
        });
    }
    int wrong = 0;
    while (running > 0) {
        const auto s = cache->stats();
        std::uint64_t by_reason = 0;
        for (std::size_t r = 0; r < close_reason_count; ++r)
            by_reason += s.closed_by[static_cast<CloseReason>(r)];
        wrong += s.leased + s.idle + s.connecting > s.open || s.open > 3 || by_reason != s.closed ||
                 s.opened - s.closed > s.open;
    }
    CHECK(wrong == 0);
    CHECK(cache->stats().requests == 240);
}

TEST_CASE("explain names the connection that would serve, and why each other one would not", "[cache]") {
    Origin server(respond_with(reply("x"))), other(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections_per_host = 4, .watch_idle = false});
    const auto key = key_of(server, "http_version=2\nproxy=http://user:secret@p:1\n");
    CHECK(cache->explain(key).summary == "no idle connection fits: a new one would be opened");
    request(cache, other);
    cache->release(lend(cache, server, {}, key_of(server, "http_version=1\nisolation=t\n")), {});
    Lease lent = lend(cache, server, {}, key);
    Lease first = lend(cache, server, {}, key), second = lend(cache, server, {}, key);
    const auto first_id = first->id(), second_id = second->id();
    cache->release(std::move(first), {});
    cache->release(std::move(second), {});

    const auto found = cache->explain(key);
    CHECK(found.candidates.size() == 5);
    CHECK(found.chosen == second_id);
    CHECK(found.summary == "connection " + std::to_string(second_id) + " would be reused");
    CHECK(candidate(found, "leased").connection.id == lent->id());
    CHECK_FALSE(candidate(found, "leased").usable);
    CHECK(candidate(found, "usable").connection.id == first_id);
    CHECK(candidate(found, "other origin: " + origin_of(other)).connection.state == ConnectionState::idle);
    candidate(found, "other settings: http_version, isolation, proxy");
    CHECK(cache->acquire(key)->id() == found.chosen);

    cache->close_idle({});
    CHECK(cache->explain(key).chosen == 0);
}

TEST_CASE("explain names the connection that the asking thread had last", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    int own_chosen = 0;
    for (int attempt = 0; attempt < 100 && own_chosen == 0; ++attempt) {
        Lease others, own = lend(cache, server);
        on_threads(1, [&](std::size_t) { others = lend(cache, server); });
        const auto own_id = own->id(), others_id = others->id();
        cache->release(std::move(own), {});
        cache->release(std::move(others), {});  // the newest; nearly always within the same millisecond
        const auto chosen = cache->explain(key_of(server)).chosen;
        CHECK((chosen == own_id || chosen == others_id));
        own_chosen += chosen == own_id;
        if (chosen == own_id) CHECK(cache->acquire(key_of(server))->id() == own_id);
        cache->close_idle({});
    }
    CHECK(own_chosen == 1);
}

TEST_CASE("explain passes over what has expired", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.watch_idle = false});
    int own_chosen = 0;
    for (int attempt = 0; attempt < 20 && own_chosen == 0; ++attempt) {
        Lease others, own = lend(cache, server), hinted = lend(cache, server);
        on_threads(1, [&](std::size_t) { others = lend(cache, server); });
        const auto own_id = own->id();
        cache->release(std::move(own), {});
        cache->release(std::move(others), {});  // nearly always within the same millisecond
        cache->release(std::move(hinted), {.keep_alive_hint = 1s});
        std::this_thread::sleep_for(1010ms);  // why: the hint is in seconds
        const auto found = cache->explain(key_of(server));
        CHECK_FALSE(candidate(found, "expired").usable);
        own_chosen += found.chosen == own_id;
        CHECK(cache->acquire(key_of(server))->id() == found.chosen);
        cache->close_idle({});
    }
    CHECK(own_chosen == 1);
}

TEST_CASE("explain says when a request would wait, and for what", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections_per_host = 1, .idle_timeout = 20ms, .watch_idle = false});
    Lease lent = lend(cache, server);
    CHECK(cache->explain(key_of(server)).summary ==
          "no idle connection fits: it would wait (max_connections_per_host)");
    cache->release(std::move(lent), {});
    CHECK(cache->explain(key_of(server, "isolation=x\n")).summary ==
          "no idle connection fits: an idle one would be closed (max_connections_per_host) and a new one "
          "opened");
    std::this_thread::sleep_for(25ms);  // why: the timeout itself has to pass
    candidate(cache->explain(key_of(server)), "expired");
    cache->shutdown(Duration{});
    CHECK(cache->explain(key_of(server)).summary == "no idle connection fits: the cache has been shut down");
}
