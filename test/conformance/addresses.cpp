// Names and addresses: resolving, address families, local addresses, Unix sockets, spellings of hosts.
#include <catch2/catch_test_macros.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/names.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"
#include "support/temp_dir.hpp"
#include "support/timing.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

using Builder = ConnectionCache::Builder;

Script hello() {
    return respond_with(reply("hello"));
}

OriginOptions on(const std::string& address, std::uint16_t port = 0) {
    OriginOptions options;
    options.address = address;
    options.port = port;
    return options;
}

std::string url(const std::string& host, const Origin& origin) {
    return "http://" + host + ":" + std::to_string(origin.port()) + "/";
}

std::string peer_of(const Connection& connection) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    char text[INET_ADDRSTRLEN] = "";
    if (::getpeername(connection.fd(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) return {};
    ::inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text);
    return text;
}

}  // namespace

TEST_CASE("C181 a name that nobody knows is a resolve error", "[conformance][C181]") {
    Origin origin(hello());
    Names names;
    names.set("unknown.test", {});
    Client client([](Builder& b) { b.max_connections(1); });
    const auto outcome = outcome_of([&] { client.session.get("http://unknown.test/"); });
    CHECK(outcome.code == Errc::resolve);
    CHECK(outcome.phase == Phase::resolve);
    CHECK(outcome.retryable);
    CHECK(names.lookups("unknown.test") >= 1);
    CHECK(client.cache.stats().open == 0);
    client.check_end(origin.url());
}

