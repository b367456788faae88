// Bodies read in pieces: every byte once and in order, whatever the caller's buffers, the framing and the
// pauses that they bring about.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/certificates.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// No two stretches are alike: a piece that is lost, doubled or out of place shows.
std::string pattern(std::size_t size) {
    std::string text;
    for (unsigned line = 0; text.size() < size; ++line) text += std::to_string(line) + '\n';
    text.resize(size);
    return text;
}

enum class Framing { length, chunks, close };

std::string head_for(Framing framing, std::size_t size) {
    const std::string line = "HTTP/1.1 200 OK\r\n";
    if (framing == Framing::length) return line + "Content-Length: " + std::to_string(size) + "\r\n\r\n";
    return line + (framing == Framing::chunks ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
}

std::string framed(Framing framing, std::string_view body) {
    if (framing != Framing::chunks) return std::string(body);
    std::string text;
    for (std::size_t size = 1; !body.empty(); size = size * 7 % 40'009) {
        const auto chunk = body.substr(0, size);
        char length[20];
        std::snprintf(length, sizeof length, "%zx\r\n", chunk.size());
        text.append(length).append(chunk).append("\r\n");
        body.remove_prefix(chunk.size());
    }
    return text + "0\r\n\r\n";
}

// Reads with a buffer of each size in turn.
std::string read_with(Response& response, std::span<const std::size_t> sizes) {
    std::string text;
    std::vector<std::byte> buffer;
    for (std::size_t i = 0;; ++i) {
        buffer.resize(sizes[i % sizes.size()]);
        const auto n = response.read(buffer);
        if (n == 0) return text;
        text.append(reinterpret_cast<const char*>(buffer.data()), n);
    }
}

}  // namespace

TEST_CASE("a body comes whole through buffers of any size", "[wire][body]") {
    const auto framing = GENERATE(Framing::length, Framing::chunks, Framing::close);
    const bool tls = GENERATE(false, true);
    CAPTURE(static_cast<int>(framing), tls);
    const auto body = pattern(700'001);
    OriginOptions options;
    options.tls = tls;
    Origin origin(
        [&](Connection& connection) {
            while (connection.read_request()) {
                connection.write(head_for(framing, body.size()) + framed(framing, body));
                if (framing == Framing::close) return connection.close();
            }
        },
        options);
    Client client;
    client.session.ca_blob(TestCa::instance().pem()).timeout(10s);
    const std::vector<std::vector<std::size_t>> all = {
        {1'000},   {16 * 1024},    {64 * 1024},
        {100'000}, {1 << 20},      {1, 64 * 1024, 5, 16 * 1024, 70'000, 300, 200'000},
        {65'535},  {1, 2, 65'537},
    };
    for (const auto& sizes : all) {
        CAPTURE(sizes);
        auto response = client.session.get(origin.url());
        CHECK(read_with(response, sizes) == body);
        CHECK(response.body_state() == BodyState::complete);
    }
    const bool kept = framing != Framing::close;
    CHECK(origin.accepts() == (kept ? 1 : all.size()));
    CHECK(client.cache.stats().idle == (kept ? 1 : 0));
    CHECK(client.drop_warnings() == 0);
}

// A pause of the answer is none of the upload: the server sends the second half only after the whole request.
TEST_CASE("an upload goes on while its answer waits for the reader", "[wire][body][upload]") {
    const auto body = pattern(600'000);
    const std::string upload(6 << 20, 'u');
    OriginOptions options;
    options.receive_buffer = 16 * 1024;
    options.send_continue = false;
    Origin origin(
        [&](Connection& connection) {
            auto request = connection.read_head();
            if (!request) return;
            connection.write(head_for(Framing::length, body.size()) + body.substr(0, 300'000));
            if (connection.read_body(*request)) connection.write(body.substr(300'000));
            connection.wait_for_fin();
        },
        options);
    Client client;
    auto response =
        client.session.send(Request::post(origin.url()).body(upload).header("Expect", "").timeout(20s));
    const std::array<std::size_t, 2> sizes = {1'000, 64 * 1024};
    CHECK(read_with(response, sizes) == body);
    CHECK(client.cache.stats().idle == 1);
}

TEST_CASE("what is left behind a pause can be consumed, and its connection is kept", "[wire][body]") {
    const auto body = pattern(400'000);
    Origin origin(respond_with(reply(body)));
    Client client;
    for (const std::size_t taken : {1U, 20'000U, 64U * 1024, 399'999U}) {
        CAPTURE(taken);
        auto response = client.session.get(origin.url());
        CHECK(read_bytes(response, taken) == body.substr(0, taken));
        CHECK(response.consume().reused);
    }
    CHECK(origin.accepts() == 1);
}
