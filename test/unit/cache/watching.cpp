// The janitor: idle lanes are looked after without any traffic.
#include "driver.hpp"
#include "process_state.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

namespace {

// A closed connection is noticed within 100 ms; what more is for a loaded machine.
constexpr auto soon = 100ms;
constexpr auto slack = 200ms;

// One request over TLS, whoever the server says it is; the lane is idle then.
void request_over_tls(const std::shared_ptr<Cache>& cache, const Origin& server) {
    Lease lease = cache->acquire({"https://127.0.0.1:" + std::to_string(server.port()), ""});
    detail::curl().easy_setopt(lease->easy(), CURLOPT_SSL_VERIFYPEER, 0L);
    send_get(lease, server.url());
    cache->release(std::move(lease), {});
}

// A lane comes to rest where what a thread needs cannot be had.
template <class Deny, class Allow>
void check_without_thread(Deny deny, Allow allow) {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Lease lease = lend(cache, server);
    deny();
    CHECK(cache->release(std::move(lease), {}) == CloseReason::none);
    allow();
    CHECK(janitor_threads().empty());
    CHECK(request(cache, server) == CloseReason::none);
    CHECK(server.accepts() == 1);
}

}  // namespace

TEST_CASE("an idle lane expires with nothing else going on", "[cache][C062]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.idle_timeout = 100ms});
    request(cache, server);
    const auto released = Clock::now();
    CHECK(server.wait_for_ends(1));
    const auto took = Clock::now() - released;
    CHECK(took >= 95ms);
    CHECK(took < 100ms + soon + slack);
    CHECK(cache->stats().idle == 0);
    CHECK(eventually([&] { return cache->stats().closed_by[CloseReason::expired] == 1; }));
}

TEST_CASE("an idle lane that gets too old is closed", "[cache][C065]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_lifetime = 150ms});
    request(cache, server);
    CHECK(server.wait_for_ends(1, 150ms + soon + slack));
    CHECK(eventually([&] { return cache->stats().closed_by[CloseReason::lifetime] == 1; }));
}

TEST_CASE("what the peer closes or writes to is closed at once, without traffic", "[cache][C068]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    Gate speak;
    std::vector<Lease> leases;
    Origin talkative([&](Connection& c) {
        if (!c.read_request()) return;
        c.write(reply("x"));
        if (c.wait_for(speak)) c.write("HTTP/1.1 408 bye\r\n\r\n");
        c.wait_for_stop();
    });
    request(cache, server);
    request(cache, talkative);
    // Both are watched by now: what follows is an event, not a finding.
    std::this_thread::sleep_for(80ms);  // why: the timeout itself has to pass
    const auto before = Clock::now();
    SECTION("a FIN") {
        server.close_all();
        REQUIRE(eventually([&] { return cache->stats().closed_by[CloseReason::peer_closed] == 1; }));
    }
    SECTION("an RST") {
        server.close_all(KillWith::rst);
        REQUIRE(eventually([&] { return cache->stats().closed_by[CloseReason::peer_closed] == 1; }));
    }
    SECTION("bytes") {
        speak.open();
        REQUIRE(eventually([&] { return cache->stats().closed_by[CloseReason::unsolicited_data] == 1; }));
    }
    CHECK(Clock::now() - before < soon + slack);
    CHECK(cache->stats().idle == 1);
    CHECK(sockets_in_close_wait(server.port()) == 0);
    speak.open();
}

TEST_CASE("a peer that closes right after its answer is noticed without traffic", "[cache][C028][C068]") {
    Origin server(respond_and_close(reply("x")));
    const auto cache = make_cache();
    Lease lease = lend(cache, server);
    REQUIRE(server.wait_for_open(0));
    CHECK(cache->release(std::move(lease), {}) == CloseReason::none);
    const auto released = Clock::now();
    REQUIRE(eventually([&] { return cache->stats().closed_by[CloseReason::peer_closed] == 1; }));
    CHECK(Clock::now() - released < soon + slack);
    CHECK(sockets_in_close_wait(server.port()) == 0);
}

