// A session as the flags say, and its requests: --api text or read. Header only.
#pragma once

#include "workload.hpp"

#include <ringlet/ringlet.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

namespace bench {

/// Each with settings of its own: nothing that an earlier one left on a lane will do.
inline ringlet::Session make_session(const ringlet::ConnectionCache& cache, const Flags& flags,
                                     std::size_t number = 0) {
    ringlet::Session session{cache};
    session.http_version(flags.protocol == "h2" ? ringlet::HttpVersion::http_2
                                                : ringlet::HttpVersion::http_1_1);
    if (!flags.ca.empty()) session.ca_file(flags.ca);
    if (flags.sessions > 1) session.connect_timeout(std::chrono::seconds(30 + number));
    if (flags.bare) session.accept_encoding(std::nullopt);
    return session;
}

inline std::size_t read(ringlet::Response& response) {
    static thread_local std::array<std::byte, 65536> buffer;
    std::size_t size = 0;
    while (const auto n = response.read(buffer)) size += n;
    return size;
}

inline std::size_t request(ringlet::Session& session, const Flags& flags, const std::string& url) {
    auto response = flags.upload != 0
                        ? session.post(url, ringlet::Body::view(std::as_bytes(std::span(upload_body(flags)))))
                        : session.get(url);
    if (response.status() != 200) throw std::runtime_error("status " + std::to_string(response.status()));
    if (flags.api == "read") return read(response);
    if (!flags.save_to.empty()) {
        response.save_to(flags.save_to);
        return response.content_length().value_or(0);
    }
    return response.text().size();
}

}  // namespace bench
