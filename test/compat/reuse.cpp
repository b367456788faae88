// ringlet/curl.h: connections outlive handles, for those who may share them.
#include "compat/easy_handle.hpp"

#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "compat/c_program.h"
#include "support/certificates.hpp"
#include "support/h2_origin.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;
using namespace std::chrono_literals;

TEST_CASE("a C program that makes a handle for each request gets one connection", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("0123456789")));
    long connects = 0;
    std::size_t bytes = 0;
    CHECK(request_with_new_handles(origin.url().c_str(), nullptr, 200, &connects, &bytes) == 0);
    CHECK(origin.accepts() == 1);
    CHECK(connects == 1);
    CHECK(bytes == 2000);
    CHECK(cache.stats().idle == 1);
}

TEST_CASE("the same over TLS does one handshake", "[compat]") {
    emptied_cache();
    const TempDir directory;
    const auto ca = TestCa::instance().write_to(directory.path()).string();
    const Origin origin(respond_with(reply("0123456789")), {.tls = true});
    long connects = 0;
    std::size_t bytes = 0;
    CHECK(request_with_new_handles(origin.url().c_str(), ca.c_str(), 200, &connects, &bytes) == 0);
    CHECK(origin.snapshot().handshakes == 1);
    CHECK(bytes == 2000);
}

// libcurl from 8.15 on lets OpenSSL read ahead, where no look at the socket finds what nobody asked for.
TEST_CASE("an answer too many is not the next one's, over TLS either", "[compat]") {
    const bool same_handle = GENERATE(true, false);
    const TempDir directory;
    const auto ca = TestCa::instance().write_to(directory.path()).string();
    int stolen = 0;
    for (int i = 0; i < 10; ++i) {
        emptied_cache();
        const Origin origin(scripts_in_turn({[](Connection& c) {
                                                 c.read_request();
                                                 c.write(reply("ok"));
                                                 c.write(reply("stolen"));
                                                 c.wait_for_fin();
                                             },
                                             respond_with(reply("ok"))}),
                            {.tls = true});
        EasyHandle first(origin.url()), second(origin.url());
        for (auto* easy : {&first, &second}) easy->set(CURLOPT_CAINFO, ca.c_str());
        CHECK(first.perform() == CURLE_OK);
        CHECK(first.body == "ok");
        std::this_thread::sleep_for(5ms);  // why: loopback delivers, but not within write()
        auto& next = same_handle ? first : second;
        CHECK(next.perform() == CURLE_OK);
        stolen += next.body != "ok";
    }
    CHECK(stolen == 0);
}

TEST_CASE("each new handle can speak HTTP/2 by prior knowledge", "[compat]") {
    emptied_cache();
    const Origin origin(h2_handler([](const H2Request&) { return h2_respond("x"); }), h2_options(false));
    for (int i = 0; i < 3; ++i) {
        EasyHandle easy(origin.url());
        easy.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
        CHECK(easy.perform() == CURLE_OK);
        CHECK(easy.status() == 200);
    }
}

TEST_CASE("one handle for many requests keeps its connection", "[compat]") {
    const auto cache = emptied_cache();
    const auto before = cache.stats();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    for (int i = 0; i < 10; ++i) {
        CHECK(easy.perform() == CURLE_OK);
        CHECK(easy.connects() == (i == 0 ? 1 : 0));
    }
    CHECK(origin.accepts() == 1);
    const auto after = cache.stats();
    CHECK(after.requests - before.requests == 10);
    CHECK(after.reused - before.reused == 9);
    // Somebody else may have had its connection meanwhile, or it may be gone.
    EasyHandle other(origin.url());
    CHECK(other.perform() == CURLE_OK);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    emptied_cache();
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
}

TEST_CASE("handles on many threads share as many connections as run at once", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("shared")));
    constexpr int threads = 4, requests = 50;
    std::atomic<int> good = 0;
    std::vector<std::jthread> all;
    for (int t = 0; t < threads; ++t) {
        all.emplace_back([&] {
            for (int i = 0; i < requests; ++i) {
                EasyHandle easy(origin.url());
                if (easy.perform() == CURLE_OK && easy.body == "shared") ++good;
            }
        });
    }
    all.clear();
    CHECK(good == threads * requests);
    CHECK(origin.accepts() <= threads);
}

