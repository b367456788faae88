#include "transfer/drop_log.hpp"

namespace ringlet::detail {
namespace {

constexpr unsigned in_full = 10;
constexpr std::chrono::seconds window_size{1};
constexpr std::size_t origins_remembered = 1000;

// Its words are part of the contract: people search their logs for them.
constexpr std::string_view first_line =
    "response dropped without fully consuming the response body, connection won't be reused";

}  // namespace

DropLog& DropLog::instance() {
    // Never destroyed: a response of static storage may be dropped when everything else of its kind is gone.
    static auto* const log = new DropLog;
    return *log;
}

bool DropLog::admit(std::string_view origin, std::uint64_t& held_back) {
    const Lock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    auto found = windows_.find(origin);
    if (found == windows_.end()) {
        if (windows_.size() >= origins_remembered) windows_.clear();
        found = windows_.emplace(std::string(origin), Window{now, 0, 0}).first;
    }
    auto& window = found->second;
    if (now - window.start >= window_size) {
        held_back = window.held_back;
        window = {now, 0, 0};
    }
    if (window.said >= in_full) {
        ++window.held_back;
        return false;
    }
    ++window.said;
    return true;
}

void DropLog::warn(Log& log, std::string_view origin, std::string_view details) {
    std::uint64_t held_back = 0;
    const bool admitted = admit(origin, held_back);
    if (held_back != 0)
        log.warn(std::to_string(held_back) + " more responses dropped from " + std::string(origin));
    if (admitted) log.warn(std::string(first_line) + "\n  " + std::string(details));
}

}  // namespace ringlet::detail
