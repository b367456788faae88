// ringlet/curl.h: the program's own functions that make, set up and close sockets.
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "compat/easy_handle.hpp"
#include "compat/inside.hpp"
#include "compat/parked.hpp"
#include "compat/program.hpp"
#include "support/child.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

/// What the functions are given as their data: counts, and the thread of the last call.
struct Sockets {
    int opened = 0, set_up = 0, closed = 0;
    curl_socket_t last = CURL_SOCKET_BAD, last_set_up = CURL_SOCKET_BAD;
    std::vector<curl_socket_t> ends;
    std::thread::id closed_by;
    bool refuses = false;

    static curl_socket_t open(void* self, curlsocktype purpose, curl_sockaddr* address) {
        auto& me = *static_cast<Sockets*>(self);
        if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
        ++me.opened;
        if (me.refuses) return CURL_SOCKET_BAD;
        return me.last = ::socket(address->family, address->socktype, address->protocol);
    }
    static int set_options(void* self, curl_socket_t fd, curlsocktype) {
        auto& me = *static_cast<Sockets*>(self);
        ++me.set_up;
        me.last_set_up = fd;
        return CURL_SOCKOPT_OK;
    }
    static int close(void* self, curl_socket_t fd) {
        auto& me = *static_cast<Sockets*>(self);
        ++me.closed;
        me.ends.push_back(fd);
        me.closed_by = std::this_thread::get_id();
        return ::close(fd);
    }
    void open_for(EasyHandle& easy) {
        easy.set(CURLOPT_OPENSOCKETFUNCTION, &Sockets::open);
        easy.set(CURLOPT_OPENSOCKETDATA, this);
    }
    void set_up_for(EasyHandle& easy) {
        easy.set(CURLOPT_SOCKOPTFUNCTION, &Sockets::set_options);
        easy.set(CURLOPT_SOCKOPTDATA, this);
    }
    void close_for(EasyHandle& easy) {
        easy.set(CURLOPT_CLOSESOCKETFUNCTION, &Sockets::close);
        easy.set(CURLOPT_CLOSESOCKETDATA, this);
    }
};

/// This end's port of a socket of IPv4.
long local_port(curl_socket_t fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
    return ntohs(address.sin_port);
}

TEST_CASE("the program's functions make and set up the socket that is used", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    Sockets sockets;
    EasyHandle easy(origin.url());
    sockets.open_for(easy);
    sockets.set_up_for(easy);
    for (int i = 0; i < 2; ++i) {
        CHECK(easy.perform() == CURLE_OK);
        CHECK(local_port(sockets.last) == easy.info<long>(CURLINFO_LOCAL_PORT));
    }
    CHECK(sockets.opened == 1);
    CHECK(sockets.set_up == 1);
    CHECK(sockets.last_set_up == sockets.last);
    CHECK(origin.accepts() == 1);
    easy.cleanup();
    CHECK(local_port(sockets.last) == -1);
    CHECK(cache.stats().open == 0);
}

TEST_CASE("a socket that the program refuses to make is none", "[compat][private]") {
    const auto cache = emptied_cache();
    const auto before = cache.stats();
    const Origin origin(respond_with(reply("x")));
    Sockets sockets;
    sockets.refuses = true;
    EasyHandle easy(origin.url());
    sockets.open_for(easy);
    sockets.close_for(easy);
    CHECK(easy.perform() == CURLE_COULDNT_CONNECT);
    CHECK(sockets.opened == 1);
    CHECK(sockets.closed == 0);
    CHECK(origin.accepts() == 0);
    CHECK(cache.stats().open == 0);
    CHECK(cache.stats().opened == before.opened);
    sockets.refuses = false;
    CHECK(easy.perform() == CURLE_OK);
    CHECK(sockets.opened == 2);
}

TEST_CASE("a transfer can be left by an exception of the function that makes sockets", "[compat][private]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy(origin.url());
    easy.set(
        CURLOPT_OPENSOCKETFUNCTION,
        +[](void*, curlsocktype, curl_sockaddr*) -> curl_socket_t { throw std::runtime_error("enough"); });
    CHECK_THROWS_WITH(easy.perform(), "enough");
    easy.cleanup();
    CHECK(cache.stats().open == 0);
    CHECK(origin.accepts() == 0);
}

