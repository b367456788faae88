// Bodies that fail, or end early, and what is said of it: in a handler of the caller's, after a pause, in a
// drain, before their upload is over.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

const std::string cut_short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";

std::string little_endian(std::uint32_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
    return text;
}

// A frame of blocks that each repeat one byte (RFC 8878): 400'000 bytes in some twenty.
std::string zstd_of(std::uint32_t size) {
    std::string frame("\x28\xb5\x2f\xfd\xa0", 5);  // magic; the size follows, and the window is as large
    frame += little_endian(size, 4);
    constexpr std::uint32_t largest = 128 * 1024, repeat = 1 << 1;
    while (size != 0) {
        const auto n = std::min(size, largest);
        size -= n;
        frame += little_endian(n << 3 | repeat | (size == 0 ? 1 : 0), 3) + 'x';
    }
    return frame;
}

bool decodes_zstd() {
    return (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ZSTD) != 0;
}

}  // namespace

TEST_CASE("a body that fails inside a handler of the caller's throws its own error", "[wire][body]") {
    Origin origin(respond_and_close(cut_short));
    Client client;
    auto response = client.session.get(origin.url());
    try {
        throw std::runtime_error("the caller's own");
    } catch (const std::runtime_error&) {
        CHECK(outcome_of([&] { response.text(); }).code == Errc::truncated);
        std::error_code ec;
        CHECK_NOTHROW(response.text(ec));
        CHECK(ec == Errc::truncated);
    }
    CHECK(outcome_of([&] { response.text(); }).code == Errc::truncated);
    auto other = client.session.get(origin.url());
    try {
        throw std::runtime_error("the caller's own");
    } catch (const std::runtime_error&) {
        CHECK(read_to_end(other).outcome.code == Errc::truncated);
    }
    auto third = client.session.get(origin.url());
    try {
        throw std::runtime_error("the caller's own");
    } catch (const std::runtime_error&) {
        CHECK(outcome_of([&] { third.consume(); }).code == Errc::truncated);
    }
}

TEST_CASE("what fails in a drain says so in its phase", "[wire][body]") {
    Origin origin(respond_and_close(cut_short));
    Client client;
    auto response = client.session.get(origin.url());
    const auto outcome = outcome_of([&] { response.consume(); });
    CHECK(outcome.code == Errc::truncated);
    CHECK(outcome.phase == Phase::drain);
}

