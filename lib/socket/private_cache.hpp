// A cache of one connection that is there already.
#pragma once

#include "cache/cache.hpp"

#include <memory>

namespace ringlet::detail {

/// For Lane::use_only(): whatever works on a lease then works on a given connection. Nothing expires, and no
/// thread watches.
std::shared_ptr<Cache> private_cache();

}  // namespace ringlet::detail