TEST_CASE("a lane that is closed while it is watched ends at once", "[cache]") {
    Origin server(respond_with(reply("x"))), sign(respond_with(reply("x")));
    const auto cache = make_cache();
    request(cache, server);
    request(cache, sign);
    sign.close_all();
    // The thread has noticed, so it watches the older one too.
    REQUIRE(eventually([&] { return cache->stats().open == 1; }));
    CHECK(cache->evict(origin_of(server)) == 1);
    CHECK(server.wait_for_open(0, soon + slack));
}

TEST_CASE("a lane that its server closed leaves no entry of its origin", "[cache][C068]") {
    Origin server(respond_with(reply("x"))), other(respond_with(reply("x")));
    const auto cache = make_cache();
    request(cache, server);
    request(cache, other);
    REQUIRE(cache->knows(key_of(server)));
    server.close_all();
    CHECK(eventually([&] { return !cache->knows(key_of(server)); }));
    CHECK(cache->stats().open == 1);
    CHECK(cache->knows(key_of(other)));
    CHECK(cache->evict(origin_of(server)) == 0);
    CHECK(cache->evict(origin_of(other)) == 1);
}

TEST_CASE("a hundred idle lanes that die together are all closed", "[cache][C068]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache();
    std::vector<Lease> leases;
    for (int i = 0; i < 100; ++i) leases.push_back(lend(cache, server));
    for (auto& lease : leases) cache->release(std::move(lease), {});
    server.close_all();
    REQUIRE(eventually([&] { return cache->stats().open == 0; }, 2s));
    CHECK(cache->stats().closed_by[CloseReason::peer_closed] == 100);
    CHECK(sockets_in_close_wait(server.port()) == 0);
}

TEST_CASE("the thread exists only while it has something to watch for", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto before = janitor_threads().size();
    {
        const auto unwatched = make_cache({.watch_idle = false});
        request(unwatched, server);
        CHECK(janitor_threads().size() == before);
        const auto cache = make_cache();
        Lease lease = lend(cache, server);
        CHECK(janitor_threads().size() == before);
        cache->release(std::move(lease), {});
        CHECK(eventually([&] { return janitor_threads().size() == before + 1; }));
    }
    CHECK(eventually([&] { return janitor_threads().size() == before; }));
}

TEST_CASE("the thread sleeps while nothing changes", "[cache]") {
    Origin server(respond_with(reply("x")));
    const bool keep_idle = GENERATE(true, false);
    const auto cache = make_cache();
    request(cache, server);
    REQUIRE(janitor_threads().size() == 1);
    if (!keep_idle) cache->close_idle({});
    std::this_thread::sleep_for(150ms);  // why: the timeout itself has to pass
    const auto thread = janitor_threads().front();
    const auto before = context_switches(thread);
    std::this_thread::sleep_for(400ms);  // why: the timeout itself has to pass
    CHECK(context_switches(thread) == before);
}

TEST_CASE("traffic wakes the thread no more than about 30 times a second", "[cache]") {
    Origin server(respond_with(reply("x")), {.record_requests = false});
    const auto cache = make_cache();
    request(cache, server);
    REQUIRE(janitor_threads().size() == 1);
    const auto thread = janitor_threads().front();
    const auto before = context_switches(thread);
    const auto start = Clock::now();
    int requests = 0;
    while (Clock::now() - start < 600ms) {
        request(cache, server);
        ++requests;
    }
    const auto seconds = std::chrono::duration<double>(Clock::now() - start).count();
    INFO(requests << " requests, " << context_switches(thread) - before << " wake-ups");
    CHECK(static_cast<double>(context_switches(thread) - before) < 80 * seconds + 5);
}

TEST_CASE("many lanes that are used now and then wake the thread no more often", "[cache]") {
    Origin server(respond_with(reply("x")), {.record_requests = false});
    const auto cache = make_cache();
    constexpr int lanes = 40;
    constexpr auto rest = 45ms;  // long enough to be watched when the next request comes
    int rounds = 0;
    std::uint64_t before = 0;
    for (; rounds < 12; ++rounds) {
        std::vector<Lease> lent;
        for (int i = 0; i < lanes; ++i) {
            lent.push_back(lend(cache, server));
            send_get(lent.back(), server.url());
        }
        for (auto& lease : lent) cache->release(std::move(lease), {});
        std::this_thread::sleep_for(rest);  // why: they have to come to rest
        REQUIRE(janitor_threads().size() == 1);
        if (rounds == 0) before = context_switches(janitor_threads().front());
    }
    const auto wakes = context_switches(janitor_threads().front()) - before;
    INFO(wakes << " wake-ups, " << lanes * (rounds - 1) << " requests");
    CHECK(cache->stats().opened == lanes);
    CHECK(wakes < 15 * static_cast<std::uint64_t>(rounds));
}

