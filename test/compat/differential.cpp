// libcurl is the oracle: each scenario runs through its own functions and through the drop-in's.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstddef>
#include <regex>
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

/// What libcurl says of a connection after a request has left on it, which it says once. The number of a
/// connection depends on those before it.
std::string without_number_of_connection(const std::string& line) {
    static const std::regex once("^V (TLSv1|old SSL session|Mark bundle)[^]*");
    static const std::regex number("([Cc]onnection #?)[0-9]+");
    return std::regex_match(line, once) ? "" : std::regex_replace(line, number, "$1N");
}

/// What does not depend on whether there was a connection: libcurl speaks of those until the request leaves,
/// counts them, and tells what a proxy said when a tunnel was made.
Lines without_connections(const Lines& lines, bool tunnels) {
    Lines kept;
    bool in_proxy_head = false, connecting = true;
    for (const auto& line : lines) {
        if (line.starts_with("V ")) {
            const auto said = connecting ? "" : without_number_of_connection(line);
            if (!said.empty()) kept.push_back(said);
            connecting = connecting || line.starts_with("V Issue another request");
            continue;
        }
        connecting = (connecting || line.starts_with("code ")) && !line.starts_with("V> ");
        if (line.starts_with("H HTTP/1.1 200 Connection established")) in_proxy_head = true;
        const bool of_tunnel = in_proxy_head || line.starts_with("connect code ") ||
                               line.starts_with("header size ") || line.starts_with("request size ");
        if (!line.starts_with("connects ") && !(tunnels && of_tunnel)) kept.push_back(line);
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
    for (const auto& scenario : scenarios) {
        CAPTURE(scenario.name);
        const auto wanted = transcript_of(plain_libcurl, scenario, world);
        REQUIRE(wanted.lines().size() > 20);
        cache.close_idle();
        auto before = cache.stats();
        const auto on_lanes = wanted.transfers() - scenario.without_lane;
        check_same(transcript_of(drop_in, scenario, world).lines(), wanted.lines());
        CHECK(cache.stats().requests - before.requests == on_lanes);
        // Again, on the connections that are left of that.
        INFO("again");
        before = cache.stats();
        const bool tunnels = made_tunnel(wanted.lines());
        check_same(without_connections(transcript_of(drop_in, scenario, world).lines(), tunnels),
                   without_connections(wanted.lines(), tunnels));
        CHECK(cache.stats().reused - before.reused == on_lanes - scenario.on_new_connections);
    }
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
    compare(tls_and_versions(), 9);
}
TEST_CASE("proxies, sockets and names are as with libcurl", "[compat][differential]") {
    compare(ways(), 10);
}
TEST_CASE("handles over time are as with libcurl", "[compat][differential]") {
    compare(handles_over_time(), 8);
}
TEST_CASE("callbacks that make, see and close connections are as with libcurl", "[compat][differential]") {
    compare(callbacks_of_connections(), 14);
}

}  // namespace
