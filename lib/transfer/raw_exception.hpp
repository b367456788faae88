// What a callback of Session::setopt() threw.
#pragma once

#include <exception>

namespace ringlet::detail {

/// On this thread since this was asked last; null: nothing.
std::exception_ptr take_raw_exception() noexcept;

}  // namespace ringlet::detail
