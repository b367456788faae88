// The drop-in's functions, as ringlet/curl.h and the preloaded library offer them: libcurl's, with pooled
// connections.
#pragma once

#include "curl/api.hpp"

#include <cstdarg>

namespace ringlet::detail::drop_in {

CURL* init() noexcept;
CURLcode setopt(CURL* easy, CURLoption option, std::va_list& value) noexcept;
/// The one through which a cancelled thread may unwind, and an exception of a callback.
CURLcode perform(CURL* easy);
CURLcode getinfo(CURL* easy, CURLINFO info, std::va_list& value) noexcept;
void reset(CURL* easy) noexcept;
CURL* duplicate(CURL* easy) noexcept;
void cleanup(CURL* easy) noexcept;
CURLSH* share_init() noexcept;
CURLSHcode share_setopt(CURLSH* share, CURLSHoption option, std::va_list& value) noexcept;
CURLSHcode share_cleanup(CURLSH* share) noexcept;
void pool(CURL* easy, bool on) noexcept;

}  // namespace ringlet::detail::drop_in
