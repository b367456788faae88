// From an exchange's 101 to a stream.
#pragma once

#include "socket/stream.hpp"
#include "transfer/exchange.hpp"

#include <memory>

namespace ringlet::detail {

/// Plain connections leave libcurl, with their place in the cache's limits; encrypted ones stay inside their
/// transfer.
std::unique_ptr<Stream> stream_after(Upgraded upgraded);

}  // namespace ringlet::detail
