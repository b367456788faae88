#pragma once

// What client tests share: a cache that is watched (its log lines and events), a session on it, and the end
// state that every scenario must reach. Header only: it needs ringlet, spdlog and Catch2.

#include <spdlog/logger.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ringlet/ringlet.hpp"
#include "support/gate.hpp"
#include "support/timing.hpp"

namespace ringlet::test {

// The words of behaviour.md, section 3.
inline constexpr std::string_view dropped_line =
    "response dropped without fully consuming the response body, connection won't be reused";

// The lines that one cache logs, debug and above. Thread-safe.
class LogCapture {
  public:
    LogCapture()
        : sink_(std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(20'000)),
          logger_(std::make_shared<spdlog::logger>("ringlet", sink_)) {
        logger_->set_level(spdlog::level::debug);
    }

    std::shared_ptr<spdlog::logger> logger() const { return logger_; }

    // Payloads, without time and level.
    std::vector<std::string> lines(spdlog::level::level_enum least = spdlog::level::debug) const {
        std::vector<std::string> out;
        for (const auto& message : sink_->last_raw()) {
            if (message.level >= least) out.emplace_back(message.payload.data(), message.payload.size());
        }
        return out;
    }
    std::vector<std::string> warnings() const { return lines(spdlog::level::warn); }
    // Lines of that level or above that contain the text.
    std::size_t count(std::string_view text, spdlog::level::level_enum least = spdlog::level::debug) const {
        const auto all = lines(least);
        return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const std::string& line) {
            return line.find(text) != std::string::npos;
        }));
    }

  private:
    std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_;
    std::shared_ptr<spdlog::logger> logger_;
};

// The events of one cache, with copies of what is valid only during the call. Thread-safe.
class EventLog final : public Observer {
  public:
    struct Seen {
        Event::Kind kind;
        std::uint64_t connection_id;
        std::string origin;
        CloseReason reason;
    };

    void on_event(const Event& event) override {
        const std::lock_guard lock(mutex_);
        seen_.push_back({event.kind, event.connection_id, std::string(event.origin), event.reason});
    }
    std::vector<Seen> all() const {
        const std::lock_guard lock(mutex_);
        return seen_;
    }
    std::size_t count(Event::Kind kind) const {
        const auto seen = all();
        return static_cast<std::size_t>(
            std::count_if(seen.begin(), seen.end(), [&](const Seen& s) { return s.kind == kind; }));
    }

  private:
    mutable std::mutex mutex_;
    std::vector<Seen> seen_;
};

// n connections that are in use at the same time, then idle.
inline void fill(ConnectionCache& cache, const std::string& url, std::size_t n) {
    std::vector<Session> sessions;
    std::vector<Response> responses;
    for (std::size_t i = 0; i < n; ++i) responses.push_back(sessions.emplace_back(cache).get(url));
    for (auto& response : responses) response.consume();
}

// A cache under observation and a session on it.
class Client {
  public:
    // `adjust` may change the builder; the logger and the observer are set already.
    explicit Client(const std::function<void(ConnectionCache::Builder&)>& adjust = {})
        : cache(build(adjust)), session(cache) {}

    // The W of the catalogue: warnings about dropped responses, in full.
    std::size_t drop_warnings() const { return log.count(dropped_line, spdlog::level::warn); }

    // Nothing is lent and nobody waits.
    bool at_rest(Clock::duration timeout = 5s) const {
        return eventually(
            [&] {
                const auto s = cache.stats();
                return s.leased == 0 && s.waiting == 0 && s.connecting == 0;
            },
            timeout);
    }

    // The end of every scenario: at rest, and a plain request to a URL that answers 200 succeeds.
    void check_end(const std::string& url) {
        CHECK(at_rest());
        Session other{cache};
        auto response = other.send(Request::get(url).timeout(10s));
        CHECK(response.status() == 200);
        CHECK_NOTHROW(response.text());
        CHECK(at_rest());
    }

    LogCapture log;
    std::shared_ptr<EventLog> events = std::make_shared<EventLog>();
    ConnectionCache cache;
    Session session;

  private:
    ConnectionCache build(const std::function<void(ConnectionCache::Builder&)>& adjust) const {
        auto builder = ConnectionCache::builder();
        builder.logger(log.logger()).observer(events);
        if (adjust) adjust(builder);
        return builder.build();
    }
};

// What a call threw, or failed to throw.
struct Outcome {
    bool threw = false;  // an Error
    Errc code{};
    Phase phase = Phase::none;
    int native_code = 0;
    std::string message;
    std::string url;
    std::string remote_address;
    std::uint64_t bytes_received = 0;
    bool retryable = false;
};

// Runs the call and takes its Error apart. Other exceptions pass.
template <class Call>
Outcome outcome_of(Call call) {
    try {
        call();
        return {};
    } catch (const Error& e) {
        return {true,
                static_cast<Errc>(e.code().value()),
                e.phase(),
                e.native_code(),
                e.what(),
                e.url(),
                e.remote_address(),
                e.bytes_received(),
                e.retryable()};
    }
}

// Errc{} if it threw none.
template <class Call>
Errc code_of(Call call) {
    const auto outcome = outcome_of(std::move(call));
    return outcome.threw ? outcome.code : Errc{};
}

// A body read piece by piece: what arrived before the end or the error.
struct ReadResult {
    std::string bytes;
    Outcome outcome;
};

inline ReadResult read_to_end(Response& response, std::size_t step = 4096) {
    ReadResult result;
    std::vector<std::byte> buffer(step);
    result.outcome = outcome_of([&] {
        while (const auto n = response.read(buffer)) {
            result.bytes.append(reinterpret_cast<const char*>(buffer.data()), n);
        }
    });
    return result;
}

// Reads until n bytes have come or the body has ended.
inline std::string read_bytes(Response& response, std::size_t n) {
    std::string out(n, '\0');
    std::size_t got = 0;
    while (got < n) {
        const auto more = response.read(std::as_writable_bytes(std::span(out)).subspan(got));
        if (more == 0) break;
        got += more;
    }
    out.resize(got);
    return out;
}

// The part of "ip:port" behind the last colon.
inline std::uint16_t port_of(std::string_view address) {
    return static_cast<std::uint16_t>(std::stoi(std::string(address.substr(address.rfind(':') + 1))));
}

}  // namespace ringlet::test
