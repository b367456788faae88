// From libcurl 8.21 on a handle and the connection it used last share objects without locks: its lane stays
// with it.
#include "compat/parked.hpp"

#include <pthread.h>
#include <unistd.h>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "compat/easy_handle.hpp"
#include "compat/free_lock.hpp"
#include "compat/handle_traffic.h"
#include "compat/program.hpp"
#include "support/child.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("a parked lane serves its handle again, and nobody else before that is gone", "[compat][parking]") {
    const Parking parking(true);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle first(origin.url());
    CHECK(first.perform() == CURLE_OK);
    CHECK(cache.stats().leased == 1);
    EasyHandle second(origin.url());
    CHECK(second.perform() == CURLE_OK);
    CHECK(second.connects() == 1);
    CHECK(first.perform() == CURLE_OK);
    CHECK(first.connects() == 0);
    first.cleanup();
    CHECK(cache.stats().idle == 1);
    EasyHandle third(origin.url());
    CHECK(third.perform() == CURLE_OK);
    CHECK(third.connects() == 0);
    CHECK(origin.accepts() == 2);
}

TEST_CASE("each transfer on a parked lane counts, and asks whether it may have it still",
          "[compat][parking]") {
    const Parking parking(true);
    auto cache = emptied_cache();
    const auto before = cache.stats();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    for (int i = 0; i < 10; ++i) CHECK(easy.perform() == CURLE_OK);
    const auto after = cache.stats();
    CHECK(after.requests - before.requests == 10);
    CHECK(after.reused - before.reused == 9);
    cache.close_idle();  // leased ones too, once they are given back
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
    CHECK(cache.stats().leased == 1);
    CHECK(origin.accepts() == 2);
}

TEST_CASE("a handle that goes to another origin gives its parked lane back", "[compat][parking]") {
    const Parking parking(true);
    const auto cache = emptied_cache();
    const Origin here(respond_with(reply("here")));
    const Origin there(respond_with(reply("there")));
    EasyHandle easy(here.url());
    CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_URL, there.url().c_str());
    CHECK(easy.perform() == CURLE_OK);
    CHECK(cache.stats().leased == 1);
    CHECK(cache.stats().idle == 1);
    easy.set(CURLOPT_URL, here.url().c_str());
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    easy.cleanup();
    CHECK(cache.stats().leased == 0);
    CHECK(cache.stats().idle == 2);
}

TEST_CASE("a parked connection that died is replaced without an error", "[compat][parking]") {
    const Parking parking(true);
    emptied_cache();
    Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    CHECK(easy.perform() == CURLE_OK);
    origin.close_all();
    CHECK(origin.wait_for_open(0));
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
}

// Run by the next one, with one connection in all.
TEST_CASE("a handle that is in use all the time lets others have their turn", "[.limited]") {
    const Parking parking(true);
    const Origin origin(respond_with(reply("x")));
    std::atomic<bool> over = false;
    std::atomic<int> failures = 0;
    std::jthread busy([&] {
        EasyHandle easy(origin.url());
        while (!over) failures += easy.perform() != CURLE_OK;
    });
    REQUIRE(origin.wait_for_requests(10));
    for (int i = 0; i < 5; ++i) {
        EasyHandle other(origin.url());
        CHECK(other.perform() == CURLE_OK);
    }
    over = true;
    busy.join();
    CHECK(failures == 0);
    CHECK(origin.peak_open() == 1);
}

TEST_CASE("a lane that is parked while somebody waits already is closed for them", "[.limited]") {
    const Parking parking(true);
    const auto cache = emptied_cache();
    Gate gate;
    const Origin origin([&](Connection& c) {
        while (c.read_request() && c.wait_for(gate)) c.write(reply("x"));
    });
    std::atomic<CURLcode> first = CURL_LAST, second = CURL_LAST;
    EasyHandle easy(origin.url());
    std::jthread riding([&] { first = easy.perform(); });
    REQUIRE(origin.wait_for_requests(1));
    const auto before = cache.stats();
    std::jthread waiting([&] {
        EasyHandle other(origin.url());
        second = other.perform();
    });
    CHECK(eventually([&] { return cache.stats().waiting == 1; }));
    gate.open();
    riding.join();
    waiting.join();
    CHECK(first == CURLE_OK);
    CHECK(second == CURLE_OK);
    CHECK(cache.stats().waits == before.waits + 1);
    CHECK(cache.stats().closed_by[CloseReason::over_limit] == before.closed_by[CloseReason::over_limit] + 1);
}

TEST_CASE("a session that waits is given the place of a parked lane", "[.limited]") {
    const Parking parking(true);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x"))), elsewhere(respond_with(reply("y")));
    EasyHandle easy(origin.url());
    CHECK(easy.perform() == CURLE_OK);
    Session session(cache);
    CHECK(session.get(elsewhere.url()).text() == "y");
}

TEST_CASE("who waits in vain beside parked lanes has waited once", "[.limited]") {
    const Parking parking(true);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    Session session(cache);
    const auto unread = session.get(origin.url());
    const auto before = cache.stats();
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_TIMEOUT_MS, 300L);
    CHECK(easy.perform() == CURLE_OPERATION_TIMEDOUT);
    CHECK(cache.stats().waits == before.waits + 1);
    CHECK(cache.stats().requests == before.requests);
}

