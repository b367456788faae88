// ringlet/curl.h: what one handle must not do to those that come after it, nor the cache to the program
// around it.
#include "compat/easy_handle.hpp"
#include "compat/inside.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "compat/program.hpp"
#include "curl/api.hpp"
#include "support/certificates.hpp"
#include "support/child.hpp"
#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

/// Sends the body of a GET of /late only when the next request is there, as one that is late would come.
void late_bodies(Connection& c) {
    std::string owed;
    while (const auto request = c.read_request()) {
        const bool late = request->target == "/late" && request->method != "HEAD";
        c.write(std::exchange(owed, late ? "late!" : "") +
                (late ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" : reply("mine")));
    }
}

TEST_CASE("a connection whose answer was not read to its end serves nobody else", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(late_bodies);
    EasyHandle check(origin.url("/late"));
    check.set(CURLOPT_NOBODY, 1L);
    check.set(CURLOPT_CUSTOMREQUEST, "GET");
    CHECK(check.perform() == CURLE_OK);
    check.cleanup();
    CHECK(cache.stats().open == 0);
    EasyHandle other(origin.url());
    CHECK(other.perform() == CURLE_OK);
    CHECK(other.body == "mine");
    CHECK(other.connects() == 1);
}

TEST_CASE("a HEAD, and a GET on a handle that made one, keep their connection", "[compat]") {
    emptied_cache();
    const Origin origin(handler([](const Recorded& r) {
        return r.method == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" : reply("whole");
    }));
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_NOBODY, 1L);
    CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_HTTPGET, 1L);
    easy.set(CURLOPT_CUSTOMREQUEST, "REPORT");
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.body == "whole");
    CHECK(easy.perform() == CURLE_OK);
    CHECK(origin.accepts() == 1);
}

TEST_CASE("an identity that no option shows is given to nobody else", "[compat]") {
    const auto cache = emptied_cache();
    const auto before = cache.stats().requests;
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_NEGOTIATE));
    easy.set(CURLOPT_USERPWD, ":");
    (void)easy.perform();  // whether there is a ticket is the machine's
    easy.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_ANY));
    (void)easy.perform();
    easy.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    easy.set(CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_NEGOTIATE));
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
    CHECK(cache.stats().requests == before + 3);
    EasyHandle other(origin.url());
    CHECK(other.perform() == CURLE_OK);
    CHECK(other.connects() == 1);
    easy.set(CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC));
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
    CHECK(cache.stats().requests == before + 5);
    easy.cleanup();
    other.cleanup();
    CHECK(cache.stats().open == 2);  // those that may be shared
    CHECK(origin.wait_for_open(2));
}

TEST_CASE("a name that is empty is one that Negotiate begins with", "[compat]") {
    const auto option = GENERATE(CURLOPT_USERNAME, CURLOPT_XOAUTH2_BEARER);
    const auto cache = emptied_cache();
    const auto before = cache.stats().requests;
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_NEGOTIATE));
    easy.set(option, "");
    (void)easy.perform();  // whether there is a ticket is the machine's
    CHECK(cache.stats().requests == before + 1);
    easy.set(option, static_cast<char*>(nullptr));
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
    CHECK(cache.stats().requests == before + 2);
    easy.cleanup();
    CHECK(cache.stats().open == 1);  // the one that may be shared
    CHECK(origin.wait_for_open(1));
}

TEST_CASE("what was offered Negotiate is given to nobody else", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(handler([](const Recorded& r) {
        if (r.target != "/negotiate" || r.header("Authorization")) return reply("x");
        return reply("who?", 401, "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=\"r\"\r\n");
    }));
    EasyHandle easy(origin.url("/negotiate"));
    easy.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_ANY));
    easy.set(CURLOPT_USERPWD, "user:secret");
    (void)easy.perform();
    CHECK(cache.stats().idle == 0);
    // From now on libcurl may begin with it on this handle.
    const auto before = cache.stats().requests;
    easy.set(CURLOPT_URL, origin.url().c_str());
    (void)easy.perform();
    CHECK(cache.stats().requests == before + 1);
    EasyHandle other(origin.url());
    other.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_ANY));
    other.set(CURLOPT_USERPWD, "user:secret");
    CHECK(other.perform() == CURLE_OK);
    CHECK(other.connects() == 1);
    easy.cleanup();
    other.cleanup();
    CHECK(cache.stats().open == 1);
    CHECK(origin.wait_for_open(1));
}

