// As if this libcurl were one whose handles share objects with their connections, or were not. Header only.
#pragma once

#include "compat/perform.hpp"

namespace ringlet::test {

class Parking {
  public:
    explicit Parking(bool on) : before_(detail::lanes_are_parked()) { detail::set_lanes_are_parked(on); }
    ~Parking() { detail::set_lanes_are_parked(before_); }
    Parking(const Parking&) = delete;
    Parking& operator=(const Parking&) = delete;

  private:
    bool before_;
};

}  // namespace ringlet::test