TEST_CASE("max_body_size is not for perform(), which has libcurl's own MAXFILESIZE", "[wire][body]") {
    Origin origin(respond_with(reply(std::string(100'000, 'x'))));
    Client client;
    std::string got;
    client.session.max_body_size(10);
    client.session.setopt(CURLOPT_URL, origin.url());
    client.session.setopt(CURLOPT_WRITEFUNCTION, [&](char* data, std::size_t, std::size_t size) {
        got.append(data, size);
        return size;
    });
    client.session.perform();
    CHECK(got == std::string(100'000, 'x'));
    auto response = client.session.get(origin.url());
    CHECK(outcome_of([&] { response.text(); }).code == Errc::too_large);
}

// Above 256 KiB libcurl is paused, and what it holds back comes when it goes on.
TEST_CASE("a body that is too large behind a pause is an error, and no file of it stays", "[wire][body]") {
    if (!decodes_zstd()) SKIP("this libcurl has no zstd");
    Origin origin(respond_with(reply(zstd_of(400'000), 200, "Content-Encoding: zstd\r\n")));
    Client client;
    {
        auto whole = client.session.get(origin.url());
        CHECK(whole.text() == std::string(400'000, 'x'));
    }
    const auto limited = Request::get(origin.url()).max_body_size(300'000);
    {
        auto response = client.session.send(limited);
        CHECK(outcome_of([&] { response.text(); }).code == Errc::too_large);
        CHECK(response.body_state() == BodyState::failed);
    }
    {
        TempDir directory;
        const auto path = directory / "body";
        auto response = client.session.send(limited);
        CHECK(outcome_of([&] { response.save_to(path); }).code == Errc::too_large);
        CHECK_FALSE(std::filesystem::exists(path));
    }
    {
        auto response = client.session.send(limited);
        CHECK(read_to_end(response).outcome.code == Errc::too_large);
    }
    client.check_end(origin.url());
}

// The time can be over between any two looks at the clock.
TEST_CASE("a drain whose time is over never says that it is complete", "[wire][body]") {
    Origin origin([](Connection& connection) {
        connection.read_request();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun");
        connection.wait_for_fin();
    });
    Client client;
    int wrong = 0;
    for (int i = 0; i < 2000; ++i) {
        auto response = client.session.get(origin.url());
        const auto result = response.consume({.time = std::chrono::nanoseconds(i * 10)});
        if (result.reason != CloseReason::drain_timeout || response.body_state() != BodyState::abandoned)
            ++wrong;
    }
    CHECK(wrong == 0);
}

TEST_CASE("a response that is dropped before its upload is over does not ask the source", "[wire][upload]") {
    Gate release;
    std::atomic<bool> dropping{false};
    std::atomic<int> asked_late{0};
    Origin origin([](Connection& connection) {
        connection.read_head();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        connection.wait_for_fin(10s);
    });
    Client client([](auto& builder) { builder.drain_on_drop(64 * 1024, 100ms); });
    auto body = Body::pull([&](std::span<std::byte> to) -> std::size_t {
        if (dropping) {
            ++asked_late;
            release.wait(2s);
            return 0;
        }
        std::this_thread::sleep_for(1ms);  // why: a source that is slower than the server
        to[0] = std::byte{'x'};
        return 1;
    });
    std::optional<Response> response(
        client.session.send(Request::post(origin.url(), body).header("Expect", "")));
    dropping = true;
    const auto start = Clock::now();
    response.reset();
    CHECK(Clock::now() - start < 500ms);
    CHECK(asked_late == 0);
    release.open();
    CHECK(client.drop_warnings() == 1);
    CHECK(client.at_rest());
}

TEST_CASE("an answer that was read in full is not called unread when its upload is not over",
          "[wire][upload]") {
    Origin origin([](Connection& connection) {
        connection.read_head();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        connection.wait_for_fin(10s);
    });
    Client client;
    const auto endless = Body::pull([](std::span<std::byte> to) -> std::size_t {
        std::this_thread::sleep_for(1ms);  // why: a source that is slower than the server
        to[0] = std::byte{'x'};
        return 1;
    });
    {
        auto response = client.session.send(Request::post(origin.url(), endless).header("Expect", ""));
        CHECK(read_bytes(response, 5) == "hello");
    }
    CHECK(client.drop_warnings() == 0);
    CHECK(client.cache.stats().dropped_unread == 0);
    CHECK(client.at_rest());
}

TEST_CASE("an answer without a body is complete, whatever becomes of its upload", "[wire][upload]") {
    Origin origin(scripts_in_turn({[](Connection& connection) {
                                       connection.read_head();
                                       connection.write("HTTP/1.1 204 No Content\r\n\r\n");
                                       connection.sleep(50ms);
                                       connection.reset();
                                   },
                                   respond_with(reply("ok"))}));
    Client client;
    const auto response = client.session.send(
        Request::put(origin.url(), std::string(64 << 20, 'x')).header("Expect", "").timeout(10s));
    CHECK(response.status() == 204);
    CHECK(response.body_state() == BodyState::complete);
    CHECK(client.session.get(origin.url()).text() == "ok");  // the session is free
}

TEST_CASE("timings are 0 until the end of the body, after a redirect too", "[wire][body]") {
    Gate go_on;
    Origin origin([&](Connection& connection) {
        while (const auto request = connection.read_request()) {
            if (request->target == "/a") {
                connection.write(reply("", 302, "Location: /b\r\n"));
                continue;
            }
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
            connection.wait_for(go_on);
            connection.write("hello");
        }
    });
    Client client;
    auto response = client.session.get(origin.url("/a"));
    CHECK(response.timings().total.count() == 0);
    CHECK(response.timings().sent.count() == 0);
    go_on.open();
    CHECK(response.text() == "hello");
    CHECK(response.timings().total.count() > 0);
    CHECK(response.timings().redirects.count() > 0);
}

// Under ThreadSanitizer it tells of the race itself.
TEST_CASE("a session may say that it is busy while another thread drops its response", "[wire][threads]") {
    Origin origin(respond_with(reply(std::string(1000, 'x'))));
    Client client;
    std::atomic<Response*> handed{nullptr};
    std::jthread dropper([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const std::unique_ptr<Response> response(handed.exchange(nullptr));
        }
    });
    int busy = 0;
    for (int i = 0; i < 2000; ++i) {
        handed = std::make_unique<Response>(client.session.get(origin.url())).release();
        while (true) {
            std::error_code ec;
            auto response = client.session.get(origin.url(), ec);
            if (!ec) {
                response.consume();
                break;
            }
            REQUIRE(ec == Errc::session_busy);
            ++busy;
        }
    }
    CHECK(busy > 0);
    const std::unique_ptr<Response> last(handed.exchange(nullptr));
}
