// Conformance: upload. Sources and servers that give up.
#include <algorithm>
#include <atomic>
#include <catch2/generators/catch_generators.hpp>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/posix.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

struct SourceBroken : std::runtime_error {
    SourceBroken() : std::runtime_error("source broken") {}
};

// Counts its lives; breaks after `breaks_after` bytes.
class CountedSource final : public Source {
  public:
    CountedSource(std::atomic<int>& destroyed, std::optional<std::uint64_t> size,
                  std::uint64_t breaks_after = UINT64_MAX)
        : destroyed_(destroyed), size_(size), breaks_after_(breaks_after) {}
    ~CountedSource() override { ++destroyed_; }
    CountedSource(const CountedSource&) = delete;
    CountedSource& operator=(const CountedSource&) = delete;

    std::size_t read(std::span<std::byte> to) override {
        if (given_ >= breaks_after_) throw SourceBroken();
        const auto left = size_.value_or(64 << 20) - given_;
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), left));
        std::memset(to.data(), 'c', n);
        given_ += n;
        return n;
    }
    std::optional<std::uint64_t> size() const override { return size_; }

  private:
    std::atomic<int>& destroyed_;
    std::optional<std::uint64_t> size_;
    std::uint64_t breaks_after_;
    std::uint64_t given_ = 0;
};

}  // namespace

TEST_CASE("C193 what a source throws reaches the caller, and no half body looks whole",
          "[conformance][C193]") {
    const bool sized = GENERATE(true, false);
    CAPTURE(sized);
    std::string received;
    Gate ended;
    Origin origin(scripts_in_turn({[&](Connection& c) {
                                       auto request = c.read_head();
                                       if (request && request->header("Expect"))
                                           c.write("HTTP/1.1 100 Continue\r\n\r\n");
                                       received = c.read_all();
                                       ended.open();
                                   },
                                   respond_with(ok)}));
    Client client;
    std::atomic<int> destroyed = 0;
    {
        const Body body(std::unique_ptr<Source>(new CountedSource(
            destroyed, sized ? std::optional<std::uint64_t>(4 << 20) : std::nullopt, 1 << 20)));
        CHECK_THROWS_AS(client.session.post(origin.url(), body), SourceBroken);
        CHECK(destroyed == 0);
    }
    REQUIRE(ended.wait());
    CHECK(received.size() > 0);
    CHECK(received.size() < (4u << 20));
    if (!sized) CHECK(received.find("\r\n0\r\n") == std::string::npos);
    CHECK(client.cache.stats().idle == 0);
    client.check_end(origin.url());
    CHECK(origin.accepts() == 2);
    client.session.get(origin.url()).consume();
    CHECK(destroyed == 1);
}

TEST_CASE("C193 a source that ends early is an error, not a short body", "[conformance][C193]") {
    Origin origin(scripts_in_turn({[](Connection& c) { c.read_request(); }, respond_with(ok)}));
    Client client;
    int reads = 0;
    const auto body = Body::pull(
        [&](std::span<std::byte> to) -> std::size_t {
            if (reads++ != 0) return 0;
            std::memset(to.data(), 'x', 10);
            return 10;
        },
        100);
    const auto outcome = outcome_of([&] { client.session.post(origin.url(), body); });
    CHECK(outcome.code == Errc::upload);
    CHECK(outcome.message.find("10 of 100") != std::string::npos);
    CHECK(origin.wait_for_ends(1));
    client.check_end(origin.url());
}

TEST_CASE("C193 a body file that cannot be read is an upload error before anything is sent",
          "[conformance][C193]") {
    Origin origin(respond_with(ok));
    Client client;
    const auto outcome =
        outcome_of([&] { client.session.put(origin.url(), std::filesystem::path("/nonexistent/body")); });
    CHECK(outcome.code == Errc::upload);
    CHECK(outcome.message.find("/nonexistent/body") != std::string::npos);
    CHECK(origin.accepts() == 0);
    client.check_end(origin.url());
}

TEST_CASE("C196 a server that dies during an upload is an error in good time", "[conformance][C196]") {
    const char* when = GENERATE("before a byte is read", "during the body", "after 100");
    const bool reset = GENERATE(false, true);
    CAPTURE(when, reset);
    const std::string moment = when;
    Origin origin(scripts_in_turn({[&](Connection& c) {
                                       auto request = c.read_head();
                                       if (!request) return;
                                       if (moment != "before a byte is read" && request->header("Expect")) {
                                           c.write("HTTP/1.1 100 Continue\r\n\r\n");
                                       }
                                       if (moment == "during the body") c.read_exactly(100'000);
                                       if (reset) return c.reset();
                                       c.close();
                                   },
                                   respond_with(ok)}),
                  [] {
                      OriginOptions options;
                      options.send_continue = false;
                      return options;
                  }());
    Client client;
    std::atomic<int> destroyed = 0;
    const auto start = Clock::now();
    {
        Body body(std::unique_ptr<Source>(new CountedSource(destroyed, 8 << 20)));
        const auto outcome = outcome_of(
            [&] { client.session.send(Request::post(origin.url(), std::move(body)).timeout(20s)); });
        CAPTURE(outcome.message);
        CHECK((outcome.code == Errc::empty_reply || outcome.code == Errc::connection_lost));
    }
    CHECK(Clock::now() - start < 10s);
    CHECK(client.cache.stats().idle == 0);
    client.check_end(origin.url());
    client.session.get(origin.url()).consume();
    CHECK(destroyed == 1);
}

TEST_CASE("C197 a source is destroyed exactly once, however its request ends", "[conformance][C197]") {
    std::atomic<int> destroyed = 0;
    const auto body = [&] { return Body(std::unique_ptr<Source>(new CountedSource(destroyed, 2 << 20))); };
    Client client;
    const char* how =
        GENERATE("success", "refused", "cancelled", "timeout", "early answer", "invalid", "never sent");
    CAPTURE(how);
    const std::string ending = how;
    OriginOptions options;
    options.send_continue = false;
    Origin origin(
        [&](Connection& c) {
            if (ending == "early answer") {
                if (c.read_head()) c.write(reply("no", 413, "Connection: close\r\n"));
                return;
            }
            while (c.read_request()) {
                if (ending == "success") c.write(ok);
            }
        },
        options);
    const auto url = ending == "refused"   ? "http://127.0.0.1:" + std::to_string(free_port()) + "/"
                     : ending == "invalid" ? std::string("no url at all://")
                                           : origin.url();
    std::stop_source stop;
    {
        auto request = Request::put(url, body());
        if (ending == "timeout") request.timeout(300ms);
        if (ending == "cancelled") {
            request.stop(stop.get_token());
            stop.request_stop();
        }
        if (ending == "success" || ending == "early answer") {
            auto response = client.session.send(request);
            CHECK(response.status() == (ending == "success" ? 200 : 413));
            response.consume();
        } else if (ending != "never sent") {
            CHECK(outcome_of([&] { client.session.send(request); }).threw);
        }
        CHECK(destroyed == 0);
    }
    // The session keeps its latest exchange, to use it again: not the body.
    CHECK(destroyed == 1);
    origin.close_all();
    origin.set_script(respond_with(ok));
    client.check_end(origin.url());
}
