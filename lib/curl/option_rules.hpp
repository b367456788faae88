// What an option of libcurl means for the connection that a transfer uses.
#pragma once

#include "curl/api.hpp"

#include <cstdint>

namespace ringlet::detail {

/// What a request that sets an option may share.
enum class OptionEffect : std::uint8_t {
    /// Concerns the request, its callbacks or what becomes of the answer: connections are the same with it.
    harmless,
    /// Names the origin (URL, CURLU, PORT, DEFAULT_PROTOCOL), which every lane key begins with.
    names_origin,
    /// Concerns the connection: its value belongs into the lane key.
    in_key,
    /// The origin's credentials. They travel with each request, unless HTTPAUTH or PROXYAUTH allow a scheme
    /// that
    /// binds a connection to them (binds_connection()): then they belong into the lane key.
    credential,
    /// A callback that sees or makes the connection, state that no value shows, an option nobody here knows:
    /// such a request shares with nobody.
    is_private,
    /// Not a request as ringlet knows it (CONNECT_ONLY, a CURLSH of the program's own): left to libcurl.
    own_way,
};

/// For an option this table does not know: is_private (behaviour.md, Isolation: when in doubt, don't share).
OptionEffect effect_of(CURLoption option) noexcept;

/// Whether an HTTPAUTH or PROXYAUTH value allows a scheme that authenticates the connection instead of the
/// request (NTLM, Negotiate): a connection so authenticated speaks for that user.
bool binds_connection(unsigned long auth) noexcept;

/// How a value is passed to curl_easy_setopt().
enum class OptionType : std::uint8_t { number, offset, text, list, blob, pointer, function };

/// By the option's range; text and lists are told from other pointers by a table of those that reach a lane
/// key.
OptionType option_type(CURLoption option) noexcept;

}  // namespace ringlet::detail
