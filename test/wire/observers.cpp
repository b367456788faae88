// Observers: told of everything, allowed to use the cache, and free to throw.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
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

// Two requests for one connection: the second one waits for it.
void make_one_wait(const ConnectionCache& cache, const std::string& url) {
    Session holder(cache);
    auto held = holder.get(url);
    const auto before = cache.stats().waits;
    auto waiter = std::async(std::launch::async, [&] {
        Session session(cache);
        session.send(Request::get(url).timeout(20s)).consume();
    });
    REQUIRE(eventually([&] { return cache.stats().waits == before + 1; }));
    held.consume();
    waiter.get();
}

// The second request of the first connection is not answered: it is replayed.
Script dies_once() {
    return [](Connection& connection) {
        if (connection.index() > 0) return respond_with(reply("hello"))(connection);
        if (!connection.read_request()) return;
        connection.write(reply("hello"));
        if (connection.read_request()) connection.close();
    };
}

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

TEST_CASE("waiting, replays and drops are told in debug lines", "[wire][observer]") {
    Origin origin(dies_once());
    Client client([](ConnectionCache::Builder& b) { b.max_connections_per_host(1); });
    const auto line = [&](const std::string& what) {
        const auto id = std::to_string(client.cache.connections().at(0).id);
        return client.log.count("connection " + id + " to http://127.0.0.1:" + std::to_string(origin.port()) +
                                " " + what);
    };
    client.session.get(origin.url()).consume();
    CHECK(client.log.count("replayed") == 0);
    client.session.get(origin.url()).consume();
    CHECK(client.log.count(" replayed") == 1);
    CHECK(line("replayed") == 1);

    CHECK(client.log.count("after a wait of") == 0);
    make_one_wait(client.cache, origin.url());
    CHECK(client.log.count("after a wait of") == 1);
    CHECK(line("given after a wait of ") == 1);

    CHECK(client.log.count(" dropped") == 0);
    const auto told = [&] {
        auto dropped = client.session.get(origin.url());
        const auto id = std::to_string(client.cache.connections().at(0).id);
        return "connection " + id + " to http://127.0.0.1:" + std::to_string(origin.port()) + " dropped";
    }();
    CHECK(client.log.count(told) == 1);
    client.check_end(origin.url());
}

TEST_CASE("an observer may ask the cache when it is told of a wait, a replay or a drop", "[wire][observer]") {
    Origin origin(dies_once());
    std::unique_ptr<Client> client;
    std::mutex mutex;
    std::multiset<Kind> told;
    std::vector<std::string> wrong;
    auto observer = std::make_shared<Calls>([&](const Event& event) {
        if (event.kind != Kind::waited && event.kind != Kind::replayed && event.kind != Kind::dropped) return;
        const auto stats = client->cache.stats();
        const auto connections = client->cache.connections();
        const auto found = client->cache.explain(Request::get(origin.url()));
        const std::lock_guard lock(mutex);
        told.insert(event.kind);
        const auto check = [&](bool holds, const char* what) {
            if (!holds) wrong.push_back(std::string(to_string(event.kind)) + ": " + what);
        };
        check(stats.open == 1, "one connection is open");
        check(stats.leased == 1, "it is leased");
        check(connections.size() == 1 && connections[0].id == event.connection_id, "it is the one told of");
        check(found.candidates.size() == 1 && found.candidates[0].reason == "leased",
              "explain() says leased");
        if (event.kind == Kind::waited) check(stats.waits == 1, "the wait is counted");
        if (event.kind == Kind::replayed) check(stats.replays == 1, "the replay is counted");
        if (event.kind == Kind::dropped) check(stats.dropped_unread == 1, "the drop is counted");
    });
    client = std::make_unique<Client>(
        [&](ConnectionCache::Builder& b) { b.observer(observer).max_connections_per_host(1); });
    client->session.get(origin.url()).consume();
    client->session.get(origin.url()).consume();
    make_one_wait(client->cache, origin.url());
    { auto dropped = client->session.get(origin.url()); }
    {
        const std::lock_guard lock(mutex);
        CHECK(told == std::multiset<Kind>{Kind::waited, Kind::replayed, Kind::dropped});
        CHECK(wrong == std::vector<std::string>{});
    }
    CHECK(client->at_rest());
}