TEST_CASE("a handle that authenticates its connection by itself keeps it to itself", "[compat]") {
    const char* const field =
        GENERATE(as<const char*>{}, "Authorization: NTLM TlRMTVNTUAAB",
                 "authorization:Negotiate YII=", "Proxy-Authorization:  ntlm TlRMTVNTUAAB");
    const auto cache = emptied_cache();
    const auto before = cache.stats();
    const Origin origin(respond_with(reply("x")));
    curl_slist* const fields = curl_slist_append(nullptr, field);
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_HTTPHEADER, fields);
    CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    CHECK(cache.stats().requests - before.requests == 2);
    CHECK(cache.stats().opened - before.opened == 1);
    EasyHandle other(origin.url());
    CHECK(other.perform() == CURLE_OK);
    CHECK(other.connects() == 1);
    easy.cleanup();
    CHECK(origin.wait_for_open(1));
    curl_slist_free_all(fields);
}

TEST_CASE("a handle that authenticates its connection to a proxy by itself keeps it to itself", "[compat]") {
    const auto cache = emptied_cache();
    const auto before = cache.stats();
    const Origin proxy(respond_with(reply("x")));
    curl_slist* const fields = curl_slist_append(nullptr, "Proxy-Authorization: NTLM TlRMTVNTUAAB");
    EasyHandle easy("http://elsewhere.invalid/");
    easy.set(CURLOPT_PROXY, proxy.url().c_str());
    easy.set(CURLOPT_PROXYHEADER, fields);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(proxy.requests().at(0).header("Proxy-Authorization").has_value());
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    easy.set(CURLOPT_PROXYHEADER, static_cast<curl_slist*>(nullptr));
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);  // each list has connections of its own
    CHECK(cache.stats().requests - before.requests == 3);
    CHECK(cache.stats().opened - before.opened == 2);
    EasyHandle other("http://elsewhere.invalid/");
    other.set(CURLOPT_PROXY, proxy.url().c_str());
    CHECK(other.perform() == CURLE_OK);
    CHECK(other.connects() == 1);
    easy.cleanup();
    CHECK(proxy.wait_for_open(1));
    curl_slist_free_all(fields);
}

TEST_CASE("other credentials in the header fields share", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    curl_slist* const fields = curl_slist_append(nullptr, "Authorization: Basic dXNlcjpzZWNyZXQ=");
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_HTTPHEADER, fields);
    CHECK(easy.perform() == CURLE_OK);
    easy.cleanup();
    CHECK(cache.stats().idle == 1);
    curl_slist_free_all(fields);
}

/// What stands behind each number up to `end`; 0: nothing.
std::vector<ino_t> descriptors(int end) {
    std::vector<ino_t> found;
    for (int fd = 3; fd < end; ++fd) {
        struct stat status {};
        found.push_back(::fstat(fd, &status) == 0 ? status.st_ino : 0);
    }
    return found;
}

TEST_CASE("a daemon's descriptors are its own, whatever had their numbers before the fork",
          "[compat][fork]") {
    skip_where_a_child_has_no_threads();
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    CHECK(easy.perform() == CURLE_OK);
    easy.cleanup();
    REQUIRE(cache.stats().idle == 1);
    const auto url = origin.url();
    CHECK(in_child([&] {
              constexpr int numbers = 64;
              for (int fd = 3; fd < numbers; ++fd) ::close(fd);
              const int first = ::open("/dev/null", O_RDONLY);
              for (int fd = first; fd < numbers; fd += 2) ::dup2(first, fd);
              for (int fd = first + 1; fd < numbers; fd += 2) {  // sockets too
                  int pair[2];
                  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
                  if (pair[0] != fd) ::dup2(pair[0], fd);
                  if (pair[0] >= numbers) ::close(pair[0]);
                  ::close(pair[1]);
              }
              const auto mine = descriptors(numbers);
              EasyHandle again(url);
              if (again.perform() != CURLE_OK || again.body != "x") return 2;
              again.cleanup();
              return descriptors(numbers) == mine ? 0 : 3;
          }) == 0);
    // The parent's connection is still good.
    EasyHandle after(url);
    CHECK(after.perform() == CURLE_OK);
    CHECK(after.connects() == 0);
}

