// The builder's settings, and the caches that belong to the process.
#include "cache/settings.hpp"
#include "api/access.hpp"
#include "driver.hpp"

#include <ringlet/connection_cache.hpp>
#include <ringlet/session.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <spdlog/logger.h>

#include <algorithm>
#include <barrier>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

namespace {

using Builder = ConnectionCache::Builder;
using Set = std::function<void(Builder&)>;

std::string refusal(const Set& set) {
    auto builder = ConnectionCache::builder();
    set(builder);
    try {
        builder.build();
    } catch (const Error& e) {
        return e.code() == Errc::invalid_argument ? e.what() : "another code";
    }
    return "";
}

class Deaf final : public Observer {
    void on_event(const Event&) override {}
};

}  // namespace

TEST_CASE("a bad setting is refused by its name and value", "[cache][settings]") {
    struct Row {
        const char* expected;
        Set set;
    };
    const Row rows[] = {
        {"max_connections: 0 is not allowed (at least 1, or unlimited)",
         [](Builder& b) { b.max_connections(0); }},
        {"max_connections: -3 is not allowed", [](Builder& b) { b.max_connections(-3); }},
        {"max_connections_per_host: 0 is", [](Builder& b) { b.max_connections_per_host(0); }},
        {"host_limit(http://a:80): 0 is", [](Builder& b) { b.host_limit("http://A/", 0); }},
        {"host_limit: \"gopher://x\" is not", [](Builder& b) { b.host_limit("gopher://x", 1); }},
        {"host_limit: \"https://[bad\" is not",
         [](Builder& b) { b.host_limit("https://user:secret@[bad", 1); }},
        {"host_limit: \"\" is not", [](Builder& b) { b.host_limit("", 1); }},
        {"max_idle: -1 is", [](Builder& b) { b.max_idle(-1); }},
        {"max_idle_per_host: 0 is", [](Builder& b) { b.max_idle_per_host(0); }},
        {"idle_timeout: 0 s is", [](Builder& b) { b.idle_timeout(0s); }},
        {"idle_timeout: -5 ms is", [](Builder& b) { b.idle_timeout(-5ms); }},
        {"max_lifetime: 0 s is", [](Builder& b) { b.max_lifetime(0s); }},
        {"max_requests_per_connection: 0 is", [](Builder& b) { b.max_requests_per_connection(0); }},
        {"acquire_timeout: -1 ns is", [](Builder& b) { b.acquire_timeout(-1ns); }},
        {"tcp_keepalive idle: 500 ms is", [](Builder& b) { b.tcp_keepalive(500ms, 1s); }},
        {"tcp_keepalive interval: 0 s is", [](Builder& b) { b.tcp_keepalive(1s, 0s); }},
        {"tcp_keepalive interval: unlimited is", [](Builder& b) { b.tcp_keepalive(1s, unlimited); }},
        {"dns_ttl: -1 s is", [](Builder& b) { b.dns_ttl(-1s); }},
        {"resolve: \"\" is", [](Builder& b) { b.resolve("", 80, "127.0.0.1"); }},
        {"resolve: \"-a\" is", [](Builder& b) { b.resolve("-a", 80, "127.0.0.1"); }},
        {"resolve: \"+a\" is", [](Builder& b) { b.resolve("+a", 80, "127.0.0.1"); }},
        {"resolve: \"*\" is", [](Builder& b) { b.resolve("*", 80, "127.0.0.1"); }},
        {"resolve: \"a?[2J\" is", [](Builder& b) { b.resolve("a\x1b[2J", 80, "127.0.0.1"); }},
        {"resolve: \"a\" is", [](Builder& b) { b.resolve("secret@a", 80, "127.0.0.1"); }},
        {"resolve: \"a??b\" is", [](Builder& b) { b.resolve("a\r\nb", 80, "127.0.0.1"); }},
        {"resolve(a): port 0 is", [](Builder& b) { b.resolve("a", 0, "127.0.0.1"); }},
        {"resolve(a): \"b\" is", [](Builder& b) { b.resolve("a", 80, "b"); }},
        {"drain_on_drop bytes: -1 is", [](Builder& b) { b.drain_on_drop(-1, 1s); }},
        {"drain_on_drop time: -1 s is", [](Builder& b) { b.drain_on_drop(1, -1s); }},
        {"busy_poll: unlimited is", [](Builder& b) { b.busy_poll(unlimited); }},
    };
    for (const auto& row : rows) {
        const auto text = refusal(row.set);
        INFO(row.expected << " / " << text);
        CHECK(text.starts_with(row.expected));
    }
}