TEST_CASE("C181 a slow resolver holds a request no longer than it may last", "[conformance][C181]") {
    Origin origin(hello());
    Names names;
    names.set("slow.test", {"127.0.0.1"});
    names.delay("slow.test", 30s);
    Client client([](Builder& b) { b.max_connections(1); });
    const auto slow = url("slow.test", origin);
    const auto timed = [&](Request request, Clock::duration least) {
        const auto before = Clock::now();
        const auto outcome = outcome_of([&] { client.session.send(request); });
        const auto took = Clock::now() - before;
        CHECK(outcome.code == Errc::timeout);
        CHECK(outcome.phase == Phase::resolve);
        CHECK(took >= least);
        CHECK(client.cache.stats().open == 0);
        return took;
    };
    SECTION("connect_timeout") {
        const bool in_time = ever_within(400ms, [&] {
            return timed(Request::get(slow).connect_timeout(300ms),
                         290ms);  // libcurl counts whole milliseconds
        });
        CHECK(in_time);
    }
    SECTION("timeout") {
        CHECK(ever_within(400ms, [&] { return timed(Request::get(slow).timeout(300ms), 300ms); }));
    }
    SECTION("a stop token") {
        const bool in_time = ever_within(100ms, [&] {
            std::stop_source stop;
            const auto lookups = names.lookups("slow.test");
            Outcome outcome;
            Clock::time_point ended;
            auto request = start_thread([&] {
                outcome = outcome_of([&] { client.session.send(Request::get(slow).stop(stop.get_token())); });
                ended = Clock::now();
            });
            CHECK(eventually([&] { return names.lookups("slow.test") > lookups; }));
            const auto before = Clock::now();
            stop.request_stop();
            request.join();
            CHECK(outcome.code == Errc::cancelled);
            CHECK(outcome.phase == Phase::resolve);
            CHECK(client.cache.stats().open == 0);
            return ended - before;
        });
        CHECK(in_time);
    }
    CHECK(origin.accepts() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C183 the address family is the one asked for", "[conformance][C183]") {
    Names names;
    names.set("dual.test", {"::1", "127.0.0.1"});
    Origin six(hello(), on("::1"));
    Client client;
    client.session.ip_version(IpVersion::v4);
    CHECK(outcome_of([&] { client.session.get(url("dual.test", six)); }).code == Errc::connect);
    CHECK(six.accepts() == 0);
    Session any(client.cache);
    CHECK(any.get(url("dual.test", six)).text() == "hello");
    Session v6(client.cache);
    v6.ip_version(IpVersion::v6);
    CHECK(v6.get(url("dual.test", six)).text() == "hello");
    // Kept connections over IPv6 are there, and not for a request that wants IPv4.
    CHECK(outcome_of([&] { client.session.get(url("dual.test", six)); }).code == Errc::connect);
    CHECK(six.request_count() == 2);
    client.check_end(six.url());
}

TEST_CASE("C184 connections bound to a local address are a kind of their own", "[conformance][C184]") {
    std::mutex mutex;
    std::vector<std::string> peers;
    Origin origin([&](Connection& connection) {
        while (connection.read_request()) {
            {
                const std::lock_guard lock(mutex);
                peers.push_back(peer_of(connection));
            }
            connection.write(reply("hello"));
        }
    });
    Client client;
    Session bound(client.cache);
    bound.local_address("127.0.0.2");
    auto response = bound.get(origin.url());
    CHECK(response.local_address().starts_with("127.0.0.2:"));
    response.consume();
    client.session.get(origin.url()).consume();
    bound.get(origin.url()).consume();
    client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 2);
    {
        const std::lock_guard lock(mutex);
        CHECK(peers == std::vector<std::string>{"127.0.0.2", "127.0.0.1", "127.0.0.2", "127.0.0.1"});
    }
    Session invalid(client.cache);
    invalid.local_address("192.0.2.77");
    const auto outcome = outcome_of([&] { invalid.get(origin.url()); });
    CHECK((outcome.code == Errc::connect || outcome.code == Errc::invalid_argument));
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C185 unix sockets are part of what makes connections equal", "[conformance][C185]") {
    const TempDir directory;
    const auto at = [&](const char* name) {
        OriginOptions options;
        options.unix_path = (directory / name).string();
        return options;
    };
    Origin one(hello(), at("one"));
    Origin two(hello(), at("two"));
    Origin tcp(hello());
    Client client;
    const auto get = [&](const std::string& path) {
        Session session(client.cache);
        if (!path.empty()) session.unix_socket(path);
        auto response = session.get(url("127.0.0.1", tcp) + "items");
        CHECK(response.text() == "hello");
    };
    for (int i = 0; i < 2; ++i) {
        get(one.unix_path());
        get(two.unix_path());
        get({});
    }
    for (const auto* origin : {&one, &two, &tcp}) {
        CHECK(origin->accepts() == 1);
        CHECK(origin->request_count() == 2);
        for (const auto& request : origin->requests()) {
            CHECK(request.header("Host") == "127.0.0.1:" + std::to_string(tcp.port()));
            CHECK(request.target == "/items");
        }
    }
    client.check_end(tcp.url());
}

TEST_CASE("C185 a name need not resolve to be asked for over a unix socket", "[conformance][C185]") {
    const TempDir directory;
    OriginOptions options;
    options.unix_path = (directory / "socket").string();
    Origin origin(hello(), options);
    Client client;
    client.session.unix_socket(origin.unix_path());
    for (int i = 0; i < 3; ++i) CHECK(client.session.get("http://docker.invalid/info").text() == "hello");
    CHECK(origin.accepts() == 1);
    CHECK(origin.requests()[0].header("Host") == "docker.invalid");
    origin.close_all();
    CHECK(client.session.get("http://docker.invalid/info").text() == "hello");
    CHECK(origin.accepts() == 2);
    CHECK(client.at_rest());
}

TEST_CASE("C187 a server that moves is found at its new address", "[conformance][C187]") {
    Names names;
    names.set("moving.test", {"127.0.0.1"});
    Origin old_home(hello(), on("127.0.0.1"));
    Origin new_home(hello(), on("127.0.0.2", old_home.port()));
    Client client([](Builder& b) { b.dns_ttl(1s); });
    const auto there = url("moving.test", old_home);
    client.session.get(there).consume();
    names.set("moving.test", {"127.0.0.2"});
    std::this_thread::sleep_for(2100ms);  // why: what was resolved is to expire
    client.session.get(there).consume();  // the kept connection is as good as ever
    CHECK(old_home.request_count() == 2);
    CHECK(new_home.accepts() == 0);
    old_home.close_all();
    CHECK(client.session.get(there).text() == "hello");
    CHECK(old_home.accepts() == 1);
    CHECK(new_home.accepts() == 1);
    client.check_end(there);
}