void* perform_on_thread(void* easy) {
    curl_easy_perform(easy);
    return nullptr;
}

/// A transfer that waits for an answer, ended by pthread_cancel().
void cancel_transfer(EasyHandle& easy, Origin& origin, std::size_t requests) {
    easy.set(CURLOPT_TIMEOUT_MS, 0L);
    pthread_t thread{};
    REQUIRE(::pthread_create(&thread, nullptr, perform_on_thread, easy.get()) == 0);
    CHECK(origin.wait_for_requests(requests));
    CHECK(::pthread_cancel(thread) == 0);
    void* result = nullptr;
    CHECK(::pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
}

struct LeftBehind {
    bool descriptors = false;
    int closes = 0;  // calls of the program's function
};

/// By three transfers that are cancelled, one after the other.
LeftBehind cancel_three(bool pooled, bool tied) {
    Origin origin([](Connection& c) {
        while (c.read_request()) {  // no answer, until the other end has gone
        }
    });
    LeftBehind left;
    std::size_t before = 0;
    for (std::size_t i = 1; i <= 3; ++i) {
        EasyHandle easy(origin.url());
        ringlet_easy_pool(easy.get(), pooled ? 1 : 0);
        if (tied) {
            easy.set(CURLOPT_CLOSESOCKETDATA, &left.closes);
            easy.set(
                CURLOPT_CLOSESOCKETFUNCTION,
                +[](void* count, curl_socket_t fd) { return ++*static_cast<int*>(count), ::close(fd); });
        }
        cancel_transfer(easy, origin, i);
        easy.cleanup();
        if (pooled) CHECK(origin.wait_for_open(0));
        if (i == 1) before = open_descriptors();  // with what the origin has made for itself
    }
    left.descriptors = !eventually([&] { return open_descriptors() <= before; }, 1s);
    return left;
}

TEST_CASE("a thread can be cancelled in the middle of a transfer", "[compat][parking]") {
    const Parking parking(GENERATE(false, true));
    const bool tied = GENERATE(false, true);
    CAPTURE(tied);
    const auto cache = emptied_cache();
    const auto plain = cancel_three(false, tied);
    const auto pooled = cancel_three(true, tied);
    CHECK(cache.stats().leased == 0);
    CHECK(cache.stats().open == 0);
    CHECK(pooled.closes == plain.closes);
    CHECK((!pooled.descriptors || plain.descriptors));  // libcurl 8.23 loses some by itself
}

TEST_CASE("under a limit nobody waits for ever for a lane that is parked", "[compat][parking]") {
    const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    const auto ran = run("RINGLET_MAX_CONNECTIONS=1 '" + self + "' '[limited]'");
    INFO(ran.output);
    CHECK(ran.exit_code == 0);
}

// Run by the next one, with one connection in all.
TEST_CASE("a process forks while parked lanes give way", "[.limited-fork]") {
    skip_where_fork_clashes_with_threads();
    const Origin origin(respond_with(reply("x")));
    const EasyHandle first(origin.url());  // the handles' table is older than the cache
    const Parking parking(true);
    std::atomic<bool> over = false;
    std::atomic<int> served = 0, failures = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                EasyHandle easy(origin.url());
                while (!over) ++(easy.perform() == CURLE_OK ? served : failures);
            });
        }
        int ended = 0;
        for (int i = 0; i < 300; ++i) {
            const auto child = ::fork();
            if (child == 0) ::_exit(0);
            ended += exit_code_of(child) == 0;
        }
        CHECK(ended == 300);
        CHECK(eventually([&, before = served.load()] { return served > before; }));
        over = true;
    }
    CHECK(failures == 0);
}

TEST_CASE("a child takes over a lock that a thread of its parent had", "[compat][parking][fork]") {
    detail::FreeLock lock;
    std::jthread([&] { lock.lock(); }).join();
    CHECK(in_child([&] {
              const bool open = lock.try_lock();
              lock.lock();
              return !open && !lock.try_lock();
          }) == 0);
    CHECK_FALSE(lock.try_lock());
    lock.unlock();
    CHECK(lock.try_lock());
}

TEST_CASE("a fork and a parked lane that gives way do not wait for each other", "[compat][parking][fork]") {
    skip_where_fork_clashes_with_threads();
    const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    const auto ran = run("RINGLET_MAX_CONNECTIONS=1 timeout 60 '" + self + "' '[limited-fork]'");
    INFO(ran.output);
    CHECK(ran.exit_code == 0);
}

TEST_CASE("handles that wander between threads use shared lanes without a failure", "[compat][parking]") {
    const Origin origin(respond_with(reply("x")));
    for (const bool on : {false, true}) {
        const Parking parking(on);
        const auto cache = emptied_cache();
        CHECK(run_handle_traffic(origin.url().c_str(), 40) == 0);
        CHECK(cache.stats().leased == 0);
    }
    CHECK(origin.accepts() < 100);
}

}  // namespace
