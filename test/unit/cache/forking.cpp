// fork(): parent and child go on, each with connections of its own.
#include "cache/continuation.hpp"
#include "cache/fork_guard.hpp"
#include "driver.hpp"
#include "process_state.hpp"
#include "support/child.hpp"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <memory>
#include <thread>
#include <vector>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

TEST_CASE("a child begins with an empty cache, its parent keeps its connections", "[cache][fork]") {
    skip_where_a_child_has_no_threads();
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    request(cache, server);
    REQUIRE(cache->stats().idle == 1);
    const int result = in_child([&] {
        const auto stats = cache->stats();
        const bool empty = stats.open == 0 && stats.closed_by[CloseReason::forked] == 1 && stats.opened == 1;
        return empty && request(cache, server) == CloseReason::none &&
               request(cache, server) == CloseReason::none && cache->stats().idle == 1 &&
               cache->stats().opened == 2;
    });
    CHECK(result == 0);
    CHECK(server.accepts() == 2);
    CHECK(request(cache, server) == CloseReason::none);  // on the connection it had
    CHECK(server.accepts() == 2);
    CHECK(server.errors().empty());
}

TEST_CASE("a child's observer is told of what it does not inherit", "[cache][fork]") {
    skip_where_a_child_has_no_threads();
    struct Closings final : Observer {
        void on_event(const Event& event) override {
            if (event.kind != Event::Kind::closed) return;
            reasons.push_back(event.reason);
            ids.push_back(event.connection_id);
        }
        std::vector<CloseReason> reasons;
        std::vector<std::uint64_t> ids;
    };
    Origin server(respond_with(reply("x")));
    const auto observer = std::make_shared<Closings>();
    const auto cache = make_cache({.observer = observer});
    Lease lent = lend(cache, server);
    request(cache, server);
    REQUIRE(cache->stats().open == 2);
    const auto id = lent->id();
    const int result = in_child([&] {
        if (request(cache, server) != CloseReason::none) return false;
        return observer->reasons == std::vector(2, CloseReason::forked) && observer->ids.at(0) == id &&
               observer->ids.at(1) == id + 1 && request(cache, server) == CloseReason::none &&
               observer->reasons.size() == 2;
    });
    CHECK(result == 0);
    CHECK(observer->reasons.empty());
}

TEST_CASE("a lease that the child inherits ends without a word on the wire", "[cache][fork]") {
    skip_where_a_child_has_no_threads();
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    Lease lease = lend(cache, server);
    const int result = in_child([&] {
        const bool fresh = request(cache, server, within(5s)) == CloseReason::none;  // the slot is free here
        const bool ended = cache->release(std::move(lease), {}) == CloseReason::forked;
        return fresh && ended && cache->stats().leased == 0;
    });
    CHECK(result == 0);
    send_get(lease, server.url());
    CHECK(cache->release(std::move(lease), {}) == CloseReason::none);
    CHECK(server.accepts() == 2);
}

TEST_CASE("threads that wait or watch in the parent do not exist in the child", "[cache][fork]") {
    skip_where_a_child_has_no_threads();
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 2, .idle_timeout = 300ms});
    Lease held = lend(cache, server);
    request(cache, server);  // the janitor runs
    Lease second = cache->acquire(key_of(server));
    auto waiting = std::async(std::launch::async, [&] { return request(cache, server); });
    REQUIRE(eventually([&] { return cache->stats().waiting == 1; }));
    const int result = in_child([&] {
        const auto stats = cache->stats();
        if (stats.waiting != 0 || stats.open != 0) return false;
        request(cache, server);
        // Watched by a thread of the child's own.
        const bool watched =
            eventually([&] { return cache->stats().closed_by[CloseReason::expired] == 1; }, 5s);
        cache->shutdown(100ms);
        return watched && cache->stats().open == 0;
    });
    CHECK(result == 0);
    cache->release(std::move(second), {});
    CHECK(waiting.get() == CloseReason::none);
    cache->release(std::move(held), {});
}

TEST_CASE("fork in the middle of traffic on other threads", "[cache][fork]") {
    skip_where_fork_clashes_with_threads();
    Origin server(respond_with(reply("x")), {.record_requests = false});
    const auto cache = make_cache({.max_connections = 2});
    std::atomic<bool> over = false;
    std::atomic<int> failures = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            while (!over) failures += request(cache, server) != CloseReason::none;
        });
    }
    int bad = 0;
    for (int i = 0; i < 10; ++i) {
        bad += in_child([&] { return request(cache, server, within(10s)) == CloseReason::none; }) != 0;
    }
    over = true;
    threads.clear();
    CHECK(bad == 0);
    CHECK(failures == 0);
    CHECK(server.errors().empty());
}

TEST_CASE("a child does not wait for requests that its parent has between two connections", "[cache][fork]") {
    skip_where_a_child_has_no_threads();
    const auto cache = make_cache();
    auto of_parent = std::make_unique<detail::Continuation>(cache);
    const int result = in_child([&] {
        const auto before = Clock::now();
        cache->shutdown(5s);
        const bool at_once = Clock::now() - before < 2s;
        of_parent.reset();
        return at_once;
    });
    CHECK(result == 0);
    of_parent.reset();
    const int own = in_child([&] {
        const detail::Continuation of_child(cache);
        (void)cache->stats();
        const auto before = Clock::now();
        cache->shutdown(100ms);
        return Clock::now() - before >= 100ms;
    });
    CHECK(own == 0);
}

TEST_CASE("fork takes mutexes in the order in which threads take them", "[cache][fork]") {
    skip_where_a_child_has_no_threads();
    const int code = in_child([] {  // which ends if they wait for each other
        detail::Mutex outer, inner;
        const detail::ForkGuard outer_guard(outer, detail::ForkGuard::Level::outer);
        const detail::ForkGuard inner_guard(inner);
        std::atomic<bool> locked = false;
        std::atomic<pid_t> forking = 0;
        const std::jthread holder([&] {
            const detail::Lock first(outer);
            locked = true;
            while (forking == 0 || !sleeps(forking)) std::this_thread::yield();
            const detail::Lock second(inner);
        });
        while (!locked) std::this_thread::yield();
        forking = ::gettid();
        const pid_t child = ::fork();
        if (child == 0) ::_exit(0);
        return exit_code_of(child) == 0;
    });
    CHECK(code == 0);
}
