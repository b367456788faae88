// What settings of a cache do to its connections on the wire, and what explain() says of a request.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/names.hpp"
#include "support/origin.hpp"
#include "support/threads.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

std::string with_hint(const std::string& value) {
    return reply("hello", 200, "Keep-Alive: " + value + "\r\n");
}

// The port of this end, and of the other.
std::optional<int> port_of(int fd, int (*ask)(int, sockaddr*, socklen_t*)) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (ask(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sin_family != AF_INET)
        return {};
    return ntohs(address.sin_port);
}

// The client's end of the one connection to that port; -1: there is none.
int client_socket(int port) {
    for (int fd = 3; fd < 1024; ++fd) {
        if (port_of(fd, &::getpeername) == port) return fd;
    }
    return -1;
}

int option(int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(fd, level, name, &value, &size) == 0);
    return value;
}

}  // namespace

TEST_CASE("a server's Keep-Alive hint shortens the time its connection is kept", "[wire]") {
    Origin origin(respond_with(with_hint("timeout=1, max=100")));
    Client client;
    client.session.get(origin.url()).consume();
    const auto start = Clock::now();
    CHECK(client.cache.stats().idle == 1);
    CHECK(origin.wait_for_ends(1));
    const auto kept = Clock::now() - start;
    CHECK(kept > 800ms);
    CHECK(kept < 4s);
    CHECK(eventually([&] { return client.cache.stats().closed_by[CloseReason::expired] == 1; }));
    client.check_end(origin.url());
}

TEST_CASE("a Keep-Alive hint does not lengthen the idle timeout", "[wire]") {
    Origin origin(respond_with(with_hint("timeout=60")));
    Client client([](auto& b) { b.idle_timeout(200ms); });
    client.session.get(origin.url()).consume();
    CHECK(origin.wait_for_ends(1));
    CHECK(eventually([&] { return client.cache.stats().closed_by[CloseReason::expired] == 1; }));
}

TEST_CASE("a connection that its server will not keep is not kept, where the hint is honoured", "[wire]") {
    const bool honoured = GENERATE(true, false);
    Origin origin(respond_with(with_hint("timeout=0")));
    Client client([&](auto& b) { b.honour_keep_alive_hint(honoured); });
    for (int i = 0; i < 2; ++i) client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == (honoured ? 2 : 1));
    CHECK(client.cache.stats().closed_by[CloseReason::expired] == (honoured ? 2 : 0));
}

TEST_CASE("a Keep-Alive hint without a number is none", "[wire]") {
    const auto* value =
        GENERATE("timeout=soon", "timeout=", "timeout", "timeout=-1", "max=0", "timeout=99999999999");
    CAPTURE(value);
    Origin origin(respond_with(with_hint(value)));
    Client client;
    for (int i = 0; i < 2; ++i) client.session.get(origin.url()).consume();
    CHECK(origin.accepts() == 1);
    CHECK(client.cache.stats().idle == 1);
}

