// ringlet/curl.h: the program's own functions that make, set up and close sockets.
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include "compat/easy_handle.hpp"
#include "compat/inside.hpp"
#include "compat/parked.hpp"
#include "compat/program.hpp"
#include "compat/sockets.hpp"
#include "support/child.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

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
    const bool passed_through = GENERATE(false, true);  // before: it has a multi of its own since
    const bool tls = GENERATE(false, true);
    CAPTURE(passed_through, tls);
    const auto cache = emptied_cache();
    const Origin origin(respond_with(reply("x")));
    EasyHandle easy("file:///etc/hostname");
    if (passed_through) CHECK(easy.perform() == CURLE_OK);
    easy.set(CURLOPT_URL,
             ((tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(origin.port())).c_str());
    easy.set(
        CURLOPT_OPENSOCKETFUNCTION,
        +[](void*, curlsocktype, curl_sockaddr*) -> curl_socket_t { throw std::runtime_error("enough"); });
    CHECK_THROWS_WITH(easy.perform(), "enough");
    easy.cleanup();
    CHECK(cache.stats().open == 0);
    CHECK(cache.stats().leased == 0);
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
