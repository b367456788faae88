// ringlet/curl.h: which of the program's functions closes a socket, with which data, and when.
#include <catch2/generators/catch_generators.hpp>

#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "compat/easy_handle.hpp"
#include "compat/parked.hpp"
#include "compat/sockets.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

TEST_CASE("a connection is closed by the function, and with the data, that it was made with",
          "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const bool tls = GENERATE(false, true);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")), {.tls = tls});
    Sockets first, second;
    auto easy = std::make_unique<EasyHandle>(origin.url());
    easy->set(CURLOPT_SSL_VERIFYPEER, 0L);
    first.open_for(*easy);
    first.close_for(*easy);
    CHECK(easy->perform() == CURLE_OK);
    second.close_for(*easy);
    for (int i = 0; i < 3; ++i) CHECK(easy->perform() == CURLE_OK);
    CHECK(first.opened == 1);
    CHECK(first.closed + second.closed == 0);
    easy->set(CURLOPT_FRESH_CONNECT, 1L);
    CHECK(easy->perform() == CURLE_OK);
    CHECK(first.opened == 2);
    const auto newer = first.last;
    curl_easy_reset(easy->get());
    CHECK(origin.open_connections() == 2);
    CHECK(first.closed + second.closed == 0);

    std::thread::id cleaner;
    std::jthread([&] {
        cleaner = std::this_thread::get_id();
        easy.reset();
    }).join();
    CHECK(first.closed == 1);
    CHECK(second.closed == 1);
    CHECK(first.ends.at(0) != newer);
    CHECK(second.ends.at(0) == newer);
    CHECK(first.closed_by == cleaner);
    CHECK(second.closed_by == cleaner);
    CHECK(cache.stats().open == 0);
    CHECK(origin.wait_for_open(0));
}

TEST_CASE("a handle whose function uses it is there still when its connections are closed",
          "[compat][private]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    struct Use {
        CURL* easy;
        std::string url;
        static int close(void* self, curl_socket_t fd) {
            auto& me = *static_cast<Use*>(self);
            char* url = nullptr;
            if (curl_easy_getinfo(me.easy, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK && url) me.url = url;
            return ::close(fd);
        }
    };
    EasyHandle easy(origin.url());
    Use use{easy.get(), {}};
    easy.set(CURLOPT_CLOSESOCKETFUNCTION, &Use::close);
    easy.set(CURLOPT_CLOSESOCKETDATA, &use);
    CHECK(easy.perform() == CURLE_OK);
    easy.cleanup();
    CHECK(use.url == origin.url());
}

/// Performs its own handle, and sets its URL, when a socket is closed.
struct Meddler {
    CURL* easy;
    std::string url;
    int closed = 0;
    CURLcode inside = CURL_LAST, set = CURL_LAST;

    static int close(void* self, curl_socket_t fd) {
        auto& me = *static_cast<Meddler*>(self);
        if (me.closed++ == 0) {
            me.inside = curl_easy_perform(me.easy);
            me.set = curl_easy_setopt(me.easy, CURLOPT_URL, me.url.c_str());
        }
        return ::close(fd);
    }
};

TEST_CASE("a dead connection is closed inside the transfer that finds it", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const bool pooled = GENERATE(false, true);
    CAPTURE(pooled);
    const auto cache = emptied_cache();
    Origin here(respond_with(reply("here")));
    const Origin there(respond_with(reply("there")));
    EasyHandle easy(here.url());
    ringlet_easy_pool(easy.get(), pooled ? 1 : 0);
    Meddler meddler{easy.get(), there.url()};
    easy.set(CURLOPT_CLOSESOCKETFUNCTION, &Meddler::close);
    easy.set(CURLOPT_CLOSESOCKETDATA, &meddler);
    CHECK(easy.perform() == CURLE_OK);
    here.close_all();
    CHECK(here.wait_for_open(0));
    CHECK(easy.perform() == CURLE_OK);
    CHECK(meddler.closed == 1);
    constexpr auto recursive_call = static_cast<CURLcode>(93);  // what newer libcurls say
    CHECK((meddler.inside == CURLE_FAILED_INIT || meddler.inside == recursive_call));
    CHECK(meddler.set == CURLE_OK);
    CHECK(easy.body == "here");
    CHECK(here.accepts() == 2);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.body == "there");
    easy.cleanup();
    CHECK(meddler.closed == 3);
    CHECK(cache.stats().open == 0);
    CHECK(cache.stats().leased == 0);
}

