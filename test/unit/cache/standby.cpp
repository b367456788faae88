// Lanes on standby: lent again and given back without the mutex, and right in every table all the same.
#include "driver.hpp"
#include "process_state.hpp"
#include "support/child.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;
using detail::Claim;

namespace {

// One session's way of asking.
class Holder {
  public:
    Holder(std::shared_ptr<Cache> cache, const Origin& server)
        : cache_(std::move(cache)), url_(server.url()), key_(key_of(server)) {}

    Lease acquire() {
        ++requests_;
        return cache_->acquire(key_, {}, &claim_);
    }
    void send(Lease& lease) const { send_get(lease, url_); }
    Lease lend() {
        Lease lease = acquire();
        send(lease);
        return lease;
    }
    CloseReason give_back(Lease&& lease, const Verdict& verdict = {}) {
        return cache_->release(std::move(lease), verdict, &claim_);
    }
    CloseReason request() { return give_back(lend()); }
    // Lent without the mutex. A thread that was kept waiting for longer than a moment gets it the other way.
    Lease lend_from_standby() {
        while (true) {
            Lease lease = acquire();
            if (claim_.lent()) return lease;
            send(lease);
            give_back(std::move(lease));
        }
    }
    std::size_t requests() const { return requests_; }
    const Claim& claim() const { return claim_; }

  private:
    std::shared_ptr<Cache> cache_;
    std::string url_;
    LaneKey key_;
    Claim claim_;
    std::size_t requests_ = 0;
};

}  // namespace

TEST_CASE("a lane that its holder had twice in a row is lent without the mutex", "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Holder holder(cache, server);
    holder.request();
    CHECK_FALSE(holder.claim().lent());
    holder.request();
    CHECK_FALSE(holder.claim().lent());
    Lease lease = holder.lend_from_standby();
    CHECK(lease.reused());
    const auto lent = cache->stats();
    CHECK(lent.leased == 1);
    CHECK(lent.idle == 0);
    CHECK(lent.requests == holder.requests());
    CHECK(lent.reused == holder.requests() - 1);
    CHECK(holder.give_back(std::move(lease)) == CloseReason::none);
    lease = holder.lend_from_standby();
    CHECK(holder.give_back(std::move(lease)) == CloseReason::none);
    const auto stats = cache->stats();
    CHECK(stats.idle == 1);
    CHECK(stats.leased == 0);
    CHECK(stats.requests == holder.requests());
    CHECK(stats.reused == holder.requests() - 1);
    CHECK(stats.opened == 1);
    CHECK(server.accepts() == 1);
    const auto connections = cache->connections();
    REQUIRE(connections.size() == 1);
    CHECK(connections[0].requests_served == holder.requests());
}

TEST_CASE("a lane that was lent without the mutex serves whoever waits for it", "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 1});
    Holder holder(cache, server);
    Lease lease = holder.lend_from_standby();
    const auto id = lease->id();
    auto other = std::async(std::launch::async, [&] {
        Lease mine = cache->acquire(key_of(server), within(10s));
        const auto got = mine->id();
        send_get(mine, server.url());
        cache->release(std::move(mine), {});
        return got;
    });
    REQUIRE(eventually([&] { return cache->stats().waiting == 1; }));
    CHECK(holder.give_back(std::move(lease)) == CloseReason::none);
    CHECK(other.get() == id);
    CHECK(cache->stats().opened == 1);
    CHECK(cache->stats().idle == 1);
}

TEST_CASE("no standby begins while somebody waits", "[cache][standby]") {
    Origin server(respond_with(reply("x"))), busy(respond_with(reply("y")));
    const auto cache = make_cache({.max_connections_per_host = 1});
    Lease taken = lend(cache, busy);
    auto waiting = std::async(std::launch::async, [&] { return request(cache, busy, within(10s)); });
    REQUIRE(eventually([&] { return cache->stats().waiting == 1; }));
    Holder holder(cache, server);
    for (int i = 0; i < 10; ++i) {
        Lease lease = holder.lend();
        CHECK_FALSE(holder.claim().lent());
        holder.give_back(std::move(lease));
    }
    cache->release(std::move(taken), {});
    CHECK(waiting.get() == CloseReason::none);
    holder.give_back(holder.lend_from_standby());
}