TEST_CASE("the edges of what is allowed", "[cache][settings]") {
    const Set rows[] = {
        [](Builder& b) { b.max_connections(1).max_connections_per_host(unlimited).max_idle(0); },
        [](Builder& b) { b.acquire_timeout(0s).dns_ttl(0s).drain_on_drop(0, 0s).busy_poll(0s); },
        [](Builder& b) {
            b.acquire_timeout(unlimited).dns_ttl(unlimited).idle_timeout(unlimited).max_lifetime(unlimited);
        },
        [](Builder& b) { b.tcp_keepalive(1s, 32767s).tcp_keepalive(unlimited, unlimited); },
        [](Builder& b) {
            b.resolve("a", 80, "::1").resolve("a", 80, "127.0.0.1").host_limit("https://x", unlimited);
        },
        [](Builder& b) { b.max_idle(unlimited).idle_timeout(std::chrono::hours::max()); },
    };
    for (const auto& set : rows) CHECK(refusal(set) == "");
}

TEST_CASE("a builder is a value and may be used again", "[cache][settings]") {
    auto builder = ConnectionCache::builder().max_connections(1);
    const auto copy = builder;
    builder.max_connections(0);
    CHECK_NOTHROW(copy.build());
    CHECK_THROWS_AS(builder.build(), Error);
    builder = copy;
    const auto one = builder.build(), two = builder.build();
    CHECK(one != two);
    const auto also_one = one;
    CHECK(also_one == one);
}

TEST_CASE("there is one process-wide cache, and one for each base URL", "[cache][settings]") {
    CHECK(ConnectionCache::process_wide() == ConnectionCache::process_wide());
    const auto a = ConnectionCache::for_base_url("http://base.test/v1");
    CHECK(ConnectionCache::for_base_url("HTTP://BASE.test:80") == a);
    CHECK(ConnectionCache::for_base_url("https://base.test") != a);
    CHECK(a != ConnectionCache::process_wide());
    CHECK(ConnectionCache::for_base_url("http://base.test", ConnectionCache::builder()) == a);
    CHECK_THROWS_AS(ConnectionCache::for_base_url("ftp://base.test"), Error);
}

