// Continuation: a request between two leases.
#pragma once

#include "cache/cache.hpp"

#include <memory>
#include <utility>

namespace ringlet::detail {

/// A redirect or a retry gives its lease back and takes another one. While it holds a Continuation it is in
/// flight all the same: shutdown() waits for it, and lets it have its next lease within the grace.
class Continuation {
  public:
    explicit Continuation(std::shared_ptr<Cache> cache) noexcept : cache_(std::move(cache)) {
        cache_->begin_continuation();
    }
    ~Continuation() { cache_->end_continuation(); }
    Continuation(const Continuation&) = delete;
    Continuation& operator=(const Continuation&) = delete;

  private:
    std::shared_ptr<Cache> cache_;
};

}  // namespace ringlet::detail