TEST_CASE("callbacks see the verify result of a kept connection too", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")), {.tls = true});
    struct Seen {
        CURL* easy;
        std::vector<long> results;
    };
    for (int i = 0; i < 2; ++i) {
        EasyHandle easy(origin.url());
        Seen seen{easy.get(), {}};
        easy.set(CURLOPT_SSL_VERIFYPEER, 0L);
        easy.set(CURLOPT_HEADERDATA, &seen);
        easy.set(
            CURLOPT_HEADERFUNCTION, +[](char*, std::size_t size, std::size_t n, void* p) {
                auto& s = *static_cast<Seen*>(p);
                long result = -1;
                curl_easy_getinfo(s.easy, CURLINFO_SSL_VERIFYRESULT, &result);
                s.results.push_back(result);
                return size * n;
            });
        CHECK(easy.perform() == CURLE_OK);
        CHECK(easy.connects() == (i == 0 ? 1 : 0));
        REQUIRE_FALSE(seen.results.empty());
        for (const long result : seen.results) CHECK(result > 0);
    }
}

TEST_CASE("a redirect to an origin with another verify result does not lend its own", "[compat]") {
    emptied_cache();
    const Origin there(respond_with(reply("there")), {.tls = true});
    OriginOptions unsigned_one;
    unsigned_one.tls = true;
    unsigned_one.certificate = self_signed();
    const Origin here(handler([&](const Recorded& r) {
                          return r.target == "/away" ? reply("", 302, "Location: " + there.url("/") + "\r\n")
                                                     : reply("here");
                      }),
                      unsigned_one);
    const auto verify_result = [&](const std::string& url) {
        EasyHandle easy(url);
        easy.set(CURLOPT_SSL_VERIFYPEER, 0L);
        easy.set(CURLOPT_FOLLOWLOCATION, 1L);
        CHECK(easy.perform() == CURLE_OK);
        return easy.info<long>(CURLINFO_SSL_VERIFYRESULT);
    };
    const auto of_here = verify_result(here.url("/"));
    const auto of_there = verify_result(there.url("/"));
    emptied_cache();
    CHECK(verify_result(here.url("/away")) == of_there);
    CHECK(verify_result(here.url("/")) == of_here);
    CHECK(verify_result(there.url("/")) == of_there);
}

TEST_CASE("a redirect's second connection closes none in the statistics", "[compat]") {
    const auto cache = emptied_cache();
    const auto before = cache.stats();
    const Origin there(respond_with(reply("there")));
    const Origin here(respond_with(reply("", 302, "Location: " + there.url("/") + "\r\n")));
    EasyHandle easy(here.url());
    easy.set(CURLOPT_FOLLOWLOCATION, 1L);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.body == "there");
    easy.cleanup();
    const auto after = cache.stats();
    CHECK(after.opened - before.opened == 1);
    CHECK(after.closed == before.closed);
    CHECK(after.idle == 1);
}

TEST_CASE("DEFAULT_PROTOCOL counts where only the query has a scheme", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")), {.tls = true});
    EasyHandle easy(origin.url("/?u=http://elsewhere/").substr(sizeof "https://" - 1));
    easy.set(CURLOPT_DEFAULT_PROTOCOL, "https");
    easy.set(CURLOPT_SSL_VERIFYPEER, 0L);
    CHECK(easy.perform() == CURLE_OK);
    easy.cleanup();
    const auto connections = cache.connections();
    REQUIRE(connections.size() == 1);
    CHECK(connections[0].origin + "/" == origin.url());
}

