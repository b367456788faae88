// How often libcurl is left to look for outdated names after a transfer.
#include "curl/api.hpp"
#include "support/origin.hpp"

#include <ringlet/ringlet.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <vector>

namespace {

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

std::vector<long> given;  // for how many seconds names are believed

CURLcode note_seconds(CURL* easy, CURLoption option, ...) {
    std::va_list values;
    va_start(values, option);
    void* const value = va_arg(values, void*);
    va_end(values);
    if (option == CURLOPT_DNS_CACHE_TIMEOUT)
        given.push_back(static_cast<long>(reinterpret_cast<std::intptr_t>(value)));
    return curl_easy_setopt(easy, option, value);
}

// While it lives, `given` grows. Nothing else may run meanwhile.
class Noting {
  public:
    Noting() : table_(detail::curl()) {
        given.clear();
        table_.easy_setopt = note_seconds;
        detail::ensure_curl();
        real_ = &detail::replace_curl_api(table_);
    }
    ~Noting() { detail::replace_curl_api(*real_); }
    Noting(const Noting&) = delete;
    Noting& operator=(const Noting&) = delete;

  private:
    detail::CurlApi table_;
    const detail::CurlApi* real_;
};

TEST_CASE("names are looked through once a second on a kept connection, and for each new one", "[transfer]") {
    std::atomic<bool> hangs_up{false};
    Origin server([&](Connection& c) {
        while (c.read_request()) {
            if (hangs_up.exchange(false)) return c.close();
            c.write(reply("x"));
        }
    });
    const Noting noting;
    const auto cache = ConnectionCache::builder().watch_idle(false).build();
    Session session{cache};
    CHECK(session.get(server.url()).text() == "x");
    CHECK(given == std::vector{60L});
    const auto until = Clock::now() + 5s;
    while (given.back() != -1 && Clock::now() < until) session.get(server.url()).text();
    REQUIRE(given.back() == -1);
    hangs_up = true;
    CHECK(session.get(server.url()).text() == "x");  // on another connection
    CHECK(server.accepts() == 2);
    CHECK(given.back() == 60);
}

TEST_CASE("names that are not believed for long are looked through after each request", "[transfer]") {
    Origin server(respond_with(reply("x")));
    const Noting noting;
    const auto cache = ConnectionCache::builder().watch_idle(false).dns_ttl(5s).build();
    Session session{cache};
    for (int i = 0; i < 5; ++i) CHECK(session.get(server.url()).text() == "x");
    CHECK(given == std::vector{5L});
    CHECK(server.accepts() == 1);
}

TEST_CASE("a program's own time for names stays", "[transfer]") {
    Origin server(respond_with(reply("x")));
    const Noting noting;
    const auto cache = ConnectionCache::builder().watch_idle(false).build();
    Session session{cache};
    session.setopt(CURLOPT_DNS_CACHE_TIMEOUT, 30L);
    for (int i = 0; i < 5; ++i) CHECK(session.get(server.url()).text() == "x");
    REQUIRE_FALSE(given.empty());
    CHECK(given.back() == 30);
    CHECK(std::find(given.begin(), given.end(), -1L) == given.end());
}

}  // namespace
