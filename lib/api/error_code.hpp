// From the throwing form of a function to the std::error_code form.
#pragma once

#include "ringlet/error.hpp"

#include <system_error>

namespace ringlet::detail {

/// What `call` returns, or a default value with `ec` set for an Error (and for what the file system says, in
/// save_to()). Other exceptions (std::bad_alloc, a
/// callback's own) pass.
template <class F>
auto with_error_code(std::error_code& ec, F call) -> decltype(call()) {
    ec.clear();
    try {
        return call();
    } catch (const std::system_error& error) {
        ec = error.code();
        return decltype(call())();
    }
}

}  // namespace ringlet::detail
