// ringlet/curl.h: handles whose connections are their own have lanes of their own, which count and end with
// them.
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "compat/easy_handle.hpp"
#include "compat/easy_table.hpp"
#include "compat/parked.hpp"
#include "compat/private_lanes.hpp"
#include "compat/program.hpp"
#include "support/certificates.hpp"
#include "support/child.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"
#include "unit/cache/driver.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

int leave_socket(void*, curl_socket_t, curlsocktype) {
    return CURL_SOCKOPT_OK;
}
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
    return ::socket(address->family, address->socktype, address->protocol);
}
int close_socket(void*, curl_socket_t fd) {
    return ::close(fd);
}
int start_resolver(void*, void*, void*) {
    return 0;
}
CURLcode leave_tls(CURL*, void*, void*) {
    return CURLE_OK;
}
CURLSTScode no_entry(CURL*, curl_hstsentry*, void*) {
    return CURLSTS_DONE;
}

struct PrivateOption {
    const char* name;
    void (*set)(EasyHandle& easy);
    bool tied = false;  // its lanes are closed by whoever uses the handle
};

std::vector<PrivateOption> private_options() {
    return {
        {"SOCKOPTFUNCTION", [](EasyHandle& e) { e.set(CURLOPT_SOCKOPTFUNCTION, &leave_socket); }},
        {"OPENSOCKETFUNCTION", [](EasyHandle& e) { e.set(CURLOPT_OPENSOCKETFUNCTION, &open_socket); }},
        {"CLOSESOCKETFUNCTION", [](EasyHandle& e) { e.set(CURLOPT_CLOSESOCKETFUNCTION, &close_socket); },
         true},
        {"SSL_CTX_FUNCTION", [](EasyHandle& e) { e.set(CURLOPT_SSL_CTX_FUNCTION, &leave_tls); }, true},
        {"RESOLVER_START_FUNCTION",
         [](EasyHandle& e) { e.set(CURLOPT_RESOLVER_START_FUNCTION, &start_resolver); }},
        {"CERTINFO", [](EasyHandle& e) { e.set(CURLOPT_CERTINFO, 1L); }},
        {"ALTSVC_CTRL", [](EasyHandle& e) { e.set(CURLOPT_ALTSVC_CTRL, static_cast<long>(CURLALTSVC_H1)); }},
        {"HSTS_CTRL", [](EasyHandle& e) { e.set(CURLOPT_HSTS_CTRL, static_cast<long>(CURLHSTS_ENABLE)); }},
        {"HSTSREADFUNCTION", [](EasyHandle& e) { e.set(CURLOPT_HSTSREADFUNCTION, &no_entry); }},
        {"Negotiate with the proxy",
         [](EasyHandle& e) { e.set(CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_NEGOTIATE)); }},
        {"any scheme with .netrc",
         [](EasyHandle& e) {
             e.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_ANY));
             e.set(CURLOPT_NETRC_FILE, "/dev/null");
             e.set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
         }},
    };
}

void perform_twice(EasyHandle& easy) {
    for (const long connects : {1, 0}) {
        CHECK(easy.perform() == CURLE_OK);
        CHECK(easy.body == "x");
        CHECK(easy.connects() == connects);
    }
}

TEST_CASE("a private option gives each handle a counted connection that ends with it", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const bool tls = GENERATE(false, true);
    const auto option = GENERATE(from_range(private_options()));
    CAPTURE(option.name, tls);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")), {.tls = tls});
    const auto before = cache.stats();
    EasyHandle one(origin.url()), other(origin.url()), plain(origin.url());
    for (auto* easy : {&one, &other, &plain}) easy->set(CURLOPT_SSL_VERIFYPEER, 0L);
    option.set(one);
    option.set(other);
    perform_twice(one);
    perform_twice(other);
    CHECK(plain.perform() == CURLE_OK);
    CHECK(plain.connects() == 1);
    plain.cleanup();
    CHECK(origin.accepts() == 3);

    const auto now = cache.stats();
    CHECK(now.requests - before.requests == 5);
    CHECK(now.opened - before.opened == 3);
    CHECK(now.reused - before.reused == 2);
    CHECK(now.open == 3);
    CHECK(now.leased == (option.tied || detail::lanes_are_parked() ? 2 : 0));
    const auto connections = cache.connections();
    CHECK(connections.size() == 3);
    for (const auto& connection : connections) CHECK(connection.origin + "/" == origin.url());

    one.cleanup();
    CHECK(origin.wait_for_open(2));
    CHECK(cache.stats().open == 2);
    other.cleanup();
    CHECK(origin.wait_for_open(1));
    const auto after = cache.stats();
    CHECK(after.open == 1);
    CHECK(after.idle == 1);
    CHECK(after.leased == 0);
    CHECK(after.closed_by[CloseReason::evicted] - before.closed_by[CloseReason::evicted] == 2);
}