TEST_CASE("the program's functions are on the handle when its transfer is over", "[compat][private]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    Sockets sockets;
    EasyHandle easy(origin.url());
    sockets.open_for(easy);
    sockets.close_for(easy);
    CHECK(easy.perform() == CURLE_OK);

    EasyHandle copy(curl_easy_duphandle(easy.get()));
    ringlet_easy_pool(copy.get(), 0);
    CHECK(copy.perform() == CURLE_OK);
    CHECK(sockets.opened == 2);
    copy.cleanup();
    CHECK(sockets.closed == 1);

    CURLM* const multi = curl_multi_init();
    CHECK(curl_multi_add_handle(multi, easy.get()) == CURLM_OK);
    CHECK(easy.perform() == CURLE_FAILED_INIT);
    CHECK(sockets.closed == 1);
    CHECK(cache.stats().idle == 0);
    CHECK(cache.stats().leased == 1);  // the one that was kept is as it was
    for (int running = 1; running != 0;) {
        CHECK(curl_multi_perform(multi, &running) == CURLM_OK);
        if (running != 0) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
    }
    CHECK(sockets.opened == 3);
    CHECK(curl_multi_remove_handle(multi, easy.get()) == CURLM_OK);
    CHECK(curl_multi_cleanup(multi) == CURLM_OK);
    CHECK(sockets.closed == 2);
    easy.cleanup();
    CHECK(sockets.closed == 3);
    CHECK(origin.wait_for_open(0));
}

TEST_CASE("a duplicate made in a callback has the program's functions", "[compat][private]") {
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    Sockets sockets;
    EasyHandle easy(origin.url());
    sockets.open_for(easy);
    sockets.close_for(easy);
    CURL* const duplicate = duplicate_inside(easy);
    easy.cleanup();
    CHECK(sockets.closed == 1);
    EasyHandle copy(duplicate);
    ringlet_easy_pool(copy.get(), 0);
    CHECK(copy.perform() == CURLE_OK);
    CHECK(sockets.opened == 2);
    copy.cleanup();
    CHECK(sockets.closed == 2);
}

/// Sets the functions of a handle when the first bytes of an answer arrive.
struct InTheMiddle {
    CURL* easy;
    Sockets* sockets;

    static std::size_t write(char*, std::size_t size, std::size_t n, void* self) {
        auto& me = *static_cast<InTheMiddle*>(self);
        curl_easy_setopt(me.easy, CURLOPT_OPENSOCKETFUNCTION, &Sockets::open);
        curl_easy_setopt(me.easy, CURLOPT_OPENSOCKETDATA, me.sockets);
        curl_easy_setopt(me.easy, CURLOPT_CLOSESOCKETFUNCTION, &Sockets::close);
        curl_easy_setopt(me.easy, CURLOPT_CLOSESOCKETDATA, me.sockets);
        return size * n;
    }
    void watch(EasyHandle& handle) {
        handle.set(CURLOPT_WRITEDATA, this);
        handle.set(CURLOPT_WRITEFUNCTION, &InTheMiddle::write);
    }
};

TEST_CASE("functions that are set in the middle of a transfer count for the next socket",
          "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const bool had_others = GENERATE(false, true);
    const bool kept = GENERATE(false, true);
    CAPTURE(had_others, kept);
    const auto cache = emptied_cache();
    const Origin there(respond_with(reply("there")));
    const Origin here(handler([&](const Recorded& r) {
        return r.target == "/away" ? reply("moved", 302, "Location: " + there.url("/") + "\r\n") : reply("x");
    }));
    Sockets before, meanwhile;
    EasyHandle easy(here.url());
    if (had_others) {
        before.open_for(easy);
        before.close_for(easy);
    }
    if (kept) CHECK(easy.perform() == CURLE_OK);
    InTheMiddle middle{easy.get(), &meanwhile};
    middle.watch(easy);
    easy.set(CURLOPT_URL, here.url("/away").c_str());
    CHECK(easy.perform() == CURLE_OK);
    CHECK(before.opened == (had_others ? 1 : 0));
    CHECK(meanwhile.opened == 0);
    // From now on it is the new ones, whichever way the transfer takes.
    easy.set(CURLOPT_FOLLOWLOCATION, 1L);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.info<char*>(CURLINFO_EFFECTIVE_URL) == there.url("/"));
    CHECK(meanwhile.opened == (had_others ? 1 : 2));
    easy.cleanup();
    CHECK(before.closed == before.opened);
    CHECK(meanwhile.closed == meanwhile.opened);
    CHECK(cache.stats().open == 0);
    CHECK(here.wait_for_open(0));
    CHECK(there.wait_for_open(0));
}

