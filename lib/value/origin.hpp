// Origins in text: "scheme://host:port".
#pragma once

#include <string>
#include <string_view>

namespace ringlet::detail {

/// "scheme://host:port", lower case, default port filled in; a path is ignored. Throws
/// Error{invalid_argument, unsupported_protocol}.
std::string normalise_origin(std::string_view text);

}  // namespace ringlet::detail
