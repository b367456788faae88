// BodyData: what a Body is made of.
#pragma once

#include "ringlet/body.hpp"

#include <atomic>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <variant>

namespace ringlet::detail {

/// Shared by copies of a Body, and read-only but for a Source's own state.
struct BodyData {
    std::variant<std::string, std::span<const std::byte>, std::filesystem::path, std::shared_ptr<Source>,
                 Multipart>
        content;
    std::string content_type;               // empty: the caller's business
    std::atomic<bool> source_used = false;  // a Source was handed to a request before: it must rewind first
};

}  // namespace ringlet::detail
