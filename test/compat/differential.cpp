// libcurl is the oracle: each scenario runs through its own functions and through the drop-in's.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "compat/scenario.hpp"
#include "ringlet/connection_cache.hpp"

namespace {

using namespace ringlet;
using namespace ringlet::test;

using Lines = std::vector<std::string>;

Transcript transcript_of(const EasyApi& api, const Scenario& scenario, World& world) {
    Transcript transcript(api);
    scenario.run(transcript, world);
    return transcript;
}

bool made_tunnel(const Lines& lines) {
    return std::find(lines.begin(), lines.end(), "connect code 0 200") != lines.end();
}

/// What does not depend on whether there was a connection: libcurl speaks of those, counts them, and tells
/// what a proxy said when a tunnel was made.
Lines without_connections(const Lines& lines, bool tunnels) {
    Lines kept;
    bool in_proxy_head = false;
    for (const auto& line : lines) {
        if (line.starts_with("H HTTP/1.1 200 Connection established")) in_proxy_head = true;
        const bool of_tunnel = in_proxy_head || line.starts_with("connect code ") ||
                               line.starts_with("header size ") || line.starts_with("request size ");
        const bool of_connection = line.starts_with("V ") || line.starts_with("connects ");
        if (!of_connection && !(tunnels && of_tunnel)) kept.push_back(line);
        if (line == "H \r\n") in_proxy_head = false;
    }
    return kept;
}

void check_same(const Lines& got, const Lines& wanted) {
    const auto n = std::max(wanted.size(), got.size());
    for (std::size_t i = 0; i < n; ++i) {
        const auto line = [i](const Lines& lines) {
            return i < lines.size() ? lines[i].substr(0, 600) : std::string("(nothing)");
        };
        if (line(wanted) == line(got)) continue;
        CAPTURE(i);
        CHECK(line(got) == line(wanted));
        break;
    }
}

void compare(const std::vector<Scenario>& scenarios, std::size_t at_least) {
    CHECK(scenarios.size() >= at_least);
    World world;
    auto cache = ConnectionCache::process_wide();
    std::uint64_t reused = 0;
    for (const auto& scenario : scenarios) {
        CAPTURE(scenario.name);
        const auto wanted = transcript_of(plain_libcurl, scenario, world);
        REQUIRE(wanted.lines().size() > 20);
        cache.close_idle();
        auto before = cache.stats().requests;
        check_same(transcript_of(drop_in, scenario, world).lines(), wanted.lines());
        CHECK(cache.stats().requests - before == wanted.transfers() - scenario.without_lane);
        // Again, on the connections that are left of that.
        INFO("again");
        before = cache.stats().reused;
        const bool tunnels = made_tunnel(wanted.lines());
        check_same(without_connections(transcript_of(drop_in, scenario, world).lines(), tunnels),
                   without_connections(wanted.lines(), tunnels));
        reused += cache.stats().reused - before;
    }
    CHECK(reused > 0);
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
