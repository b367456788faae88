// From what ended a transfer to the Error its caller gets.
#pragma once

#include "ringlet/error.hpp"
#include "transfer/transfer.hpp"

#include <string>
#include <string_view>

namespace ringlet::detail {

/// The Error for a transfer that is done without success. Call while the lease is still held.
Error transfer_error(Transfer& transfer, std::string_view method, const Url& url, bool idempotent);

/// The code for a CURLcode alone.
Errc errc_of(CURLcode code, bool body_started) noexcept;

/// libcurl's words for a code, and what its error buffer adds to them. No user info in them.
std::string words_of(CURLcode code, const char* error_text);

/// An Error that names the request: "GET http://host/path: why".
Error request_error(Errc code, std::string_view method, std::string_view url, std::string_view why,
                    ErrorDetails details);

}  // namespace ringlet::detail