TEST_CASE("beside traffic that wakes the thread a connection that ends is closed soon", "[cache][C068]") {
    Origin server(respond_with(reply("x")), {.record_requests = false}), ending(respond_with(reply("x")));
    const auto cache = make_cache();
    std::atomic<bool> over = false;
    std::jthread traffic([&] {
        while (!over) {
            std::vector<Lease> lent;
            for (int i = 0; i < 10; ++i) lent.push_back(lend(cache, server));
            for (auto& lease : lent) cache->release(std::move(lease), {});
            std::this_thread::sleep_for(45ms);  // why: they have to come to rest
        }
    });
    auto best = Clock::duration::max();
    for (int attempt = 0; attempt < 5; ++attempt) {
        request(cache, ending);
        std::this_thread::sleep_for(60ms);  // why: it has to come to rest
        const auto closed = cache->stats().closed;
        const auto start = Clock::now();
        ending.close_all();
        CHECK(eventually([&] { return cache->stats().closed == closed + 1; }));
        best = std::min<Clock::duration>(best, Clock::now() - start);
    }
    over = true;
    CHECK(best < soon);
}

TEST_CASE("requests at the very moment of expiry never meet a closed connection", "[cache][C073]") {
    Origin server(respond_with(reply("x")), {.record_requests = false});
    const auto cache = make_cache({.idle_timeout = 5ms});
    for (int i = 0; i < 300; ++i) {
        REQUIRE(request(cache, server) == CloseReason::none);
        std::this_thread::sleep_for(5ms);  // why: the timeout itself has to pass
    }
    CHECK(cache->stats().closed_by[CloseReason::transfer_error] == 0);
}

TEST_CASE("eviction every few milliseconds never touches a lane that is lent", "[cache][C158]") {
    Origin server(respond_with(reply("x")), {.record_requests = false});
    const auto cache = make_cache();
    std::atomic<bool> over = false;
    std::jthread evictor([&] {
        while (!over) {
            cache->close_idle(1ns);
            std::this_thread::sleep_for(3ms);  // why: the timeout itself has to pass
        }
    });
    std::vector<std::jthread> threads;
    std::atomic<int> served = 0;
    for (int t = 0; t < 5; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) served += request(cache, server) == CloseReason::none;
        });
    }
    threads.clear();
    over = true;
    CHECK(served == 500);
}

TEST_CASE("without watching, idle lanes are checked when they are asked for", "[cache][C074]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.idle_timeout = 30ms, .watch_idle = false});
    {
        Lease a = lend(cache, server), b = lend(cache, server);
        cache->release(std::move(a), {});
        cache->release(std::move(b), {});
    }
    std::this_thread::sleep_for(40ms);  // why: the timeout itself has to pass
    CHECK(cache->stats().idle == 2);
    CHECK(request(cache, server) == CloseReason::none);
    CHECK(cache->stats().closed_by[CloseReason::expired] == 2);
    CHECK(server.accepts() == 3);
}

TEST_CASE("an expired lane's slot is used again", "[cache][C059]") {
    Origin server(respond_with(reply("x")));
    const bool watched = GENERATE(true, false);
    const auto cache = make_cache(
        {.max_connections = 1, .idle_timeout = 1ms, .acquire_timeout = Duration{}, .watch_idle = watched});
    request(cache, server);
    std::this_thread::sleep_for(20ms);  // why: the timeout itself has to pass
    CHECK(request(cache, server) == CloseReason::none);
    CHECK(server.accepts() == 2);
    CHECK(server.peak_open() == 1);
}

