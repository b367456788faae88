// Conformance: errors & bad input. Connections refused, and callbacks that throw.
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

struct CallbackBroken : std::runtime_error {
    CallbackBroken() : std::runtime_error("callback broken") {}
};

[[noreturn]] void throw_kind(int kind) {
    if (kind == 0) throw CallbackBroken();
    if (kind == 1) throw std::bad_alloc();
    throw 42;
}

int kind_thrown(const std::function<void()>& call) {
    try {
        call();
        return -1;
    } catch (const CallbackBroken&) {
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    } catch (int) {
        return 2;
    }
}

}  // namespace

TEST_CASE("C169 a refused port is an error at once, and forgotten when somebody listens",
          "[conformance][C169]") {
    const auto port = free_port();
    const auto url = "http://127.0.0.1:" + std::to_string(port) + "/";
    Client client;
    const auto start = Clock::now();
    const auto refused = outcome_of([&] { client.session.get(url); });
    CHECK(Clock::now() - start < 2s);
    CHECK(refused.code == Errc::connect);
    CHECK(refused.native_code == CURLE_COULDNT_CONNECT);
    CHECK(refused.phase == Phase::connect);
    CHECK(refused.remote_address == "127.0.0.1:" + std::to_string(port));
    CHECK(refused.message.find(url) != std::string::npos);
    CHECK(refused.message.find("connect") != std::string::npos);
    CHECK(refused.message.find(refused.remote_address) != std::string::npos);
    CHECK(refused.retryable);
    CHECK(client.cache.stats().opened == 0);

    OriginOptions options;
    options.port = port;
    Origin origin(respond_with(ok), options);
    CHECK(client.session.get(url).text() == "ok");
    client.check_end(url);
}

TEST_CASE("C170 an exception from a source is rethrown to the caller", "[conformance][C170]") {
    const int kind = GENERATE(0, 1, 2);
    const bool later = GENERATE(false, true);
    CAPTURE(kind, later);
    Origin origin(scripts_in_turn({[](Connection& c) { c.read_request(); }, respond_with(ok)}));
    Client client;
    bool first = true;
    const auto body = Body::pull([&](std::span<std::byte> to) -> std::size_t {
        if (!later || !std::exchange(first, false)) throw_kind(kind);
        to[0] = std::byte{'x'};
        return 1;
    });
    CHECK(kind_thrown([&] { client.session.post(origin.url(), body); }) == kind);
    CHECK(client.cache.stats().idle == 0);
    CHECK(origin.wait_for_ends(1));
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
}

TEST_CASE("C170 an exception from progress() is rethrown to the caller", "[conformance][C170]") {
    const int kind = GENERATE(0, 1, 2);
    const bool in_body = GENERATE(false, true);
    CAPTURE(kind, in_body);
    Origin origin(scripts_in_turn({[](Connection& c) {
                                       c.read_request();
                                       c.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
                                       c.write_slowly(std::string(100'000, 'p'), 10'000, 60ms);
                                       c.wait_for_fin();
                                   },
                                   respond_with(ok)}));
    Client client;
    const auto request = Request::get(origin.url()).progress([&](const Progress& p) {
        if (!in_body || p.downloaded > 20'000) throw_kind(kind);
    });
    {
        CHECK(kind_thrown([&] { client.session.send(request).text(); }) == kind);
    }
    CHECK(client.cache.stats().idle == 0);
    if (in_body) CHECK(origin.wait_for_ends(1));  // else it was thrown before there was a connection
    CHECK(client.drop_warnings() == 0);
    origin.close_all();
    origin.set_script(respond_with(ok));
    client.check_end(origin.url());
}

TEST_CASE("C170 an exception from an observer is logged and hurts nobody", "[conformance][C170]") {
    struct Throwing final : Observer {
        void on_event(const Event&) override { throw CallbackBroken(); }
    };
    Origin origin(respond_with(ok));
    Client client([](auto& b) { b.observer(std::make_shared<Throwing>()); });
    CHECK(client.session.get(origin.url()).text() == "ok");
    CHECK(client.session.get(origin.url()).text() == "ok");
    CHECK(origin.accepts() == 1);
    client.check_end(origin.url());
}

TEST_CASE("C170 a rewind that throws ends the replay with what it threw", "[conformance][C170]") {
    OriginOptions options;
    options.send_continue = false;
    Origin origin(scripts_in_turn({[](Connection& c) {
                                       c.read_request();
                                       c.write(ok);
                                       c.read_request();
                                       c.close();
                                   },
                                   respond_with(ok)}),
                  options);
    Client client;
    client.session.get(origin.url()).text();
    int reads = 0;
    const auto body = Body::pull(
        [&](std::span<std::byte> to) -> std::size_t {
            if (reads++ != 0) return 0;
            to[0] = std::byte{'x'};
            return 1;
        },
        1, []() -> bool { throw CallbackBroken(); });
    CHECK(kind_thrown([&] { client.session.put(origin.url(), body); }) == 0);
    client.check_end(origin.url());
}