TEST_CASE("a dead connection is closed where no other takes its place, too", "[compat][private]") {
    const auto cache = emptied_cache();
    auto here = std::make_unique<Origin>(respond_with(reply("here")));
    Sockets sockets;
    EasyHandle easy(here->url());
    sockets.close_for(easy);
    CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_FRESH_CONNECT, 1L);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(cache.stats().leased == 2);
    here.reset();
    easy.set(CURLOPT_FRESH_CONNECT, 0L);
    CHECK(easy.perform() == CURLE_COULDNT_CONNECT);
    CHECK(sockets.closed == 3);
    CHECK(cache.stats().leased == 0);
    ringlet_easy_pool(easy.get(), 0);
    easy.cleanup();
    CHECK(sockets.closed == 3);
}

TEST_CASE("a function that closes a socket may use other handles", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    struct Use {
        std::string url;
        CURLcode code = CURL_LAST;
        static int close(void* self, curl_socket_t fd) {
            auto& me = *static_cast<Use*>(self);
            EasyHandle other(me.url);
            me.code = other.perform();
            return ::close(fd);
        }
    } use{origin.url()};
    EasyHandle easy(origin.url());
    easy.set(CURLOPT_CLOSESOCKETFUNCTION, &Use::close);
    easy.set(CURLOPT_CLOSESOCKETDATA, &use);
    CHECK(easy.perform() == CURLE_OK);
    easy.cleanup();
    CHECK(use.code == CURLE_OK);
}

TEST_CASE("data that is new for each transfer leaves the connection alone", "[compat][private]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    std::vector<Sockets> each(50);
    EasyHandle easy(origin.url());
    for (auto& sockets : each) {
        sockets.close_for(easy);
        CHECK(easy.perform() == CURLE_OK);
    }
    easy.cleanup();
    CHECK(origin.accepts() == 1);
    CHECK(each[0].closed == 1);
    for (std::size_t i = 1; i < each.size(); ++i) CHECK(each[i].closed == 0);
}

/// New data for the function that closes sockets, over and over.
struct NewData {
    struct Data {
        NewData* owner;
        int number;
    };
    CURL* easy;
    int at_once;
    std::deque<Data> all;
    std::vector<int> closed;

    void set(int times) {
        for (int i = 0; i < times; ++i) {
            all.push_back({this, static_cast<int>(all.size())});
            curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &all.back());
        }
    }
    static std::size_t header(char*, std::size_t, std::size_t n, void* self) {
        static_cast<NewData*>(self)->set(static_cast<NewData*>(self)->at_once);
        return n;
    }
    static int resolve(void*, void*, void* self) {
        static_cast<NewData*>(self)->set(20);
        return 0;
    }
    static curl_socket_t open(void* self, curlsocktype, curl_sockaddr* address) {
        static_cast<NewData*>(self)->set(static_cast<NewData*>(self)->at_once);
        return ::socket(address->family, address->socktype, address->protocol);
    }
    static int close(void* data, curl_socket_t fd) {
        const auto& me = *static_cast<Data*>(data);
        me.owner->closed.push_back(me.number);
        return ::close(fd);
    }
    void watch(EasyHandle& handle) {
        handle.set(CURLOPT_CLOSESOCKETFUNCTION, &NewData::close);
        handle.set(CURLOPT_OPENSOCKETFUNCTION, &NewData::open);
        handle.set(CURLOPT_OPENSOCKETDATA, this);
        handle.set(CURLOPT_HEADERFUNCTION, &NewData::header);
        handle.set(CURLOPT_HEADERDATA, this);
        handle.set(CURLOPT_RESOLVER_START_FUNCTION, &NewData::resolve);
        handle.set(CURLOPT_RESOLVER_START_DATA, this);
        set(1);
    }
};

