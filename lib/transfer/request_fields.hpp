// A request's header fields, as libcurl wants them and as ringlet has to understand them.
#pragma once

#include "curl/handles.hpp"
#include "ringlet/headers.hpp"
#include "value/options.hpp"

#include <string>
#include <string_view>

namespace ringlet::detail {

/// The fields as libcurl wants them, behind an Accept-Encoding of these codings: with none, or if the caller
/// has such a field, without that. Throws bad_alloc.
SlistPtr header_list(const Headers& headers, std::string_view codings = {}, bool without_cookies = false);
/// What Accept-Encoding is to say. Empty: libcurl sees to the field, or there is to be none.
std::string_view offered_codings(const WireOptions& options);
/// The values of the caller's own Cookie fields, as one.
std::string cookie_text(const Headers& headers);
/// Whatever the answer says, the connection ends with the request: a Connection field says close, which
/// libcurl takes no notice of, or the sockets are the caller's own to close, by a function that may not
/// outlive the session.
bool ends_connection(const Options& options) noexcept;

}  // namespace ringlet::detail