TEST_CASE("a duplicate has its original's error buffer, and not its share object", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin([](Connection& c) {  // swallows the second request of a connection
        if (!c.read_request()) return;
        c.write(reply("first"));
        c.read_request();
        c.close();
    });
    CURLSH* const share = curl_share_init();
    CHECK(curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) == CURLSHE_OK);
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_SHARE, share);
    easy.set(CURLOPT_POSTFIELDS, "once");
    CURL* const copy = curl_easy_duphandle(easy.get());
    const auto before = cache.stats().requests;
    CHECK(curl_easy_perform(copy) == CURLE_OK);
    CHECK(curl_easy_perform(copy) == CURLE_GOT_NOTHING);
    CHECK(cache.stats().requests == before + 2);
    CHECK(std::string(easy.error).find("not sent again") != std::string::npos);
    curl_easy_cleanup(copy);
    easy.cleanup();
    CHECK(curl_share_cleanup(share) == CURLSHE_OK);
}

TEST_CASE("a transfer that was left by longjmp is cleaned up with its handle", "[compat]") {
    const bool kept = GENERATE(false, true);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    if (kept) {
        EasyHandle first(origin.url());
        CHECK(first.perform() == CURLE_OK);
    }
    CURL* const easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, origin.url().c_str());
    CHECK(perform_and_jump_out(easy));
    curl_easy_cleanup(easy);
    CHECK(cache.stats().leased == 0);
    CHECK(cache.stats().open == 0);
    CHECK(origin.wait_for_open(0));
    EasyHandle other(origin.url());
    CHECK(other.perform() == CURLE_OK);
    CHECK(other.body == "x");
}

/// The last value of CURLOPT_MAXAGE_CONN that libcurl was given; -1: none.
long max_age = -1;
CURLcode (*setopt_of_libcurl)(CURL*, CURLoption, ...) = nullptr;

CURLcode note_max_age(CURL* easy, CURLoption option, ...) {
    std::va_list values;
    va_start(values, option);
    void* const value = va_arg(values, void*);
    va_end(values);
    if (option == CURLOPT_MAXAGE_CONN) max_age = static_cast<long>(reinterpret_cast<std::intptr_t>(value));
    return setopt_of_libcurl(easy, option, value);
}

// Run by the next one, with a cache that keeps connections for longer than libcurl would.
TEST_CASE("MAXAGE_CONN that a callback set stays set", "[.long_idle]") {
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_WRITEDATA, easy.get());
    easy.set(
        CURLOPT_WRITEFUNCTION, +[](char*, std::size_t size, std::size_t n, void* handle) {
            curl_easy_setopt(static_cast<CURL*>(handle), CURLOPT_MAXAGE_CONN, 7L);
            return size * n;
        });
    static auto noting = detail::curl();  // ringlet's thread may use it to the end
    setopt_of_libcurl = std::exchange(noting.easy_setopt, note_max_age);
    const auto& real = detail::replace_curl_api(noting);
    CHECK(easy.perform() == CURLE_OK);
    detail::replace_curl_api(real);
    CHECK(easy.connects() == 0);
    CHECK(max_age == 7);
}

TEST_CASE("a cache that keeps connections for long leaves the program's own limit alone", "[compat]") {
    const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    const auto ran = run("RINGLET_IDLE_TIMEOUT=300 '" + self + "' '[long_idle]'");
    INFO(ran.output);
    CHECK(ran.exit_code == 0);
}

TEST_CASE("a transfer can be left by an exception", "[compat]") {
    const bool kept = GENERATE(false, true);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    if (kept) {
        EasyHandle first(origin.url());
        CHECK(first.perform() == CURLE_OK);
    }
    EasyHandle easy(origin.url());
    easy.set(
        CURLOPT_WRITEFUNCTION,
        +[](char*, std::size_t, std::size_t, void*) -> std::size_t { throw std::runtime_error("enough"); });
    CHECK_THROWS_WITH(easy.perform(), "enough");
    int cancellation = PTHREAD_CANCEL_DISABLE;
    CHECK(::pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancellation) == 0);
    CHECK(cancellation == PTHREAD_CANCEL_ENABLE);
    easy.cleanup();
    CHECK(cache.stats().leased == 0);
    CHECK(cache.stats().open == 0);
    CHECK(origin.wait_for_open(0));
    EasyHandle other(origin.url());
    CHECK(other.perform() == CURLE_OK);
    CHECK(other.body == "x");
}

}  // namespace
