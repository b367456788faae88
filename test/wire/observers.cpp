// Observers: told of everything, allowed to use the cache, and free to throw.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/threads.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

using Kind = Event::Kind;

class Calls final : public Observer {
  public:
    explicit Calls(std::function<void(const Event&)> fn) : fn_(std::move(fn)) {}
    void on_event(const Event& event) override { fn_(event); }

  private:
    std::function<void(const Event&)> fn_;
};

std::vector<Kind> kinds(const EventLog& events) {
    std::vector<Kind> all;
    for (const auto& event : events.all()) all.push_back(event.kind);
    return all;
}

}  // namespace

TEST_CASE("an observer is told of a connection's life in order", "[wire][observer]") {
    Origin origin(handler([](const Recorded& request) {
        return reply(request.target == "/large" ? std::string(1'000'000, 'x') : "hello");
    }));
    Client client;
    client.session.get(origin.url()).consume();
    client.session.get(origin.url()).consume();
    { auto dropped = client.session.get(origin.url("/large")); }
    CHECK(kinds(*client.events) == std::vector<Kind>{Kind::opened, Kind::leased, Kind::released, Kind::leased,
                                                     Kind::reused, Kind::released, Kind::leased, Kind::reused,
                                                     Kind::dropped, Kind::closed});
    const auto all = client.events->all();
    for (const auto& event : all) {
        CHECK(event.origin == "http://127.0.0.1:" + std::to_string(origin.port()));
        CHECK(event.connection_id == all[0].connection_id);
    }
    CHECK(all.back().reason == CloseReason::unread_body);
}

TEST_CASE("what an observer throws is logged and hurts nobody", "[wire][observer]") {
    Origin origin(respond_with(reply("hello")));
    std::atomic<int> calls = 0;
    auto observer = std::make_shared<Calls>([&](const Event&) {
        ++calls;
        throw std::runtime_error("the observer is unwell");
    });
    Client client(
        [&](ConnectionCache::Builder& b) { b.observer(observer).max_connections(2).idle_timeout(50ms); });
    const auto errors = on_threads(4, [&](std::size_t) {
        Session session(client.cache);
        for (int i = 0; i < 20; ++i) expect(session.get(origin.url()).text() == "hello", "hello");
    });
    CHECK(errors == std::vector<std::string>{});
    CHECK(
        eventually([&] { return client.cache.stats().open == 0; }));  // the watcher's thread survives it too
    CHECK(calls > 80);
    CHECK(client.log.count("the observer is unwell") > 0);
    client.check_end(origin.url());
}

TEST_CASE("an observer may use the cache, but not shut it down", "[wire][observer]") {
    Origin origin(respond_with(reply("hello")));
    std::unique_ptr<Client> client;
    std::mutex mutex;
    std::vector<Errc> outcomes;
    std::atomic<bool> active = false;
    auto observer = std::make_shared<Calls>([&](const Event& event) {
        if (!active.exchange(false)) return;  // not for what it does itself
        (void)client->cache.stats();
        (void)client->cache.connections();
        (void)client->cache.explain(Request::get(origin.url()));
        if (event.kind == Kind::released) {
            Session session(client->cache);
            session.get(origin.url("/from-the-observer")).consume();
        }
        const std::lock_guard lock(mutex);
        outcomes.push_back(outcome_of([&] { client->cache.shutdown(1s); }).code);
        active = true;
    });
    client = std::make_unique<Client>([&](ConnectionCache::Builder& b) { b.observer(observer); });
    active = true;
    client->session.get(origin.url()).consume();
    client->session.get(origin.url()).consume();
    client->cache.close_idle();
    active = false;
    CHECK(outcomes.size() >= 5);
    CHECK(std::all_of(outcomes.begin(), outcomes.end(),
                      [](Errc code) { return code == Errc::invalid_argument; }));
    CHECK(origin.request_count() >= 3);
    client->check_end(origin.url());
}

TEST_CASE("an observer is told how long a request waited", "[wire][observer]") {
    Origin origin(respond_with(reply("hello")));
    std::mutex mutex;
    std::vector<std::chrono::nanoseconds> waits;
    auto observer = std::make_shared<Calls>([&](const Event& event) {
        const std::lock_guard lock(mutex);
        if (event.kind == Kind::waited) waits.push_back(event.waited);
    });
    Client client([&](ConnectionCache::Builder& b) { b.observer(observer).max_connections_per_host(1); });
    auto holder = client.session.get(origin.url());
    std::jthread waiter([&] {
        Session session(client.cache);
        session.get(origin.url()).consume();
    });
    REQUIRE(eventually([&] { return client.cache.stats().waiting == 1; }));
    std::this_thread::sleep_for(100ms);  // why: the wait that is to be told
    holder.consume();
    waiter.join();
    const std::lock_guard lock(mutex);
    REQUIRE(waits.size() == 1);
    CHECK(waits[0] >= 100ms);
    CHECK(waits[0] < 5s);
    CHECK(client.cache.stats().waits == 1);
}
