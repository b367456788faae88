// ringlet/curl.h: what stays libcurl's alone, and what a kept connection must not do to a program.
#include "compat/easy_handle.hpp"
#include "compat/inside.hpp"

#include <string>

#include "support/origin.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("a share object with connections goes its own way, one without does not", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    const auto requests_of = [&](curl_lock_data what) {
        const auto before = cache.stats().requests;
        CURLSH* const share = curl_share_init();
        CHECK(curl_share_setopt(share, CURLSHOPT_SHARE, what) == CURLSHE_OK);
        for (int i = 0; i < 2; ++i) {
            EasyHandle easy(origin.url());
            easy.set(CURLOPT_SHARE, share);
            CHECK(easy.perform() == CURLE_OK);
            CHECK(easy.connects() == (i == 0 ? 1 : 0));
        }
        CHECK(curl_share_cleanup(share) == CURLSHE_OK);
        return cache.stats().requests - before;
    };
    CHECK(requests_of(CURL_LOCK_DATA_CONNECT) == 0);
    CHECK(requests_of(CURL_LOCK_DATA_COOKIE) == 2);
}

TEST_CASE("CONNECT_ONLY sends and receives", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("raw")));
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_CONNECT_ONLY, 1L);
    REQUIRE(easy.perform() == CURLE_OK);
    const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    std::size_t n = 0;
    CHECK(curl_easy_send(easy.get(), request.data(), request.size(), &n) == CURLE_OK);
    CHECK(n == request.size());
    CHECK(origin.wait_for_requests(1));
    CHECK(cache.stats().open == 0);
}

TEST_CASE("other protocols are libcurl's", "[compat]") {
    const auto cache = emptied_cache();
    const TempDir directory;
    const auto file = directory.write("f", "of a file");
    EasyHandle easy("file://" + file.string());
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.body == "of a file");
    CHECK(cache.stats().open == 0);
}

TEST_CASE("a multi of the program's own drives its handles as before", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    CHECK(easy.perform() == CURLE_OK);  // the lane leaves nothing on the handle
    CURLM* const multi = curl_multi_init();
    CHECK(curl_multi_add_handle(multi, easy.get()) == CURLM_OK);
    easy.body.clear();
    CHECK(curl_easy_perform(easy.get()) == CURLE_FAILED_INIT);
    int running = 1;
    while (running != 0) {
        CHECK(curl_multi_perform(multi, &running) == CURLM_OK);
        if (running != 0) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
    }
    CHECK(easy.body == "x");
    CHECK(curl_multi_remove_handle(multi, easy.get()) == CURLM_OK);
    CHECK(curl_multi_cleanup(multi) == CURLM_OK);
    CHECK(origin.accepts() == 2);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(origin.accepts() == 2);
    CHECK(cache.stats().leased <= 1);
}

TEST_CASE("perform inside a callback of the same handle is refused as by libcurl", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    struct Inside {
        CURL* easy;
        CURLcode code;
    } inside{easy.get(), CURLE_OK};
    easy.set(CURLOPT_WRITEDATA, &inside);
    easy.set(
        CURLOPT_WRITEFUNCTION, +[](char*, std::size_t size, std::size_t n, void* p) {
            auto& i = *static_cast<Inside*>(p);
            i.code = curl_easy_perform(i.easy);
            return size * n;
        });
    CHECK(easy.perform() == CURLE_OK);
    CHECK((inside.code == CURLE_FAILED_INIT || inside.code == CURLE_RECURSIVE_API_CALL));
}

TEST_CASE("a duplicate made in a callback does not keep the lane's hooks", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    CURL* const duplicate = duplicate_inside(easy);
    easy.cleanup();
    emptied_cache();
    EasyHandle copy(duplicate);
    ringlet_easy_pool(copy.get(), 0);
    CHECK(copy.perform() == CURLE_OK);
    CHECK(copy.body == "x");
}

