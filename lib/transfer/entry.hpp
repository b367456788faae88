// What the api layer asks of requests outside a session.
#pragma once

#include "lane/lane_key.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace ringlet::inline v1 {
class Request;
}

namespace ringlet::detail {

class Cache;

LaneKey lane_key_of(const Request& request);

/// See ConnectionCache::prewarm().
std::size_t prewarm(const std::shared_ptr<Cache>& cache, std::string_view url, std::size_t n);

}  // namespace ringlet::detail
