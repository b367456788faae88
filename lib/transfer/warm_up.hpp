// WarmUp: connections opened before a request needs them.
#pragma once

#include "ringlet/error.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace ringlet::detail {

class Cache;

class WarmUp {
  public:
    WarmUp(std::shared_ptr<Cache> cache, std::string_view url) : cache_(std::move(cache)), url_(url) {}
    std::size_t open(std::size_t n);

  private:
    std::shared_ptr<Cache> cache_;
    std::string_view url_;
};

}  // namespace ringlet::detail