TEST_CASE("C187 a name that could not be resolved is asked for again", "[conformance][C187]") {
    Names names;
    names.set("late.test", {});
    Origin origin(hello());
    Client client;
    CHECK(outcome_of([&] { client.session.get(url("late.test", origin)); }).code == Errc::resolve);
    names.set("late.test", {"127.0.0.1"});
    CHECK(client.session.get(url("late.test", origin)).text() == "hello");
    client.check_end(origin.url());
}

TEST_CASE("C188 spellings of a host", "[conformance][C188]") {
    SECTION("IPv6 in brackets") {
        Origin origin(hello(), on("::1"));
        const auto port = ":" + std::to_string(origin.port());
        Client client;
        CHECK(client.session.get("http://[::1]" + port + "/").text() == "hello");
        CHECK(client.session.get("http://[0:0:0:0:0:0:0:1]" + port + "/").text() == "hello");
        CHECK(origin.accepts() == 1);
        CHECK(origin.requests()[0].header("Host") == "[::1]" + port);
        CHECK(client.cache.connections().at(0).origin == "http://[::1]" + port);
        CHECK(client.session.get("http://[::1%25lo]" + port + "/").text() == "hello");
        CHECK(origin.requests()[2].header("Host") == "[::1]" + port);
        CHECK(origin.accepts() == 2);  // a zone makes another address
        client.check_end(origin.url());
    }
    SECTION("IPv4 as numbers") {
        Origin origin(hello());
        const auto port = ":" + std::to_string(origin.port());
        Client client;
        for (const auto* host : {"127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.01"}) {
            INFO(host);
            CHECK(client.session.get("http://" + std::string(host) + port + "/").text() == "hello");
        }
        CHECK(origin.accepts() == 1);
        for (const auto& request : origin.requests()) CHECK(request.header("Host") == "127.0.0.1" + port);
        client.check_end(origin.url());
    }
    SECTION("a trailing dot is a host of its own") {
        Names names;  // whether the system's resolver knows it is another question
        for (const auto* name : {"localhost.", "LOCALHOST."}) names.set(name, {"127.0.0.1"});
        Origin origin(hello());
        Client client;
        CHECK(client.session.get(url("localhost", origin)).text() == "hello");
        CHECK(client.session.get(url("localhost.", origin)).text() == "hello");
        CHECK(client.session.get(url("LOCALHOST.", origin)).text() == "hello");
        CHECK(origin.accepts() == 2);
        client.check_end(origin.url());
    }
    SECTION("https to an address that the certificate names") {
        OriginOptions tls;
        tls.tls = true;
        for (const auto* address : {"127.0.0.1", "::1"}) {
            tls.address = address;
            Origin origin(hello(), tls);
            Client client;
            client.session.ca_blob(TestCa::instance().pem());
            CHECK(client.session.get(origin.url()).text() == "hello");
            CHECK(client.session.get(origin.url()).text() == "hello");
            CHECK(origin.accepts() == 1);
            CHECK(client.at_rest());
        }
    }
    SECTION("https with a trailing dot: the certificate's name has none") {
        Names names;
        names.set("localhost.", {"127.0.0.1"});
        std::mutex mutex;
        std::string sni;
        OriginOptions tls;
        tls.tls = true;
        Origin origin(
            [&](Connection& connection) {
                {
                    const std::lock_guard lock(mutex);
                    sni = connection.sni();
                }
                respond_with(reply("hello"))(connection);
            },
            tls);
        Client client;
        client.session.ca_blob(TestCa::instance().pem());
        CHECK(client.session.get("https://localhost.:" + std::to_string(origin.port()) + "/").text() ==
              "hello");
        const std::lock_guard lock(mutex);
        CHECK(sni == "localhost");
        CHECK(client.at_rest());
    }
}
