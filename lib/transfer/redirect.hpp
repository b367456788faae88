// Redirects (behaviour.md, section 7; RFC 9110 section 15.4).
#pragma once

#include "transfer/head.hpp"
#include "value/options.hpp"
#include "value/url.hpp"

#include <memory>
#include <string_view>

namespace ringlet::detail {

struct Redirection {
    std::shared_ptr<const Url> url;
    std::shared_ptr<const Options> options;
    bool to_get = false;  // the method becomes GET, the body is dropped
};

/// 301, 302, 303, 307 or 308 with a Location that says something.
bool is_redirect(const Head& head) noexcept;

/// Where to and how. Across origins what the caller meant for the first one alone is left behind. Throws
/// Error for a location that is no http or https URL.
Redirection redirect(std::string_view method, const Url& from, const std::shared_ptr<const Options>& options,
                     int status, std::string_view location);

}  // namespace ringlet::detail