TEST_CASE("tcp_keepalive() is set on each connection", "[wire]") {
    const bool on = GENERATE(true, false);
    Origin origin(respond_with(reply("hello")));
    Client client([&](auto& b) {
        if (on) b.tcp_keepalive(7s, 3s);
    });
    client.session.get(origin.url()).consume();
    const int fd = client_socket(origin.port());
    REQUIRE(fd >= 0);
    CHECK((option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0) == on);
    if (!on) return;
    CHECK(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 7);
    CHECK(option(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 3);
}

TEST_CASE("explain() says which connection a request would get, and why not another", "[wire]") {
    Origin origin(respond_with(reply("hello"))), other(respond_with(reply("hello")));
    Client client;
    const auto explain = [&] { return client.cache.explain(Request::get(origin.url())); };
    CHECK(explain().chosen == 0);
    client.session.get(origin.url()).consume();
    const auto id = client.cache.connections().at(0).id;
    auto found = explain();
    CHECK(found.chosen == id);
    REQUIRE(found.candidates.size() == 1);
    CHECK(found.candidates[0].usable);
    CHECK(found.candidates[0].connection.id == id);

    found = client.cache.explain(Request::get(other.url()));
    CHECK(found.chosen == 0);
    REQUIRE(found.candidates.size() == 1);
    CHECK_FALSE(found.candidates[0].usable);
    CHECK(found.candidates[0].reason.starts_with("other origin"));

    auto response = client.session.get(origin.url());
    found = explain();
    CHECK(found.chosen == 0);
    REQUIRE(found.candidates.size() == 1);
    CHECK(found.candidates[0].reason == "leased");
    response.consume();
    CHECK(explain().chosen == id);
}

TEST_CASE("host_limit() is the limit of one origin; the others keep the general one", "[wire]") {
    const bool stricter = GENERATE(true, false);
    const std::size_t general = stricter ? 3 : 1;
    const std::size_t own = stricter ? 1 : 3;
    Gate answer;
    const Script held = [&](Connection& connection) {
        while (connection.read_request()) {
            if (!connection.wait_for(answer, 20s)) return;
            connection.write(reply("hello"));
        }
    };
    Origin special(held), common(held);
    Client client([&](auto& b) {
        b.max_connections_per_host(general)
            .host_limit("HTTP://127.0.0.1:" + std::to_string(special.port()) + "/", own)
            .host_limit("http://127.0.0.2:" + std::to_string(common.port()), 7);
    });
    constexpr std::size_t each = 6;
    auto asking = std::async(std::launch::async, [&] {
        return on_threads(2 * each, [&](std::size_t i) {
            Session session(client.cache);
            const auto url = (i % 2 == 0 ? special : common).url();
            expect(session.send(Request::get(url).timeout(20s)).text() == "hello", "hello");
        });
    });
    const auto waiting = 2 * each - own - general;
    CHECK(eventually([&] { return client.cache.stats().waiting == waiting; }));
    CHECK(special.wait_for_requests(own));
    CHECK(common.wait_for_requests(general));
    CHECK(client.cache.stats().leased == own + general);
    answer.open();
    CHECK(asking.get() == std::vector<std::string>{});
    CHECK(special.peak_open() == own);
    CHECK(common.peak_open() == general);
    CHECK(special.accepts() == own);
    CHECK(common.accepts() == general);
    CHECK(special.request_count() == each);
    CHECK(common.request_count() == each);
    client.check_end(special.url());
}

TEST_CASE("dns_ttl() says how long a name's addresses are believed", "[wire]") {
    Names names;
    names.set("name.test", {"127.0.0.1"});
    Origin origin(respond_with(reply("hello")));
    const auto url = "http://name.test:" + std::to_string(origin.port()) + "/";
    // For each cache two connections, and one more after a pause.
    const Duration times[] = {0s, 2s, 60s, unlimited};
    std::vector<std::unique_ptr<Client>> clients;
    const auto lookups = [&](Client& client) {
        const auto before = names.lookups("name.test");
        CHECK(client.session.get(url).text() == "hello");
        client.cache.close_idle();
        return names.lookups("name.test") - before;
    };
    std::vector<std::size_t> first, second, third;
    for (const auto ttl : times) {
        auto& client = *clients.emplace_back(std::make_unique<Client>([&](auto& b) { b.dns_ttl(ttl); }));
        first.push_back(lookups(client));
        second.push_back(lookups(client));
    }
    std::this_thread::sleep_for(3100ms);  // why: libcurl counts in whole seconds
    for (auto& client : clients) third.push_back(lookups(*client));
    const auto one = first.at(0);  // newer libcurls ask for each family by itself
    CHECK(one > 0);
    CHECK(first == std::vector{one, one, one, one});
    CHECK(second == std::vector{one, std::size_t{0}, std::size_t{0}, std::size_t{0}});
    CHECK(third == std::vector{one, one, std::size_t{0}, std::size_t{0}});
    CHECK(origin.accepts() == 12);
}