TEST_CASE("a handle's private connections of all origins end with it", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const bool tied = GENERATE(false, true);
    const auto cache = emptied_cache();
    const Origin here(respond_with(reply("x"))), there(respond_with(reply("x")));
    EasyHandle easy(here.url());
    if (tied) {
        easy.set(CURLOPT_CLOSESOCKETFUNCTION, &close_socket);
    } else {
        easy.set(CURLOPT_SOCKOPTFUNCTION, &leave_socket);
    }
    for (int i = 0; i < 3; ++i) {
        for (const auto* origin : {&here, &there}) {
            easy.set(CURLOPT_URL, origin->url().c_str());
            CHECK(easy.perform() == CURLE_OK);
            CHECK(easy.connects() == (i == 0 ? 1 : 0));
        }
    }
    CHECK(cache.stats().open == 2);
    easy.cleanup();
    CHECK(cache.stats().open == 0);
    CHECK(here.wait_for_open(0));
    CHECK(there.wait_for_open(0));
}

// libcurl resumes a TLS session that a function of the program's made possible without that function, and
// looks at no certificate then: a connection that came of it is nobody else's.
TEST_CASE("a handle that had a TLS context of its own stays private", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const bool reset = GENERATE(false, true);
    const auto cache = emptied_cache();
    OriginOptions options;
    options.tls = true;
    const Origin origin(respond_with(reply("x")), options);
    EasyHandle easy(origin.url()), other(origin.url());
    other.set(CURLOPT_SSL_VERIFYPEER, 0L);
    easy.set(CURLOPT_SSL_VERIFYPEER, 0L);
    easy.set(CURLOPT_SSL_CTX_FUNCTION, &leave_tls);
    CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_SSL_CTX_FUNCTION, curl_ssl_ctx_callback{nullptr});
    if (reset) {
        curl_easy_reset(easy.get());
        easy.set(CURLOPT_URL, origin.url().c_str());
        easy.set(CURLOPT_SSL_VERIFYPEER, 0L);
    }
    CHECK(easy.perform() == CURLE_OK);
    easy.cleanup();
    CHECK(cache.stats().open == 0);
    CHECK(other.perform() == CURLE_OK);
    CHECK(other.connects() == 1);
}

// close() is where a cancelled thread ends; a private connection is closed on the handle's own.
TEST_CASE("a thread that is being cancelled can clean its handles up", "[compat][private]") {
    const bool tied = GENERATE(false, true);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    if (tied) {
        easy.set(CURLOPT_CLOSESOCKETFUNCTION, &close_socket);
    } else {
        easy.set(CURLOPT_CERTINFO, 1L);
    }
    CHECK(easy.perform() == CURLE_OK);
    const auto clean_up = [](void* handle) -> void* {
        pthread_cancel(pthread_self());
        static_cast<EasyHandle*>(handle)->cleanup();
        pthread_testcancel();
        return nullptr;
    };
    pthread_t thread;
    REQUIRE(pthread_create(&thread, nullptr, clean_up, &easy) == 0);
    void* result = nullptr;
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK(origin.wait_for_open(0));
    CHECK(cache.stats().open == 0);
}

int closed_by_program = 0;

int count_close(void*, curl_socket_t fd) {
    ++closed_by_program;
    return ::close(fd);
}

// By code that was compiled without ringlet/curl.h, and another handle has its address.
TEST_CASE("what a handle that ended unseen had kept is closed without its function", "[compat][private]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_CLOSESOCKETFUNCTION, &count_close);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(cache.stats().leased == 1);
    closed_by_program = 0;
    REQUIRE(detail::EasyTable::instance().add(easy.get()) != nullptr);
    CHECK(closed_by_program == 0);
    CHECK(cache.stats().open == 0);
    CHECK(origin.wait_for_open(0));
}

TEST_CASE("private connections are closed from outside as others are", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const auto option = GENERATE(from_range(private_options()));
    CAPTURE(option.name);
    auto cache = emptied_cache();
    Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    option.set(easy);
    perform_twice(easy);
    cache.close_idle();  // leased ones too, when they are asked for
    perform_twice(easy);
    CHECK(origin.accepts() == 2);
    CHECK(origin.wait_for_open(1));
    origin.close_all();
    CHECK(origin.wait_for_open(0));
    perform_twice(easy);
    CHECK(origin.accepts() == 3);
}

