// From the throwing form of a function to the std::error_code form.
#pragma once

#include "ringlet/error.hpp"

#include <system_error>

namespace ringlet::detail {

/// What `call` returns, or a default value with `ec` set for an Error and every other std::system_error: what
/// the file system says, in save_to(), or a callback's own of that kind. Other exceptions (std::bad_alloc,
/// what else a callback throws) pass.
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