TEST_CASE("where no thread can be had the cache works without", "[cache]") {
    pthread_attr_t usual, greedy;
    REQUIRE(pthread_getattr_default_np(&usual) == 0);
    REQUIRE(pthread_getattr_default_np(&greedy) == 0);
    // For a thread's stack, and more than there are addresses.
    REQUIRE(pthread_attr_setstacksize(&greedy, std::size_t{1} << 48) == 0);
    check_without_thread([&] { REQUIRE(pthread_setattr_default_np(&greedy) == 0); },
                         [&] { REQUIRE(pthread_setattr_default_np(&usual) == 0); });
}

TEST_CASE("where no pipe can be had the cache works without a thread", "[cache]") {
#ifdef __SANITIZE_ADDRESS__
    SKIP("what looks at an exception's type wants a pipe itself");
#endif
    rlimit usual{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &usual) == 0);
    const auto limit = [&](rlim_t most) {
        const rlimit now{most, usual.rlim_max};
        REQUIRE(setrlimit(RLIMIT_NOFILE, &now) == 0);
    };
    check_without_thread(
        [&] {
            // Those there are stay below the limit, as the server's thread may just now ask poll() about
            // some, and that refuses to look at more than the limit.
            const int next = ::dup(STDIN_FILENO);
            REQUIRE(next > 2);
            ::close(next);
            limit(static_cast<rlim_t>(next));
        },
        [&] { limit(usual.rlim_cur); });
}

TEST_CASE("a server's goodbye over TLS is its end, not something it says", "[cache]") {
    const bool watched = GENERATE(true, false);
    const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    Gate leave;
    Origin server(
        [&](Connection& c) {
            if (!c.read_request()) return;
            c.write(reply("x"));
            if (c.wait_for(leave)) c.close(CloseNotify::send);
        },
        {.tls = true, .max_tls_version = version});
    const auto cache = make_cache({.watch_idle = watched});
    request_over_tls(cache, server);
    REQUIRE(cache->stats().idle == 1);
    leave.open();
    REQUIRE(server.wait_for_open(0));
    if (!watched) request_over_tls(cache, server);
    CHECK(eventually([&] { return cache->stats().closed_by[CloseReason::peer_closed] == 1; }));
    CHECK(cache->stats().closed == 1);
}

TEST_CASE("over TLS an alert alone is a goodbye, and anything longer is not", "[cache]") {
    const bool alert = GENERATE(true, false);
    Gate speak;
    Origin server(
        [&](Connection& c) {
            if (!c.read_request()) return;
            c.write(reply("x"));
            if (!c.wait_for(speak)) return;
            if (alert) c.write_raw(std::string("\x17\x03\x03\x00\x13", 5) + std::string(19, 'e'));
            if (!alert) c.write("HTTP/1.1 408 bye\r\n\r\n");
            c.wait_for_stop();
        },
        {.tls = true});
    const auto cache = make_cache();
    request_over_tls(cache, server);
    speak.open();
    const auto why = alert ? CloseReason::peer_closed : CloseReason::unsolicited_data;
    CHECK(eventually([&] { return cache->stats().closed_by[why] == 1; }));
    CHECK(cache->stats().closed == 1);
}

TEST_CASE("the thread does not spin while it may not watch so many descriptors", "[cache]") {
    Origin server(respond_with(reply("x")));
    const auto cache = make_cache({.max_idle = 200});
    std::vector<Lease> leases;
    for (int i = 0; i < 120; ++i) leases.push_back(lend(cache, server));
    Lease last = std::move(leases.back());
    leases.pop_back();
    for (auto& lease : leases) cache->release(std::move(lease), {});
    REQUIRE(eventually([&] { return janitor_threads().size() == 1; }));
    const auto thread = janitor_threads().front();
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit few = before;
    few.rlim_cur = 100;
    const auto used = run_time(thread);
    setrlimit(RLIMIT_NOFILE, &few);
    cache->release(std::move(last), {});  // wakes it
    std::this_thread::sleep_for(500ms);   // why: what it uses in that time is the finding
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(run_time(thread) - used < 100ms);
    // It tries again.
    server.close_all();
    CHECK(eventually([&] { return cache->stats().closed_by[CloseReason::peer_closed] == 120; }));
}