TEST_CASE("an idle lane on standby gives way to another origin at the total limit", "[cache][standby]") {
    Origin server(respond_with(reply("x"))), other(respond_with(reply("y")));
    const auto cache = make_cache({.max_connections = 1});
    Holder holder(cache, server);
    holder.give_back(holder.lend_from_standby());
    CHECK(request(cache, other) == CloseReason::none);
    CHECK(cache->stats().closed_by[CloseReason::over_limit] == 1);
    CHECK(server.wait_for_ends(1));
    CHECK(holder.request() == CloseReason::none);  // its claim is void
    CHECK(server.accepts() == 2);
}

TEST_CASE("the least recently used lane goes, also where the other is on standby", "[cache][standby]") {
    Origin first(respond_with(reply("x"))), second(respond_with(reply("y"))), third(respond_with(reply("z")));
    const auto cache = make_cache({.max_connections = 2});
    Holder holder(cache, first);
    holder.request();
    holder.request();
    request(cache, second);  // later than what the tables know of the first
    holder.give_back(holder.lend_from_standby());
    request(cache, third);
    CHECK(second.wait_for_ends(1));
    CHECK(first.open_connections() == 1);
}

TEST_CASE("what is evicted while it is lent without the mutex closes when it comes back",
          "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Holder holder(cache, server);
    Lease lease = holder.lend_from_standby();
    SECTION("with all") {
        CHECK(cache->close_idle(Duration{}) == 0);
        CHECK(holder.give_back(std::move(lease)) == CloseReason::evicted);
    }
    SECTION("by its origin") {
        CHECK(cache->evict(origin_of(server)) == 0);
        CHECK(holder.give_back(std::move(lease)) == CloseReason::evicted);
    }
    SECTION("by shutdown") {
        auto over = std::async(std::launch::async, [&] { cache->shutdown(Duration(10s)); });
        REQUIRE(eventually([&] { return cache->closed(); }));
        CHECK(thrown_by([&] { (void)cache->acquire(key_of(server)); }).first == Errc::cache_closed);
        CHECK(holder.give_back(std::move(lease)) == CloseReason::shutdown);
        over.get();
        CHECK(thrown_by([&] { (void)holder.lend(); }).first == Errc::cache_closed);
    }
    CHECK(server.wait_for_ends(1));
    CHECK(cache->stats().open == 0);
}

TEST_CASE("an idle lane on standby is closed by whoever may close idle lanes", "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Holder holder(cache, server);
    holder.give_back(holder.lend_from_standby());
    SECTION("close_idle") {
        CHECK(cache->close_idle(Duration{}) == 1);
    }
    SECTION("evict") {
        CHECK(cache->evict(origin_of(server)) == 1);
    }
    SECTION("the end of its cache") {
        cache->abandon();
    }
    CHECK(server.wait_for_ends(1));
    CHECK(cache->stats().open == 0);
}

TEST_CASE("a connection on standby serves no request too many", "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_requests_per_connection = 5});
    Holder holder(cache, server);
    for (int i = 1; i <= 20; ++i) {
        CHECK(holder.request() == (i % 5 == 0 ? CloseReason::requests : CloseReason::none));
    }
    CHECK(server.accepts() == 4);
    CHECK(cache->stats().closed_by[CloseReason::requests] == 4);
}

TEST_CASE("a connection on standby is kept no longer than its peer wants", "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Holder holder(cache, server);
    Lease lease = holder.lend_from_standby();
    CHECK(holder.give_back(std::move(lease), {.keep_alive_hint = 0s}) == CloseReason::expired);
    lease = holder.lend_from_standby();
    CHECK(holder.give_back(std::move(lease), {.keep_alive_hint = 1s}) == CloseReason::none);
    lease = holder.lend_from_standby();
    CHECK(cache->stats().leased == 1);  // has the tables learn of it, while it is lent
    const auto now = detail::Clock::now();
    CHECK(holder.give_back(std::move(lease)) == CloseReason::none);  // says nothing of it
    CHECK(eventually([&] { return cache->stats().closed_by[CloseReason::expired] == 2; }));
    CHECK(detail::Clock::now() - now > 900ms);
    CHECK(cache->stats().idle == 0);
}

