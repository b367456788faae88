// Teller: tells the observer and the log what happens.
#pragma once

#include "base/log.hpp"
#include "ringlet/events.hpp"

#include <memory>

namespace ringlet::detail {

/// Called with no lock held. Never throws: what an observer throws is logged and dropped.
class Teller {
  public:
    Teller(std::shared_ptr<Observer> observer, Log& log) noexcept
        : observer_(std::move(observer)), log_(log) {}
    /// Cheap: whether anybody would hear it.
    bool heard() const noexcept { return observer_ != nullptr || log_.debug_enabled(); }
    void tell(const Event& event) noexcept;

  private:
    void notify(const Event& event) noexcept;

    const std::shared_ptr<Observer> observer_;
    Log& log_;
};

}  // namespace ringlet::detail
