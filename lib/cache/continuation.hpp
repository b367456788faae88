// Continuation: a request between two leases.
#pragma once

#include "base/fork.hpp"
#include "cache/cache.hpp"

#include <cstdint>
#include <memory>
#include <utility>

namespace ringlet::detail {

/// A redirect or a retry gives its lease back and takes another one. While it holds a Continuation it is in
/// flight all the same: shutdown() waits for it, and lets it have its next lease within the grace.
class Continuation {
  public:
    explicit Continuation(std::shared_ptr<Cache> cache) noexcept
        : cache_(std::move(cache)), generation_(fork_generation()) {
        cache_->begin_continuation();
    }
    ~Continuation() {
        if (generation_ == fork_generation()) cache_->end_continuation();  // else it is the parent's
    }
    Continuation(const Continuation&) = delete;
    Continuation& operator=(const Continuation&) = delete;

  private:
    std::shared_ptr<Cache> cache_;
    std::uint64_t generation_;  // see fork_generation()
};

}  // namespace ringlet::detail