TEST_CASE("a redirect to another origin keeps both connections, and mixes nothing up", "[compat]") {
    auto cache = emptied_cache();
    const Origin there(respond_with(reply("there")));
    const Origin here(handler([&](const Recorded& r) {
        return r.target == "/away" ? reply("", 302, "Location: " + there.url("/") + "\r\n") : reply("here");
    }));
    for (int i = 0; i < 3; ++i) {
        EasyHandle away(here.url("/away"));
        away.set(CURLOPT_FOLLOWLOCATION, 1L);
        CHECK(away.perform() == CURLE_OK);
        CHECK(away.body == "there");
        away.cleanup();
        EasyHandle stay(here.url("/"));
        CHECK(stay.perform() == CURLE_OK);
        CHECK(stay.body == "here");
    }
    for (const auto& connection : cache.connections()) CHECK(connection.origin + "/" == here.url("/"));
    // The redirect's connection is kept with the lane, as a handle would keep it.
    CHECK(here.accepts() == 1);
    CHECK(there.accepts() == 1);
    cache.close_idle();
    CHECK(here.wait_for_open(0));
    CHECK(there.wait_for_open(0));
}

TEST_CASE("connections that died while idle are not given to a request", "[compat]") {
    emptied_cache();
    Origin origin(respond_with(reply("x")));
    for (int i = 0; i < 3; ++i) {
        EasyHandle easy(origin.url());
        easy.set(CURLOPT_POSTFIELDS, "once");
        CHECK(easy.perform() == CURLE_OK);
        CHECK(easy.connects() == 1);
        easy.cleanup();
        origin.close_all();
        CHECK(origin.wait_for_open(0));
    }
    CHECK(origin.request_count() == 3);
}

/// Answers the first request of a connection; closes it after having read the second.
void answer_once(Connection& connection) {
    if (!connection.read_request()) return;
    connection.write(reply("first"));
    connection.read_request();
    connection.close();
}

TEST_CASE("a POST that a kept connection swallowed is not sent again; a GET is", "[compat]") {
    emptied_cache();
    const Origin origin(answer_once);
    const auto request = [&](const char* body) {
        EasyHandle easy(origin.url());
        if (body != nullptr) easy.set(CURLOPT_POSTFIELDS, body);
        const auto code = easy.perform();
        CHECK((code == CURLE_OK || std::string(easy.error).find("not sent again") != std::string::npos));
        return code;
    };
    CHECK(request("one") == CURLE_OK);
    CHECK(request("two") == CURLE_GOT_NOTHING);
    CHECK(origin.request_count() == 2);
    CHECK(request(nullptr) == CURLE_OK);
    CHECK(request(nullptr) == CURLE_OK);
    CHECK(origin.request_count() == 5);
}

TEST_CASE("each Connection field of the program's own counts", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    curl_slist* fields = curl_slist_append(nullptr, "Connection: x-hop");
    fields = curl_slist_append(fields, "connection: close");
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_HTTPHEADER, fields);
    CHECK(easy.perform() == CURLE_OK);
    easy.cleanup();
    CHECK(cache.stats().open == 0);
    curl_slist_free_all(fields);
}

TEST_CASE("the verify result of a kept connection is that of its handshake", "[compat]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")), {.tls = true});
    for (int i = 0; i < 2; ++i) {
        EasyHandle easy(origin.url());
        easy.set(CURLOPT_SSL_VERIFYPEER, 0L);
        CHECK(easy.perform() == CURLE_OK);
        CHECK(easy.connects() == (i == 0 ? 1 : 0));
        CHECK(easy.info<long>(CURLINFO_SSL_VERIFYRESULT) != 0);  // nobody vouches for it
        CHECK(easy.info<long>(CURLINFO_PROXY_SSL_VERIFYRESULT) == 0);
    }
    CHECK(origin.accepts() == 1);
}

TEST_CASE("a failed transfer leaves no connection behind", "[compat]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"));
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_TIMEOUT_MS, 200L);
    CHECK(easy.perform() == CURLE_OPERATION_TIMEDOUT);
    CHECK(easy.body == "12345");
    easy.cleanup();
    CHECK(cache.stats().open == 0);
    CHECK(origin.wait_for_open(0));
}

}  // namespace
