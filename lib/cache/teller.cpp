#include "cache/teller.hpp"

#include "base/callback_scope.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>

namespace ringlet::detail {
namespace {

std::string line_of(const Event& event) {
    const auto connection = fmt::format("connection {} to {}", event.connection_id, event.origin);
    switch (event.kind) {
        case Event::Kind::closed:
            return fmt::format("{} closed: {}", connection, to_string(event.reason));
        case Event::Kind::waited:
            return fmt::format("{} given after a wait of {} us", connection, event.waited.count() / 1000);
        default:
            return fmt::format("{} {}", connection, to_string(event.kind));
    }
}

}  // namespace

void Teller::tell(const Event& event) noexcept {
    if (event.kind == Event::Kind::opened || event.kind == Event::Kind::closed) log_.refresh();
    if (log_.debug_enabled()) {
        try {
            log_.debug(line_of(event));
        } catch (...) {
            // no memory for a debug line: it is lost
        }
    }
    if (observer_) notify(event);
}

void Teller::notify(const Event& event) noexcept {
    const CallbackScope scope;
    try {
        observer_->on_event(event);
    } catch (const std::exception& e) {
        char line[256];
        std::snprintf(line, sizeof line, "an observer threw, ignored: %s", e.what());
        log_.warn(line);
    } catch (...) {
        log_.warn("an observer threw something that is no std::exception; ignored");
    }
}

}  // namespace ringlet::detail