TEST_CASE("a lane that fails while it is lent without the mutex is closed", "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Holder holder(cache, server);
    Lease lease = holder.lend_from_standby();
    SECTION("by its verdict") {
        CHECK(holder.give_back(std::move(lease), {.close = CloseReason::unread_body}) ==
              CloseReason::unread_body);
        CHECK(cache->stats().closed_by[CloseReason::unread_body] == 1);
    }
    SECTION("dropped") {
        lease = Lease{};
        CHECK(cache->stats().closed_by[CloseReason::transfer_error] == 1);
    }
    CHECK(server.wait_for_ends(1));
    CHECK(cache->stats().leased == 0);
    CHECK(holder.request() == CloseReason::none);
    CHECK(server.accepts() == 2);
}

TEST_CASE("a lane whose peer has gone is not lent from standby either", "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.watch_idle = false});
    Holder holder(cache, server);
    holder.give_back(holder.lend_from_standby());
    server.close_all();
    CHECK(holder.request() == CloseReason::none);
    const auto stats = cache->stats();
    CHECK(stats.closed_by[CloseReason::peer_closed] == 1);
    CHECK(stats.requests == holder.requests());
    CHECK(stats.reused == holder.requests() - 2);
    CHECK(server.accepts() == 2);
}

TEST_CASE("a lane that came to rest on standby is watched", "[cache][standby][janitor]") {
    struct Closings final : Observer {
        void on_event(const Event& event) override {
            if (event.kind == Event::Kind::closed) first.set_value(event.reason);
        }
        std::promise<CloseReason> first;
    };
    Origin server(respond_with(reply("x")));
    const auto observer = std::make_shared<Closings>();
    const auto cache = make_cache({.observer = observer});
    Holder holder(cache, server);
    holder.give_back(holder.lend_from_standby());
    server.close_all();
    auto closed = observer->first.get_future();
    // Nothing is asked of the cache meanwhile that would have it look.
    REQUIRE(closed.wait_for(5s) == std::future_status::ready);
    CHECK(closed.get() == CloseReason::peer_closed);
}

TEST_CASE("a claim that was made on another thread is none", "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Holder holder(cache, server);
    holder.give_back(holder.lend_from_standby());
    std::async(std::launch::async, [&] {
        Lease lease = holder.lend();
        CHECK_FALSE(holder.claim().lent());
        CHECK(lease.reused());
        holder.give_back(std::move(lease));
    }).get();
    CHECK(server.accepts() == 1);
    CHECK(cache->stats().requests == holder.requests());
}

TEST_CASE("a claim may outlive its cache", "[cache][standby]") {
    Origin server(respond_with(reply("x")));
    Claim claim;
    for (int i = 0; i < 3; ++i) {
        const auto cache = make_cache();
        for (int j = 0; j < 4; ++j) {
            Lease lease = cache->acquire(key_of(server), {}, &claim);
            CHECK(lease.reused() == (j > 0));
            send_get(lease, server.url());
            CHECK(cache->release(std::move(lease), {}, &claim) == CloseReason::none);
        }
    }
    CHECK(server.accepts() == 3);
}

TEST_CASE("a claim holds on its own terms only", "[cache][standby]") {
    const auto standby = std::make_shared<detail::Standby>();
    const LaneKey key{"http://a:80", ""}, other_key{"http://b:80", ""};
    const int cache = 0, other_cache = 0;
    const detail::UserId user{7}, other_user{8};
    const detail::Instant now{std::chrono::hours(1)};
    Claim claim;
    for (int i = 0; i < 2; ++i) claim.bind(&cache, standby, nullptr, detail::LaneId{0}, 1, key);
    claim.begin({.user = user, .fork_generation = 3, .loans = 1, .window = 10ns, .end = now + 100ns}, now);
    SECTION("within them") {
        REQUIRE(claim.take(&cache, key, user, 3, now + 9ns));
        CHECK(claim.give_back(3, now + 20ns, 1s));
        CHECK_FALSE(claim.take(&cache, key, user, 3, now + 21ns));  // one loan
    }
    SECTION("another cache") {
        CHECK_FALSE(claim.take(&other_cache, key, user, 3, now));
    }
    SECTION("another key") {
        CHECK_FALSE(claim.take(&cache, other_key, user, 3, now));
    }
    SECTION("another thread") {
        CHECK_FALSE(claim.take(&cache, key, other_user, 3, now));
    }
    SECTION("a forked child") {
        CHECK_FALSE(claim.take(&cache, key, user, 4, now));
    }
    SECTION("too late") {
        CHECK_FALSE(claim.take(&cache, key, user, 3, now + 10ns));
    }
    SECTION("given back in a child") {
        REQUIRE(claim.take(&cache, key, user, 3, now));
        CHECK_FALSE(claim.give_back(4, now, 1s));
    }
    SECTION("given back after the end") {
        REQUIRE(claim.take(&cache, key, user, 3, now));
        CHECK_FALSE(claim.give_back(3, now + 100ns, 1s));
    }
    SECTION("ended by the cache") {
        REQUIRE(claim.take(&cache, key, user, 3, now));
        CHECK(standby->end().lent);
        CHECK_FALSE(claim.give_back(3, now, 1s));
    }
}

