// libcurl is the oracle: each scenario runs through its own functions and through the drop-in's.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "compat/scenario.hpp"
#include "ringlet/connection_cache.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

std::vector<std::string> transcript_of(const EasyApi& api, const Scenario& scenario, World& world) {
    ConnectionCache::process_wide().close_idle();
    Transcript transcript(api);
    scenario.run(transcript, world);
    return transcript.lines();
}

void compare(const std::vector<Scenario>& scenarios, std::size_t at_least) {
    CHECK(scenarios.size() >= at_least);
    World world;
    const auto before = ConnectionCache::process_wide().stats().requests;
    for (const auto& scenario : scenarios) {
        const auto wanted = transcript_of(plain_libcurl, scenario, world);
        const auto got = transcript_of(drop_in, scenario, world);
        CAPTURE(scenario.name);
        REQUIRE(wanted.size() > 20);
        const auto n = std::max(wanted.size(), got.size());
        for (std::size_t i = 0; i < n; ++i) {
            const auto line = [i](const std::vector<std::string>& lines) {
                return i < lines.size() ? lines[i].substr(0, 600) : std::string("(nothing)");
            };
            if (line(wanted) == line(got)) continue;
            CAPTURE(i);
            CHECK(line(got) == line(wanted));
            break;
        }
    }
    CHECK(ConnectionCache::process_wide().stats().requests > before);
}

TEST_CASE("verbs and bodies are as with libcurl", "[compat][differential]") {
    compare(verbs_and_bodies(), 14);
}
TEST_CASE("answers are as with libcurl", "[compat][differential]") {
    compare(answers(), 21);
}
TEST_CASE("errors are as with libcurl", "[compat][differential]") {
    compare(errors(), 18);
}
TEST_CASE("redirects and authentication are as with libcurl", "[compat][differential]") {
    compare(redirects_and_authentication(), 17);
}
TEST_CASE("TLS and HTTP/2 are as with libcurl", "[compat][differential]") {
    compare(tls_and_versions(), 10);
}
TEST_CASE("proxies, sockets and names are as with libcurl", "[compat][differential]") {
    compare(ways(), 10);
}
TEST_CASE("handles over time are as with libcurl", "[compat][differential]") {
    compare(handles_over_time(), 8);
}

}  // namespace