TEST_CASE("a redirect that a transfer follows after its functions were set makes its socket by them",
          "[compat][private]") {
    const bool kept = GENERATE(false, true);
    const auto cache = emptied_cache();
    const Origin there(respond_with(reply("there")));
    const Origin here(respond_with(reply("moved", 302, "Location: " + there.url("/") + "\r\n")));
    if (kept) {
        EasyHandle first(here.url());
        CHECK(first.perform() == CURLE_OK);
    }
    Sockets meanwhile;
    EasyHandle easy(here.url());
    InTheMiddle middle{easy.get(), &meanwhile};
    easy.set(CURLOPT_HEADERDATA, &middle);
    easy.set(CURLOPT_HEADERFUNCTION, &InTheMiddle::write);
    easy.set(CURLOPT_FOLLOWLOCATION, 1L);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.body == "there");
    CHECK(meanwhile.opened == 1);
    // The lane was one to be shared.
    CHECK(meanwhile.closed == 1);
    CHECK(cache.stats().open == 0);
    CHECK(there.wait_for_open(0));
}

TEST_CASE("a second connection within a transfer is made by the functions set since, and kept",
          "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const auto cache = emptied_cache();
    const auto opened = cache.stats().opened;
    const Origin origin([](Connection& c) {
        while (const auto request = c.read_request()) {
            if (request->header("Authorization")) {
                c.write(reply("x"));
                continue;
            }
            c.write(reply("who?", 401,
                          "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\nConnection: close\r\n"));
            return c.close();
        }
    });
    Sockets before, meanwhile;
    EasyHandle easy(origin.url());
    before.open_for(easy);
    before.close_for(easy);
    InTheMiddle middle{easy.get(), &meanwhile};
    easy.set(CURLOPT_HEADERDATA, &middle);
    easy.set(CURLOPT_HEADERFUNCTION, &InTheMiddle::write);
    easy.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_DIGEST));
    easy.set(CURLOPT_USERPWD, "user:secret");
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.body == "x");
    CHECK(before.opened == 1);
    CHECK(before.closed == 1);
    CHECK(meanwhile.opened == 1);
    CHECK(cache.stats().opened - opened == 2);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    CHECK(meanwhile.closed == 0);
    easy.cleanup();
    CHECK(before.closed == 1);
    CHECK(meanwhile.closed == 1);
    CHECK(origin.wait_for_open(0));
}

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
        std::vector<Sockets> two{2};
        std::size_t grown = 0;
        static std::size_t write(char*, std::size_t, std::size_t n, void* self) {
            auto& me = *static_cast<Meanwhile*>(self);
            const auto before = mallinfo2().uordblks;
            for (std::size_t i = 0; i < 100'000; ++i)
                curl_easy_setopt(me.easy, CURLOPT_CLOSESOCKETDATA, &me.two[i % 2]);
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
    CHECK(meanwhile.two[0].closed + meanwhile.two[1].closed == 0);
}

// Run by the next one, with one connection in all.
TEST_CASE("only the thread that uses the handle closes its socket, whoever waits", "[.limited_sockets]") {
    const Parking parking(GENERATE(false, true));
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x"))), elsewhere(respond_with(reply("y")));
    std::atomic<bool> over = false;
    std::atomic<int> failures = 0;
    std::jthread busy([&] {
        EasyHandle plain(elsewhere.url());
        while (!over) failures += plain.perform() != CURLE_OK;
    });
    REQUIRE(elsewhere.wait_for_requests(3));
    for (int i = 0; i < 10; ++i) {
        Sockets sockets;
        EasyHandle easy(origin.url());
        sockets.open_for(easy);
        sockets.close_for(easy);
        CHECK(easy.perform() == CURLE_OK);
        CHECK(sockets.opened == 1);
        CHECK(sockets.closed == 1);  // at once: nobody waits for its place
        CHECK(sockets.closed_by == std::this_thread::get_id());
        easy.cleanup();
        CHECK(sockets.closed == 1);
    }
    over = true;
    busy.join();
    CHECK(failures == 0);
    CHECK(cache.stats().open <= 1);
}

TEST_CASE("under a limit a socket is closed by the program's function at the end of its transfer",
          "[compat][private]") {
    const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    const auto ran = run("RINGLET_MAX_CONNECTIONS=1 '" + self + "' '[limited_sockets]'");
    INFO(ran.output);
    CHECK(ran.exit_code == 0);
}

TEST_CASE("a failed transfer's socket is closed by the program's function", "[compat][private]") {
    const auto cache = emptied_cache();
    const Origin origin(respond_with("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"));
    Sockets sockets;
    EasyHandle easy(origin.url());
    sockets.open_for(easy);
    sockets.close_for(easy);
    easy.set(CURLOPT_TIMEOUT_MS, 200L);
    CHECK(easy.perform() == CURLE_OPERATION_TIMEDOUT);
    CHECK(sockets.closed == 1);
    CHECK(sockets.closed_by == std::this_thread::get_id());
    CHECK(cache.stats().open == 0);
}

TEST_CASE("a private transfer that was left by longjmp is cleaned up with its handle", "[compat][private]") {
    const Parking parking(GENERATE(false, true));
    const bool kept = GENERATE(false, true);
    const bool tied = GENERATE(false, true);
    const bool passed_through = GENERATE(false, true);  // before: it has a multi of its own since
    CAPTURE(kept, tied, passed_through);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x"))), other(respond_with(reply("x")));
    Sockets sockets;
    EasyHandle easy(passed_through ? "file:///etc/hostname" : other.url());
    if (passed_through) CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_URL, other.url().c_str());
    sockets.set_up_for(easy);
    if (tied) sockets.close_for(easy);
    CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_URL, origin.url().c_str());
    if (kept) CHECK(easy.perform() == CURLE_OK);
    CHECK(perform_and_jump_out(easy.get()));
    Sockets too_late;
    too_late.close_for(easy);
    easy.cleanup();
    // The one that it was left with is closed, but by nobody's function.
    CHECK(sockets.closed == (tied ? 1 : 0));
    CHECK(too_late.closed == 0);
    CHECK(cache.stats().open == 0);
    CHECK(origin.wait_for_open(0));
    CHECK(other.wait_for_open(0));
}

