#include "base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace ringlet::detail {

// resolve() makes spdlog's registry, if nothing has: whatever holds a Log was then made after the registry,
// and static objects are destroyed before it.
Log::Log(std::shared_ptr<spdlog::logger> logger) : configured_(std::move(logger)) {
    refresh();
}

Log::~Log() = default;

bool Log::debug_enabled() const noexcept {
    if (configured_) return configured_->should_log(spdlog::level::debug);
    return debug_wanted_.load(std::memory_order_relaxed);
}

void Log::refresh() noexcept {
    if (configured_) return;
    try {
        auto logger = spdlog::get("ringlet");
        if (!logger) logger = spdlog::default_logger();
        debug_wanted_.store(logger && logger->should_log(spdlog::level::debug), std::memory_order_relaxed);
    } catch (...) {
        debug_wanted_.store(false, std::memory_order_relaxed);
    }
}

void Log::debug(std::string_view line) noexcept {
    if (const auto logger = resolve()) {
        try {
            logger->log(spdlog::level::debug, line);
        } catch (...) {
            return;  // a line that cannot be written is lost
        }
    }
}

void Log::warn(std::string_view line) noexcept {
    if (const auto logger = resolve()) {
        try {
            logger->log(spdlog::level::warn, line);
        } catch (...) {
            return;
        }
    }
}

std::shared_ptr<spdlog::logger> Log::resolve() const noexcept {
    if (configured_) return configured_;
    try {
        if (auto registered = spdlog::get("ringlet")) return registered;
        const auto fallback = spdlog::default_logger();  // none once spdlog has been shut down
        return fallback ? fallback->clone("ringlet") : nullptr;
    } catch (...) {
        return nullptr;
    }
}

}  // namespace ringlet::detail
