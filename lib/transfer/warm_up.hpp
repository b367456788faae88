// WarmUp: connections opened before they are needed.
#pragma once

#include "cache/cache.hpp"
#include "lane/lane_key.hpp"
#include "value/url.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace ringlet::detail {

/// See ConnectionCache::prewarm(). TCP only: a TLS handshake happens with the first request, which has its
/// session's settings.
class WarmUp {
  public:
    WarmUp(std::shared_ptr<Cache> cache, std::string_view url);
    /// Opens what is missing to n idle connections, as far as the cache keeps so many; how many are idle
    /// then.
    std::size_t open(std::size_t n);

  private:
    CloseReason open_one();

    std::shared_ptr<Cache> cache_;
    Url url_;
    LaneKey key_;
    std::string proxy_;  // of the environment; empty: none
};

}  // namespace ringlet::detail
