// What an option of libcurl means for the connection that a transfer uses.
#pragma once

#include "curl/api.hpp"

#include <cstdint>

namespace ringlet::detail {

enum class OptionEffect : std::uint8_t {
    harmless,    // says nothing about the connection: may share
    in_key,      // connections may be shared among equal values
    is_private,  // the connection must serve nobody else
    own_way,     // the transfer cannot go over a lane
};

/// For an option this table does not know: is_private (behaviour.md, Isolation: when in doubt, don't share).
OptionEffect effect_of(CURLoption option) noexcept;

}  // namespace ringlet::detail
