// ringlet/curl.h and CURLOPT_RESOLVE: connections are shared by equal lists, names never.
#include <initializer_list>
#include <string>

#include "compat/easy_handle.hpp"
#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

struct Names {
    explicit Names(std::initializer_list<std::string> lines) {
        for (const auto& line : lines) list = curl_slist_append(list, line.c_str());
    }
    ~Names() { forget(); }
    Names(const Names&) = delete;
    Names& operator=(const Names&) = delete;
    void forget() {
        curl_slist_free_all(list);
        list = nullptr;
    }
    curl_slist* list = nullptr;
};

struct Site {
    Origin origin{respond_with(reply("x"))};
    std::string port = std::to_string(origin.port());
    std::string url = "http://named.test:" + port + '/';
    std::string entry = "named.test:" + port + ":127.0.0.1";
};

TEST_CASE("handles with equal RESOLVE lists share connections, others do not", "[compat][names]") {
    emptied_cache();
    const Site site;
    const Names names{site.entry}, more{site.entry, "other.test:80:127.0.0.1"};
    const auto connects_with = [&](curl_slist* list) {
        EasyHandle easy(site.url);
        easy.set(CURLOPT_RESOLVE, list);
        CHECK(easy.perform() == CURLE_OK);
        CHECK(easy.body == "x");
        return easy.connects();
    };
    CHECK(connects_with(names.list) == 1);
    CHECK(connects_with(names.list) == 0);
    CHECK(connects_with(Names{site.entry}.list) == 0);
    CHECK(connects_with(more.list) == 1);
    EasyHandle plain(site.url);
    CHECK(plain.perform() == CURLE_COULDNT_RESOLVE_HOST);
}

TEST_CASE("a handle's names are known on every lane and off them", "[compat][names]") {
    const auto cache = emptied_cache();
    const Site site;
    Names names{site.entry};
    EasyHandle easy(site.url);
    easy.set(CURLOPT_RESOLVE, names.list);
    CHECK(easy.perform() == CURLE_OK);
    names.forget();  // libcurl has read it
    emptied_cache();
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
    ringlet_easy_pool(easy.get(), 0);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 1);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    ringlet_easy_pool(easy.get(), 1);
    easy.set(CURLOPT_FRESH_CONNECT, 1L);
    CHECK(easy.perform() == CURLE_OK);
    EasyHandle copy(curl_easy_duphandle(easy.get()));
    easy.cleanup();
    CHECK(copy.perform() == CURLE_OK);
    CHECK(site.origin.accepts() == 5);
}

TEST_CASE("names count while RESOLVE is set", "[compat][names]") {
    emptied_cache();
    const Site site;
    const Names names{site.entry};
    EasyHandle easy(site.url);
    easy.set(CURLOPT_RESOLVE, names.list);
    CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_RESOLVE, static_cast<curl_slist*>(nullptr));
    CHECK(easy.perform() == CURLE_COULDNT_RESOLVE_HOST);
    easy.set(CURLOPT_RESOLVE, names.list);
    CHECK(easy.perform() == CURLE_OK);
    curl_easy_reset(easy.get());
    easy.set(CURLOPT_URL, site.url.c_str());
    CHECK(easy.perform() == CURLE_COULDNT_RESOLVE_HOST);
}

}  // namespace