TEST_CASE("a handle that becomes private in the middle takes no shared connection along",
          "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const bool for_good = GENERATE(true, false);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle first(origin.url());
    CHECK(first.perform() == CURLE_OK);
    first.cleanup();
    EasyHandle easy(origin.url());
    struct Change {
        CURL* easy;
        bool for_good;
    } change{easy.get(), for_good};
    easy.set(CURLOPT_WRITEDATA, &change);
    easy.set(
        CURLOPT_WRITEFUNCTION, +[](char*, std::size_t size, std::size_t n, void* p) {
            const auto& c = *static_cast<Change*>(p);
            curl_easy_setopt(c.easy, CURLOPT_SOCKOPTFUNCTION, &leave_socket);
            if (!c.for_good)
                curl_easy_setopt(c.easy, CURLOPT_SOCKOPTFUNCTION, curl_sockopt_callback{nullptr});
            return size * n;
        });
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    CHECK(cache.stats().open == 0);
    CHECK(origin.wait_for_open(0));
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == (for_good ? 0 : 1));
    CHECK(cache.stats().open == (for_good ? 1 : 0));
}

TEST_CASE("a duplicate of a private handle has a lane of its own; reset keeps the connection until cleanup",
          "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const auto option = GENERATE(from_range(private_options()));
    CAPTURE(option.name);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    option.set(easy);
    perform_twice(easy);
    EasyHandle copy(curl_easy_duphandle(easy.get()));
    perform_twice(copy);
    CHECK(origin.accepts() == 2);
    copy.cleanup();
    CHECK(origin.wait_for_open(1));
    curl_easy_reset(easy.get());
    CHECK(cache.stats().open == 1);
    CHECK(origin.open_connections() == 1);
    easy.cleanup();
    CHECK(cache.stats().open == 0);
    CHECK(origin.wait_for_open(0));
}

TEST_CASE("a private handle keeps as many connections that only it may close as libcurl would",
          "[compat][private]") {
    const auto cache = emptied_cache();
    std::vector<std::unique_ptr<Origin>> origins;
    for (int i = 0; i < 6; ++i) origins.push_back(std::make_unique<Origin>(respond_with(reply("x"))));
    EasyHandle easy(origins[0]->url());
    easy.set(CURLOPT_CLOSESOCKETFUNCTION, &close_socket);
    for (const auto& origin : origins) {
        easy.set(CURLOPT_URL, origin->url().c_str());
        CHECK(easy.perform() == CURLE_OK);
    }
    CHECK(cache.stats().leased == 5);
    CHECK(origins[0]->wait_for_open(0));
    for (std::size_t i = 1; i < origins.size(); ++i) {
        easy.set(CURLOPT_URL, origins[i]->url().c_str());
        CHECK(easy.perform() == CURLE_OK);
        CHECK(easy.connects() == 0);
    }
    easy.cleanup();
    for (const auto& origin : origins) CHECK(origin->wait_for_open(0));
}

TEST_CASE("FRESH_CONNECT and FORBID_REUSE are heeded on private lanes", "[compat][private]") {
    const auto option = GENERATE(from_range(private_options()));
    CAPTURE(option.name);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    option.set(easy);
    perform_twice(easy);
    easy.set(CURLOPT_FRESH_CONNECT, 1L);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
    CHECK(cache.stats().open == 2);
    easy.set(CURLOPT_FRESH_CONNECT, 0L);
    easy.set(CURLOPT_FORBID_REUSE, 1L);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    CHECK(cache.stats().open == 1);
    CHECK(origin.wait_for_open(1));
    CHECK(origin.accepts() == 2);
    easy.cleanup();
    CHECK(origin.wait_for_open(0));
}

