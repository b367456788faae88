// What ringlet is for, measured here and now: `./dev demo` against an embedded server, `./dev demo URL`
// against a real one.
#include <ringlet/format.hpp>
#include <ringlet/ringlet.hpp>

#include <curl/curl.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "demo_ways.hpp"
#include "support/certificates.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace demo;
using ringlet::test::Origin;

constexpr std::size_t small_body = 1024;
constexpr std::size_t large_body = 64 * 1024;

// --- the report

void show_ways(const Target& target, std::string_view what) {
    const auto who = target.origin != nullptr ? "server" : "client";
    fmt::print("\n  {:<34} {:>9} {:>12} {:>24}\n", what, "requests", "requests/s",
               fmt::format("connections ({})", who));
    const std::pair<const char*, decltype(&one_session)> ways[] = {
        {"raw libcurl, a new handle each", new_handle_each},
        {"raw libcurl, one handle", one_handle},
        {"ringlet, a Session", one_session},
        {"ringlet, 8 threads on one cache", eight_threads},
    };
    for (const auto& [name, way] : ways) {
        const auto result = measure(target, way);
        fmt::print("  {:<34} {:>9} {:>12.0f} {:>24}\n", name, result.requests,
                   result.requests / result.seconds, result.connections);
        std::fflush(stdout);
    }
}

/// A cache whose warnings can be shown where they belong.
struct Listened {
    std::ostringstream lines;
    std::shared_ptr<spdlog::logger> logger =
        std::make_shared<spdlog::logger>("ringlet", std::make_shared<spdlog::sinks::ostream_sink_mt>(lines));

    Listened() { logger->set_pattern("[%l] %v"); }
    /// False: there is none.
    bool show() {
        std::istringstream text(lines.str());
        lines.str("");
        if (text.str().empty()) return false;
        for (std::string line; std::getline(text, line);) fmt::print("      {}\n", line);
        return true;
    }
};

/// Says what became of the connection that an unread body was on: by the server's count, if it is ours, and
/// by what the next request got.
void show_next(const Target& target, ringlet::Session& session, std::uint64_t before, std::size_t ends) {
    if (target.origin != nullptr) {
        const bool closed =
            target.origin->wait_until([&](const auto& seen) { return seen.ends() > ends; }, 300ms);
        fmt::print("    the server saw       {}\n",
                   closed ? "its connection closed" : "nothing: its connection is open");
    }
    auto next = session.get(target.url);
    next.consume();
    fmt::print("    the next request     {} connection (#{} after #{})\n",
               next.connection_id() == before ? "reused the" : "was on another", next.connection_id(),
               before);
}

/// Reads the first bytes of a response.
std::size_t read_some(ringlet::Response& response) {
    std::vector<std::byte> some(1000);
    return response.read(some);
}

std::size_t ended(const Target& target) {
    return target.origin != nullptr ? target.origin->snapshot().ends() : 0;
}

void show_drop(const Target& target, Listened& log, ringlet::Session& session) {
    const auto ends = ended(target);
    std::uint64_t connection = 0;
    bool complete = false;
    bool http_2 = false;
    {
        auto response = session.get(target.large_url);
        connection = response.connection_id();
        http_2 = response.version() == ringlet::Protocol::http_2;
        const auto read = read_some(response);
        complete = response.body_state() == ringlet::BodyState::complete;
        fmt::print("  read {} bytes and dropped the response\n", read);
    }
    if (!log.show()) {
        fmt::print("    no warning           {}\n", complete ? "there was no more to read: take a longer page"
                                                    : http_2
                                                        ? "HTTP/2 resets the stream and keeps the connection"
                                                        : "the rest was known to be here");
    }
    show_next(target, session, connection, ends);
    fmt::print("    dropped_unread       {}\n\n", session.cache().stats().dropped_unread);
}

