// Of the preloaded library only: who calls it.
#pragma once

namespace ringlet::detail {

/// Whether that is an address of the program's libcurl's own code.
bool inside_libcurl(const void* address) noexcept;

}  // namespace ringlet::detail