/// The numbers of the data that two connections are closed with, of a transfer and its redirect.
std::vector<int> closed_with(const std::string& url, int at_once, bool pooled) {
    EasyHandle easy(url);
    ringlet_easy_pool(easy.get(), pooled ? 1 : 0);
    NewData data{easy.get(), at_once, {}, {}};
    data.watch(easy);
    easy.set(CURLOPT_FOLLOWLOCATION, 1L);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.body == "there");
    easy.cleanup();
    std::sort(data.closed.begin(), data.closed.end());
    return data.closed;
}

TEST_CASE("of data that is set over and over a connection has what libcurl would give it",
          "[compat][private]") {
    const int at_once = GENERATE(1, 30, 1000);
    CAPTURE(at_once);
    const auto cache = emptied_cache();
    const Origin there(respond_with(reply("there")));
    const Origin here(respond_with(reply("moved", 302, "Location: " + there.url("/") + "\r\n")));
    const auto plain = closed_with(here.url(), at_once, false);
    CHECK(plain.size() == 2);
    CHECK(plain.at(0) == 0);
    CHECK(closed_with(here.url(), at_once, true) == plain);
    CHECK(cache.stats().open == 0);
}

TEST_CASE("data that is set over and over in one transfer takes no memory", "[compat][private]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    struct Meanwhile {
        CURL* easy;
        std::vector<Sockets> many = std::vector<Sockets>(100'000);
        std::size_t grown = 0;
        static std::size_t write(char*, std::size_t, std::size_t n, void* self) {
            auto& me = *static_cast<Meanwhile*>(self);
            const auto before = mallinfo2().uordblks;
            for (auto& data : me.many) curl_easy_setopt(me.easy, CURLOPT_CLOSESOCKETDATA, &data);
            me.grown = mallinfo2().uordblks - before;
            return n;
        }
    };
    Sockets first;
    EasyHandle easy(origin.url());
    first.open_for(easy);
    first.close_for(easy);
    Meanwhile meanwhile{easy.get()};
    easy.set(CURLOPT_WRITEFUNCTION, &Meanwhile::write);
    easy.set(CURLOPT_WRITEDATA, &meanwhile);
    for (int i = 0; i < 2; ++i) CHECK(easy.perform() == CURLE_OK);
    CHECK(meanwhile.grown < 100'000);
    CHECK(first.opened == 1);
    CHECK(first.closed == 0);  // so much is no reason to close it
    easy.cleanup();
    CHECK(first.closed == 1);
    CHECK(std::all_of(meanwhile.many.begin(), meanwhile.many.end(),
                      [](const Sockets& data) { return data.closed == 0; }));
}

// Run by the next one, with one connection in all.

TEST_CASE("two functions for closing, set in turn, are two", "[compat][private]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    const auto port = std::to_string(origin.port());
    EasyHandle easy("http://many.test:" + port + "/");
    // Two addresses where nobody listens come first.
    auto* names =
        curl_slist_append(nullptr, ("many.test:" + port + ":127.0.0.2,127.0.0.3,127.0.0.1").c_str());
    easy.set(CURLOPT_RESOLVE, names);
    struct Turns {
        CURL* easy;
        int first = 0, second = 0;
        static int close(void* count, curl_socket_t fd) {
            ++*static_cast<int*>(count);
            return ::close(fd);
        }
        static curl_socket_t open(void* self, curlsocktype, curl_sockaddr* address) {
            auto& me = *static_cast<Turns*>(self);
            for (int i = 0; i < 300; ++i)
                curl_easy_setopt(me.easy, CURLOPT_CLOSESOCKETDATA, i % 2 == 0 ? &me.first : &me.second);
            return ::socket(address->family, address->socktype, address->protocol);
        }
    } turns{easy.get()};
    easy.set(CURLOPT_OPENSOCKETFUNCTION, &Turns::open);
    easy.set(CURLOPT_OPENSOCKETDATA, &turns);
    easy.set(CURLOPT_CLOSESOCKETFUNCTION, &Turns::close);
    easy.set(CURLOPT_CLOSESOCKETDATA, &turns.first);
    for (int i = 0; i < 3; ++i) CHECK(easy.perform() == CURLE_OK);
    CHECK(origin.accepts() == 1);
    easy.cleanup();
    CHECK(turns.first + turns.second == 3);
    curl_slist_free_all(names);
}

}  // namespace