void show_consume(const Target& target, Listened& log, ringlet::Session& session) {
    const auto ends = ended(target);
    auto response = session.get(target.large_url);
    fmt::print("  read {} bytes and called consume()\n", read_some(response));
    const auto disposition = response.consume();
    log.show();
    fmt::print("    it returned          {}\n", disposition);
    show_next(target, session, response.connection_id(), ends);
    fmt::print("    dropped_unread       {}\n", session.cache().stats().dropped_unread);
}

void show_statistics(const ringlet::ConnectionCache& cache) {
    const auto stats = cache.stats();
    fmt::print("\n3. What the cache says of section 2\n\n");
    fmt::print("  now             {} open: {} connecting, {} leased, {} idle; {} waiting\n", stats.open,
               stats.connecting, stats.leased, stats.idle, stats.waiting);
    fmt::print("  since its start {} requests on {} connections, {} of them reused one\n", stats.requests,
               stats.opened, stats.reused);
    fmt::print("                  {} closed, of which {} for an unread body; {} waits, {} replays\n",
               stats.closed, stats.closed_by[ringlet::CloseReason::unread_body], stats.waits, stats.replays);
    for (const auto& connection : cache.connections()) fmt::print("  connection      {}\n", connection);
}

void show_rest(const Target& target) {
    fmt::print("\n2. A response that nobody reads to its end\n\n");
    Listened log;
    const auto cache = ringlet::ConnectionCache::builder().logger(log.logger).build();
    auto session = session_for(target, cache);
    show_drop(target, log, session);
    show_consume(target, log, session);
    show_statistics(cache);
}

// --- the servers

/// What a client with default settings loads for each new handle: the system's authorities, and the embedded
/// server's.
std::string authorities() {
    std::ostringstream all;
    const auto* version = curl_version_info(CURLVERSION_NOW);
    if (version->age >= CURLVERSION_SEVENTH && version->cainfo != nullptr)
        all << std::ifstream(version->cainfo).rdbuf();
    all.clear();  // an empty file sets failbit
    all << ringlet::test::TestCa::instance().pem();
    return all.str();
}

ringlet::test::Script pages() {
    const auto small = ringlet::test::reply(std::string(small_body, 's'));
    const auto large = ringlet::test::reply(std::string(large_body, 'l'));
    return ringlet::test::handler(
        [small, large](const auto& request) { return request.target == "/large" ? large : small; });
}

void demonstrate_embedded() {
    const ringlet::test::TempDir directory;
    const auto ca_file = directory.write("authorities.pem", authorities()).string();
    const Origin plain(pages(), {.record_requests = false});
    const Origin secure(pages(), {.tls = true, .record_requests = false});

    fmt::print("1. GET of {} bytes from an embedded server on 127.0.0.1 ({} processors for both sides)\n",
               small_body, std::thread::hardware_concurrency());
    show_ways({.url = plain.url(), .origin = &plain}, "http");
    show_ways({.url = secure.url(), .ca_file = ca_file, .origin = &secure},
              "https, with the system's CA bundle");
    fmt::print("\n  (one short run each; ./dev bench measures with care)\n");
    show_rest({.url = plain.url(), .large_url = plain.url("/large"), .origin = &plain});
}

void demonstrate_real(const std::string& url) {
    fmt::print("1. GET {} (at most 20 requests or 1 s a line)\n", url);
    // Ends within 15 s, however slow the server is: section 2 sends four more requests.
    const Target target{.url = url,
                        .large_url = url,
                        .most_requests = 20,
                        .most_time = 1s,
                        .last_start = Clock::now() + 4500ms};
    show_ways(target, "to this URL");
    show_rest(target);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 2 || (argc == 2 && std::string_view(argv[1]).starts_with('-'))) {
        fmt::print(stderr, "usage: demo [URL]\n");
        return 2;
    }
    try {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        fmt::print("ringlet on {}\n\n", curl_version());
        if (argc == 2)
            demonstrate_real(argv[1]);
        else
            demonstrate_embedded();
        return 0;
    } catch (const std::exception& error) {
        std::fflush(stdout);
        fmt::print(stderr, "demo: {}\n", error.what());
        return 1;
    }
}
