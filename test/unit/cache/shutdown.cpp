// The ends of a cache: shutdown, and the last handle.
#include "driver.hpp"
#include "process_state.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <future>
#include <thread>
#include <vector>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

namespace {

// Told of every event; may do something then.
class Hook final : public Observer {
  public:
    explicit Hook(std::function<void(const Event&)> fn) : fn_(std::move(fn)) {}
    void on_event(const Event& event) override { fn_(event); }

  private:
    std::function<void(const Event&)> fn_;
};

}  // namespace

TEST_CASE("shutdown closes what is idle and refuses new requests", "[cache][C173]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    request(cache, server);
    const auto before = Clock::now();
    cache->shutdown(10s);
    CHECK(Clock::now() - before < 1s);
    CHECK(server.wait_for_ends(1));
    CHECK(cache->closed());
    CHECK(cache->stats().open == 0);
    CHECK(cache->stats().closed_by[CloseReason::shutdown] == 1);
    CHECK(thrown_by([&] { cache->acquire(key_of(server)); }).first == Errc::cache_closed);
    cache->shutdown(10s);
    CHECK(janitor_threads().empty());
}

TEST_CASE("who is in flight or waits may finish within the grace", "[cache][C173]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    Lease held = lend(cache, server);
    auto waiting = std::async(std::launch::async, [&] { return request(cache, server); });
    REQUIRE(eventually([&] { return cache->stats().waiting == 1; }));
    auto closing = std::async(std::launch::async, [&] { cache->shutdown(10s); });
    REQUIRE(eventually([&] { return cache->closed(); }));
    CHECK(closing.wait_for(20ms) == std::future_status::timeout);
    CHECK(cache->release(std::move(held), {}) == CloseReason::none);  // to the one who waits
    CHECK(waiting.get() == CloseReason::shutdown);
    REQUIRE(closing.wait_for(2s) == std::future_status::ready);
    CHECK(server.accepts() == 1);
    CHECK(server.wait_for_ends(1));
}

TEST_CASE("after the grace waiters are refused and lent lanes interrupted", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    Lease held = lend(cache, server);
    auto waiting = std::async(std::launch::async,
                              [&] { return thrown_by([&] { cache->acquire(key_of(server)); }).first; });
    REQUIRE(eventually([&] { return cache->stats().waiting == 1; }));
    auto closing = std::async(std::launch::async, [&] { cache->shutdown(30ms); });
    CHECK(waiting.get() == Errc::cache_closed);
    CHECK(eventually([&] { return held->interrupted(); }));
    CHECK(eventually([&] { return cache->shutdown_token().stop_requested(); }));
    CHECK(cache->release(std::move(held), {.close = CloseReason::cancelled}) == CloseReason::cancelled);
    REQUIRE(closing.wait_for(2s) == std::future_status::ready);
    CHECK(cache->stats().open == 0);
    CHECK(cache->stats().waiting == 0);
}

TEST_CASE("a lane that nobody drives does not hold shutdown up for long", "[cache][C176]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Lease held = lend(cache, server);
    const auto before = Clock::now();
    cache->shutdown(Duration{});
    CHECK(Clock::now() - before < 3s);
    CHECK(cache->stats().leased == 1);
    // Returned afterwards it is closed.
    CHECK(cache->release(std::move(held), {}) == CloseReason::shutdown);
    CHECK(server.wait_for_ends(1));
    CHECK(cache->stats().open == 0);
}

TEST_CASE("shutdown may be called from several threads", "[cache][C173]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Lease held = lend(cache, server);
    std::vector<std::jthread> threads;
    std::atomic<int> returned = 0;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            cache->shutdown(5s);
            ++returned;
        });
    }
    REQUIRE(eventually([&] { return cache->closed(); }));
    CHECK(returned == 0);
    cache->release(std::move(held), {});
    threads.clear();
    CHECK(returned == 4);
}

TEST_CASE("shutdown in an observer is refused instead of waiting for itself", "[cache][C179]") {
    Origin server(respond_with(reply("x")));
    std::weak_ptr<Cache> weak;
    std::atomic<int> refused = 0;
    const auto cache = make_cache({.observer = std::make_shared<Hook>([&](const Event&) {
                                       if (const auto self = weak.lock()) {
                                           refused += thrown_by([&] { self->shutdown(Duration{}); }).first ==
                                                      Errc::invalid_argument;
                                       }
                                   })});
    weak = cache;
    request(cache, server);
    CHECK(refused == 3);  // opened, leased, released
    CHECK_FALSE(cache->closed());
}

TEST_CASE("an abandoned cache closes idle lanes now and lent ones when they come back", "[cache][C175]") {
    Origin server(respond_with(reply("x")));
    auto cache = make_cache();
    request(cache, server);
    Lease held = lend(cache, server);
    Lease other = lend(cache, server);
    cache->abandon();
    CHECK(cache->release(std::move(other), {}) == CloseReason::shutdown);
    cache.reset();
    CHECK(held.cache()->stats().leased == 1);
    send_get(held, server.url());
    held = Lease{};  // the cache's last owner
    CHECK(server.wait_for_open(0));
    CHECK(server.fins() == 2);
    CHECK(janitor_threads().empty());
}

TEST_CASE("a cache may be destroyed on its own watching thread", "[cache]") {
    Origin server(respond_with(reply("x")));
    std::shared_ptr<Cache> cache;
    std::promise<void> expired;
    std::atomic<bool> armed = false;
    cache =
        make_cache({.idle_timeout = 50ms, .observer = std::make_shared<Hook>([&](const Event& event) {
                                              if (event.kind != Event::Kind::closed || !armed.exchange(false))
                                                  return;
                                              cache.reset();  // on the janitor's thread
                                              expired.set_value();
                                          })});
    {
        Lease lease = lend(cache, server);
        armed = true;
        const auto owner = lease.cache();
        owner->release(std::move(lease), {});
    }
    REQUIRE(expired.get_future().wait_for(5s) == std::future_status::ready);
    CHECK(eventually([] { return janitor_threads().empty(); }));
}

TEST_CASE("a lane that is being connected when the grace ends is interrupted", "[cache][C180]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Lease connecting = cache->acquire(key_of(server));
    auto closing = std::async(std::launch::async, [&] { cache->shutdown(Duration{}); });
    CHECK(eventually([&] { return connecting->interrupted(); }));
    send_get(connecting, server.url());
    CHECK(cache->release(std::move(connecting), {}) == CloseReason::shutdown);
    REQUIRE(closing.wait_for(3s) == std::future_status::ready);
    CHECK(server.wait_for_open(0));
}