TEST_CASE("a child does not take what its parent has on standby", "[cache][standby][fork]") {
    skip_where_a_child_has_no_threads();
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Holder holder(cache, server);
    SECTION("idle") {
        holder.give_back(holder.lend_from_standby());
        const int result = in_child([&] {
            return holder.request() == CloseReason::none && holder.request() == CloseReason::none &&
                   cache->stats().opened == 2;
        });
        CHECK(result == 0);
        CHECK(server.accepts() == 2);
        CHECK(holder.request() == CloseReason::none);
    }
    SECTION("lent") {
        Lease lease = holder.lend_from_standby();
        const int result = in_child([&] {
            return holder.give_back(std::move(lease), {.close = CloseReason::forked}) ==
                       CloseReason::forked &&
                   cache->stats().open == 0 && holder.request() == CloseReason::none;
        });
        CHECK(result == 0);
        CHECK(server.accepts() == 2);
        CHECK(holder.give_back(std::move(lease)) == CloseReason::none);
    }
    CHECK(cache->stats().open == 1);
    CHECK(server.errors().empty());
}

TEST_CASE("threads with claims, and others that disturb them, keep every count and limit",
          "[cache][standby][stress]") {
    constexpr int threads = 4, rounds = 400;
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_connections = 3, .max_idle = 2, .max_requests_per_connection = 50});
    std::mutex mutex;
    std::map<std::uint64_t, int> users;  // of a connection, at this moment
    std::atomic<bool> shared{false};
    std::atomic<std::size_t> requests{0};
    const auto enter = [&](std::uint64_t id, int step) {
        const std::lock_guard lock(mutex);
        users[id] += step;
        if (users[id] > 1) shared = true;
    };
    const auto work = [&] {
        Holder holder(cache, server);
        for (int i = 0; i < rounds; ++i) {
            Lease lease = holder.acquire();
            const auto id = lease->id();
            enter(id, 1);
            holder.send(lease);
            enter(id, -1);
            holder.give_back(std::move(lease),
                             {.close = i % 97 == 96 ? CloseReason::unread_body : CloseReason::none});
        }
        requests += holder.requests();
    };
    std::atomic<bool> over{false};
    std::size_t wrong = 0;
    std::thread bystander([&] {
        for (int i = 0; !over; ++i) {
            const auto stats = cache->stats();
            if (stats.open > 3 || stats.idle > 2 || stats.open < stats.leased + stats.idle + stats.connecting)
                ++wrong;
            if (i % 50 == 0) cache->close_idle(Duration(i % 100 == 0 ? 0ms : 1ms));
            if (cache->connections().size() > 3) ++wrong;
            std::this_thread::yield();
        }
    });
    {
        std::vector<std::jthread> all;
        for (int i = 0; i < threads; ++i) all.emplace_back(work);
    }
    over = true;
    bystander.join();
    CHECK_FALSE(shared);
    CHECK(wrong == 0);
    CHECK(server.peak_open() <= 3);
    const auto stats = cache->stats();
    CHECK(requests == threads * rounds);
    CHECK(stats.requests == requests);
    CHECK(stats.requests == server.request_count());
    CHECK(stats.leased == 0);
    CHECK(stats.waiting == 0);
    CHECK(stats.opened - stats.closed == stats.open);
    CHECK(stats.reused + stats.opened == stats.requests);
}