TEST_CASE("a child closes its parent's sockets without the program's function", "[compat][private][fork]") {
    skip_where_a_child_has_no_threads();
    emptied_cache();
    const Origin origin(respond_with(reply("x")));
    Sockets sockets;
    EasyHandle easy(origin.url());
    sockets.open_for(easy);
    sockets.close_for(easy);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(in_child([&] {
              const auto fd = sockets.last;
              easy.cleanup();
              return sockets.closed == 0 && local_port(fd) == -1;
          }) == 0);
    CHECK(easy.perform() == CURLE_OK);
    CHECK(easy.connects() == 0);
    easy.cleanup();
    CHECK(sockets.closed == 1);
}

}  // namespace

TEST_CASE("an exception out of an open function leaves nothing behind", "[compat][private]") {
    const bool passed_through = GENERATE(false, true);
    const bool tls = GENERATE(false, true);
    CAPTURE(passed_through, tls);
    const auto cache = emptied_cache();
    EasyHandle easy("file:///etc/hostname");
    if (passed_through) CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_URL, tls ? "https://127.0.0.1:1/" : "http://127.0.0.1:1/");
    easy.set(
        CURLOPT_OPENSOCKETFUNCTION, +[](void*, curlsocktype, curl_sockaddr*) -> curl_socket_t {
            throw std::runtime_error("no socket today");
        });
    CHECK_THROWS_AS(easy.perform(), std::runtime_error);
    easy.cleanup();
    CHECK(cache.stats().open == 0);
    CHECK(cache.stats().leased == 0);
}

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