TEST_CASE("a handle that moves from thread to thread finds its connection", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    for (int i = 0; i < 5; ++i) {
        std::jthread([&] { CHECK(easy.perform() == CURLE_OK); }).join();
    }
    CHECK(origin.accepts() == 1);
}

TEST_CASE("options that make another connection keep handles apart", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle plain(origin.url());
    CHECK(plain.perform() == CURLE_OK);
    plain.cleanup();
    const auto connects_with = [&](CURLoption option, auto value) {
        EasyHandle easy(origin.url());
        easy.set(option, value);
        CHECK(easy.perform() == CURLE_OK);
        return easy.connects();
    };
    // libcurl itself would have taken the plain one for each of these.
    CHECK(connects_with(CURLOPT_TCP_NODELAY, 0L) == 1);
    CHECK(connects_with(CURLOPT_INTERFACE, "127.0.0.1") == 1);
    CHECK(connects_with(CURLOPT_IPRESOLVE, static_cast<long>(CURL_IPRESOLVE_V4)) == 1);
    CHECK(connects_with(CURLOPT_SSL_ENABLE_ALPN, 0L) == 1);
    CHECK(connects_with(CURLOPT_SSLKEY, "/no/such/key") == 1);
    // Equal values share.
    CHECK(connects_with(CURLOPT_TCP_NODELAY, 0L) == 0);
    CHECK(connects_with(CURLOPT_INTERFACE, "127.0.0.1") == 0);
    // What does not concern the connection shares with the plain one.
    CHECK(connects_with(CURLOPT_USERAGENT, "somebody") == 0);
    CHECK(connects_with(CURLOPT_USERPWD, "user:secret") == 0);
    CHECK(connects_with(CURLOPT_POSTFIELDS, "body") == 0);
}

TEST_CASE("credentials that may bind a connection are not mixed", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    const auto connects_as = [&](const char* user) {
        EasyHandle easy(origin.url());
        easy.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_ANY));
        easy.set(CURLOPT_USERPWD, user);
        CHECK(easy.perform() == CURLE_OK);
        return easy.connects();
    };
    CHECK(connects_as("one:1") == 1);
    CHECK(connects_as("two:2") == 1);
    CHECK(connects_as("one:1") == 0);
}

TEST_CASE("FRESH_CONNECT opens a connection and FORBID_REUSE gives none back", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle first(origin.url());
    CHECK(first.perform() == CURLE_OK);
    first.cleanup();
    EasyHandle fresh(origin.url());
    fresh.set(CURLOPT_FRESH_CONNECT, 1L);
    CHECK(fresh.perform() == CURLE_OK);
    CHECK(fresh.connects() == 1);
    fresh.cleanup();
    CHECK(cache.stats().idle == 2);
    EasyHandle last(origin.url());
    last.set(CURLOPT_FORBID_REUSE, 1L);
    CHECK(last.perform() == CURLE_OK);
    CHECK(last.connects() == 0);
    last.cleanup();
    CHECK(cache.stats().idle == 1);
    CHECK(origin.wait_for_ends(1));
}

TEST_CASE("duplicates and reset handles are what libcurl says they are", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_TCP_NODELAY, 0L);
    CHECK(easy.perform() == CURLE_OK);
    EasyHandle copy(curl_easy_duphandle(easy.get()));
    easy.cleanup();
    CHECK(copy.perform() == CURLE_OK);
    CHECK(copy.connects() == 0);
    curl_easy_reset(copy.get());
    CHECK(copy.perform() == CURLE_URL_MALFORMAT);
    copy.set(CURLOPT_URL, origin.url().c_str());
    copy.set(
        CURLOPT_WRITEFUNCTION, +[](char*, std::size_t size, std::size_t n, void*) { return size * n; });
    CHECK(copy.perform() == CURLE_OK);
    CHECK(copy.connects() == 1);  // TCP_NODELAY is on again
}

TEST_CASE("ringlet_easy_pool keeps a handle to itself", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    ringlet_easy_pool(easy.get(), 0);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(cache.stats().open == 0);
    ringlet_easy_pool(easy.get(), 1);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(cache.stats().open == 1);
}

}  // namespace
