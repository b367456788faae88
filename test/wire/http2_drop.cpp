// Dropping a half-read HTTP/2 response (behaviour.md, section 3): its stream is reset, the connection stays.
#include <curl/curl.h>

#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>

#include "support/fixture.hpp"
#include "support/h2_origin.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

constexpr std::size_t begun = 1000;

// Answers the first request with the head and the first bytes of a body of that size, then nothing more on
// that stream; what comes later is answered whole. Notes the client's reset of the first stream.
Script begins_only_the_first(std::size_t size, std::atomic<bool>& reset) {
    return h2_script([size, &reset](H2Session& session) {
        session.serve([&](const H2Request& request) -> H2Action {
            if (session.connection().index() == 0 && request.stream == 1) {
                return [size](H2Session& to, std::uint32_t stream) {
                    return to.send_headers(stream, 200, {{"content-length", std::to_string(size)}}) &&
                           to.queue_data(stream, std::string(begun, 'x'), false);
                };
            }
            if (session.reset_by_client(1)) reset = true;
            return h2_respond("next");
        });
    });
}

struct Outcome {
    std::size_t accepts;
    bool reset;
    bool reused;
};

// Ends the first of two requests by `end`, after ten bytes of it.
Outcome end_half_read(Client& client, std::size_t size, const std::function<void(Response)>& end) {
    std::atomic<bool> reset = false;
    Origin origin(begins_only_the_first(size, reset), h2_options());
    client.session.ca_blob(TestCa::instance().pem());
    auto half_read = client.session.get(origin.url());
    REQUIRE(half_read.version() == ringlet::Protocol::http_2);
    CHECK(read_bytes(half_read, 10) == std::string(10, 'x'));
    end(std::move(half_read));
    auto next = client.session.get(origin.url());
    const bool reused = next.reused();
    CHECK(next.text() == "next");
    CHECK(client.at_rest());
    return {origin.accepts(), reset, reused};
}

}  // namespace

TEST_CASE("dropping a half-read HTTP/2 response resets its stream and keeps the connection",
          "[wire][http2]") {
    Client client;
    const bool told_to = GENERATE(false, true);
    CAPTURE(told_to);
    const auto outcome = end_half_read(client, 5000, [&](Response response) {
        if (told_to) response.abort();
    });
    CHECK(outcome.accepts == 1);
    CHECK(outcome.reused);
    CHECK(outcome.reset);
    CHECK(client.log.warnings().empty());
    const auto stats = client.cache.stats();
    CHECK(stats.closed == 0);
    CHECK(stats.reused == 1);
    CHECK(stats.dropped_unread == (told_to ? 0 : 1));
    CHECK(client.events->count(Event::Kind::dropped) == (told_to ? 0 : 1));
}

TEST_CASE("a half-read HTTP/2 response with much left costs its connection before libcurl 8.15",
          "[wire][http2]") {
    Client client;
    const bool reset_leaves_at_once = curl_version_info(CURLVERSION_NOW)->version_num >= 0x080f00;
    const auto outcome = end_half_read(client, 10'000'000, [](Response) {});
    const auto stats = client.cache.stats();
    CHECK(stats.dropped_unread == 1);
    if (reset_leaves_at_once) {
        CHECK(outcome.accepts == 1);
        CHECK(outcome.reset);
        CHECK(client.log.warnings().empty());
        CHECK(stats.closed == 0);
    } else {
        CHECK(outcome.accepts == 2);
        CHECK_FALSE(outcome.reused);
        CHECK(client.drop_warnings() == 1);
        CHECK(stats.closed_by[CloseReason::unread_body] == 1);
    }
}