TEST_CASE("other settings for a base URL that has a cache are an error that names one", "[cache][settings]") {
    const auto settings = ConnectionCache::builder().max_connections(7).host_limit("http://conflict.test", 3);
    const auto cache = ConnectionCache::for_base_url("http://conflict.test", settings);
    CHECK(ConnectionCache::for_base_url("http://conflict.test", settings) == cache);
    CHECK(ConnectionCache::for_base_url("http://conflict.test") == cache);
    struct Row {
        const char* name;
        Set set;
    };
    const Row rows[] = {
        {"max_connections", [](Builder& b) { b.max_connections(8); }},
        {"max_connections_per_host", [](Builder& b) { b.max_connections_per_host(1); }},
        {"host_limit", [](Builder& b) { b.host_limit("http://conflict.test:80", 4); }},
        {"max_idle", [](Builder& b) { b.max_idle(1); }},
        {"max_idle_per_host", [](Builder& b) { b.max_idle_per_host(1); }},
        {"idle_timeout", [](Builder& b) { b.idle_timeout(1s); }},
        {"max_lifetime", [](Builder& b) { b.max_lifetime(1s); }},
        {"max_requests_per_connection", [](Builder& b) { b.max_requests_per_connection(1); }},
        {"acquire_timeout", [](Builder& b) { b.acquire_timeout(1s); }},
        {"tcp_keepalive", [](Builder& b) { b.tcp_keepalive(1s, 1s); }},
        {"dns_ttl", [](Builder& b) { b.dns_ttl(1s); }},
        {"resolve", [](Builder& b) { b.resolve("a", 1, "::1"); }},
        {"drain_on_drop", [](Builder& b) { b.drain_on_drop(1, 1s); }},
        {"honour_keep_alive_hint", [](Builder& b) { b.honour_keep_alive_hint(false); }},
        {"watch_idle", [](Builder& b) { b.watch_idle(false); }},
        {"busy_poll", [](Builder& b) { b.busy_poll(1us); }},
        {"observer", [](Builder& b) { b.observer(std::make_shared<Deaf>()); }},
        {"logger", [](Builder& b) { b.logger(std::make_shared<spdlog::logger>("another")); }},
    };
    for (const auto& row : rows) {
        auto other = settings;
        row.set(other);
        const auto [code, text] =
            thrown_by([&] { ConnectionCache::for_base_url("http://conflict.test", other); });
        INFO(row.name << " / " << text);
        CHECK(code == Errc::conflicting_settings);
        CHECK(text.ends_with("another " + std::string(row.name)));
    }
}

TEST_CASE("threads that ask at once for the cache of a base URL get the same", "[cache][settings]") {
    std::vector<std::optional<ConnectionCache>> found(8);
    std::barrier together(8);
    {
        std::vector<std::jthread> threads;
        for (auto& one : found) {
            threads.emplace_back([&] {
                together.arrive_and_wait();
                one = ConnectionCache::for_base_url("http://together.test");
            });
        }
    }
    for (const auto& one : found) CHECK(*one == *found.front());
}

TEST_CASE("of threads with different settings for a base URL one wins, and the others are told",
          "[cache][settings]") {
    constexpr std::size_t n = 8;
    for (int round = 0; round < 50; ++round) {
        const auto url = "http://race" + std::to_string(round) + ".test";
        std::vector<std::optional<ConnectionCache>> found(n);
        std::vector<std::pair<Errc, std::string>> errors(n);
        std::barrier together(n);
        {
            std::vector<std::jthread> threads;
            for (std::size_t i = 0; i < n; ++i) {
                threads.emplace_back([&, i] {
                    const auto settings = ConnectionCache::builder().max_idle(i + 1);
                    together.arrive_and_wait();
                    errors[i] = thrown_by([&] { found[i] = ConnectionCache::for_base_url(url, settings); });
                });
            }
        }
        const auto winners =
            std::count_if(found.begin(), found.end(), [](const auto& cache) { return cache.has_value(); });
        REQUIRE(winners == 1);
        for (std::size_t i = 0; i < n; ++i) {
            if (found[i]) {
                CHECK(errors[i].first == Errc{});
                CHECK(*found[i] == ConnectionCache::for_base_url(url));
                CHECK(detail::Access::cache(*found[i])->settings().max_idle == Limit(i + 1));
            } else {
                CHECK(errors[i].first == Errc::conflicting_settings);
                CHECK(errors[i].second.find(url) != std::string::npos);
                CHECK(errors[i].second.ends_with("another max_idle"));
            }
        }
    }
}