// Run by the next one, with one connection in all.
TEST_CASE("a private connection counts against the limit, and gives way", "[.limited_private]") {
    const Parking parking(GENERATE(false, true));
    const auto option = GENERATE(from_range(private_options()));
    CAPTURE(option.name);
    const auto cache = emptied_cache();
    const auto before = cache.stats();
    const Origin origin(respond_with(reply("x"))), elsewhere(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    option.set(easy);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(cache.stats().open == (option.tied ? 0 : 1));
    EasyHandle other(elsewhere.url());
    CHECK(other.perform() == CURLE_OK);
    CHECK(cache.stats().open == 1);
    CHECK(origin.wait_for_open(0));
    CHECK(cache.stats().closed_by[CloseReason::over_limit] == before.closed_by[CloseReason::over_limit] + 1);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
    CHECK(elsewhere.wait_for_open(0));
}

TEST_CASE("limits count private connections", "[compat][private]") {
    const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    const auto ran = run("RINGLET_MAX_CONNECTIONS=1 '" + self + "' '[limited_private]'");
    INFO(ran.output);
    CHECK(ran.exit_code == 0);
}

// Run by the next one, with a cache that lends no connection twice.
TEST_CASE("a private connection is used once", "[.used_once]") {
    const auto option = GENERATE(from_range(private_options()));
    CAPTURE(option.name);
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    option.set(easy);
    for (int i = 0; i < 2; ++i) {
        CHECK(easy.perform() == CURLE_OK);
        CHECK(easy.connects() == 1);
    }
}

TEST_CASE("what ends connections ends private ones too", "[compat][private]") {
    const auto variable =
        GENERATE(as<std::string>{}, "RINGLET_MAX_IDLE=0", "RINGLET_MAX_REQUESTS_PER_CONNECTION=1");
    const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    const auto ran = run(variable + " '" + self + "' '[used_once]'");
    INFO(variable << '\n' << ran.output);
    CHECK(ran.exit_code == 0);
}

TEST_CASE("a lane that a handle keeps is no longer good when it would have expired", "[compat][private]") {
    const bool expired = GENERATE(false, true);
    const Origin origin(respond_with(reply("x")));
    detail::CacheSettings settings;
    if (expired) settings.idle_timeout = 1ns;
    const auto cache = detail::Cache::create(std::move(settings));
    detail::PrivateLanes lanes;
    lanes.keep(lend(cache, origin));
    const auto lease = lanes.take_kept(key_of(origin));
    CHECK(static_cast<bool>(lease) == !expired);
    CHECK(cache->stats().closed_by[CloseReason::expired] == 0);
    lanes.close_unfit();
    CHECK(cache->stats().closed_by[CloseReason::expired] == (expired ? 1 : 0));
    CHECK(origin.wait_for_open(expired ? 0 : 1));
}

TEST_CASE("a child has no use for its parent's private connections, and leaves them alone",
          "[compat][private][fork]") {
    skip_where_a_child_has_no_threads();
    const auto option = GENERATE(from_range(private_options()));
    CAPTURE(option.name);
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    option.set(easy);
    perform_twice(easy);
    CHECK(in_child([&] {
              if (easy.perform() != CURLE_OK || easy.body != "x" || easy.connects() != 1) return 1;
              if (easy.perform() != CURLE_OK || easy.connects() != 0) return 2;
              easy.cleanup();
              return ConnectionCache::process_wide().stats().open == 0 ? 0 : 3;
          }) == 0);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    CHECK(origin.accepts() == 2);
    easy.cleanup();
    CHECK(origin.wait_for_open(0));
}

CURLSTScode localhost_is_secure(CURL*, curl_hstsentry* entry, void* told) {
    auto& done = *static_cast<bool*>(told);
    if (done) return CURLSTS_DONE;
    done = true;
    std::string("localhost").copy(entry->name, entry->namelen);
    entry->name[sizeof "localhost" - 1] = '\0';
    entry->includeSubDomains = 0;
    std::string("20991231 23:59:59").copy(entry->expire, sizeof entry->expire);
    entry->expire[sizeof "20991231 23:59:59" - 1] = '\0';
    return CURLSTS_OK;
}

TEST_CASE("an upgrade by HSTS is kept for the next transfer", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HSTS) == 0) SKIP("no HSTS");
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")), {.tls = true});
    const auto url = "http" + origin.url_for("localhost").substr(sizeof "https" - 1);
    EasyHandle easy(url);
    bool told = false;
    easy.set(CURLOPT_SSL_VERIFYPEER, 0L);
    easy.set(CURLOPT_HSTSREADFUNCTION, &localhost_is_secure);
    easy.set(CURLOPT_HSTSREADDATA, &told);
    easy.set(CURLOPT_HSTS_CTRL, static_cast<long>(CURLHSTS_ENABLE));
    perform_twice(easy);
    CHECK(easy.info<char*>(CURLINFO_EFFECTIVE_URL) == origin.url_for("localhost"));
    CHECK(origin.accepts() == 1);
    const auto connections = cache.connections();
    REQUIRE(connections.size() == 1);
    CHECK(connections[0].origin + "/" == url);
    easy.cleanup();
    CHECK(origin.wait_for_open(0));
}

TEST_CASE("an alternative service is kept for the next transfer", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ALTSVC) == 0) SKIP("no alt-svc");
    const auto cache = emptied_cache();
    const TempDir directory;
    const Origin there(respond_with(reply("x")), {.tls = true});
    const Origin here(respond_with(reply("here")), {.tls = true});
    const auto file = directory.write("a", "h1 127.0.0.1 " + std::to_string(here.port()) + " h1 127.0.0.1 " +
                                               std::to_string(there.port()) + " \"20991231 23:59:59\" 0 0\n");
    EasyHandle easy(here.url());
    easy.set(CURLOPT_SSL_VERIFYPEER, 0L);
    easy.set(CURLOPT_ALTSVC_CTRL, static_cast<long>(CURLALTSVC_H1));
    easy.set(CURLOPT_ALTSVC, file.c_str());
    perform_twice(easy);
    CHECK(there.accepts() == 1);
    CHECK(here.accepts() == 0);
    easy.cleanup();
    CHECK(cache.stats().open == 0);
    CHECK(there.wait_for_open(0));
}

}  // namespace