TEST_CASE("there is no cache for a base URL that is none", "[cache][settings]") {
    const auto settings = ConnectionCache::builder().max_idle(1);
    for (const auto* text :
         {"", "nonsense", "base.test:80", "http://", "http://a b", "http://a:99999", "//base.test"}) {
        INFO(text);
        CHECK(thrown_by([&] { ConnectionCache::for_base_url(text); }).first == Errc::invalid_argument);
        CHECK(thrown_by([&] { ConnectionCache::for_base_url(text, settings); }).first ==
              Errc::invalid_argument);
    }
    CHECK(thrown_by([&] { ConnectionCache::for_base_url("ftp://base.test"); }).first ==
          Errc::unsupported_protocol);
    CHECK(thrown_by([&] {
              ConnectionCache::for_base_url("http://bad-settings.test",
                                            ConnectionCache::builder().max_connections(0));
          }).first == Errc::invalid_argument);
}

TEST_CASE("the defaults are those of the guide", "[cache][settings]") {
    const detail::CacheSettings defaults;
    CHECK(defaults.max_connections.is_unlimited());
    CHECK(defaults.max_connections_per_host.is_unlimited());
    CHECK(defaults.max_idle.value() == 128);
    CHECK(defaults.max_idle_per_host.is_unlimited());
    CHECK(defaults.idle_timeout.value() == 118s);
    CHECK(defaults.max_lifetime.is_unlimited());
    CHECK(defaults.max_requests_per_connection.is_unlimited());
    CHECK(defaults.dns_ttl.value() == 60s);
    CHECK(defaults.drain_bytes.value() == 0);
    CHECK(defaults.drain_time.value() == 0s);
    CHECK(defaults.honour_keep_alive_hint);
    CHECK(defaults.watch_idle);
    CHECK(defaults.busy_poll.value() == 0s);
    CHECK(defaults.acquire_timeout.is_unlimited());
    CHECK(defaults.tcp_keepalive_idle.is_unlimited());
    CHECK(defaults.tcp_keepalive_interval.is_unlimited());
    CHECK(defaults.resolve.empty());
    CHECK(defaults.host_limits.empty());
    CHECK(defaults.logger == nullptr);
    CHECK(defaults.observer == nullptr);
    // The public ones are no others.
    const ConnectionCache plain;
    CHECK(detail::Access::cache(plain)->settings().first_difference(defaults) == "");
    CHECK(detail::Access::cache(ConnectionCache::builder().build())->settings().first_difference(defaults) ==
          "");
}

TEST_CASE("what the builder is told is what the cache gets", "[cache][settings]") {
    const auto built = [](const Set& set) {
        auto builder = ConnectionCache::builder();
        set(builder);
        return detail::Access::cache(builder.build())->settings();
    };
    CHECK(built([](Builder& b) { b.dns_ttl(0s); }).dns_ttl == Duration(0s));
    CHECK(built([](Builder& b) { b.dns_ttl(unlimited); }).dns_ttl.is_unlimited());
    CHECK(built([](Builder& b) { b.dns_ttl(90s); }).dns_ttl == Duration(90s));
    const auto limits = built([](Builder& b) {
                            b.host_limit("HTTPS://API.test", 3).host_limit("http://a:81/x", unlimited);
                        }).host_limits;
    REQUIRE(limits.size() == 2);
    CHECK(limits.at("https://api.test:443") == Limit(3));
    CHECK(limits.at("http://a:81").is_unlimited());
    const auto others = built([](Builder& b) { b.acquire_timeout(0s).tcp_keepalive(7s, 3s); });
    CHECK(others.acquire_timeout == Duration(0s));
    CHECK(others.tcp_keepalive_idle == Duration(7s));
    CHECK(others.tcp_keepalive_interval == Duration(3s));
}

TEST_CASE("the last handle closes what is idle", "[cache][settings]") {
    Origin server(respond_with(reply("x")));
    auto cache = std::make_unique<ConnectionCache>();
    auto copy = std::make_unique<ConnectionCache>(*cache);
    auto session = std::make_unique<Session>(*cache);
    session->get(server.url()).consume();
    cache.reset();
    copy.reset();
    CHECK(server.open_connections() == 1);
    CHECK(session->cache().stats().idle == 1);
    session.reset();  // it held the last one
    CHECK(server.wait_for_open(0));
}
