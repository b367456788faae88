// The C functions: those of ringlet/curl.h, and in the library that ringletify puts in front of a program,
// which is compiled with RINGLET_PRELOADED, the same by libcurl's own names.
#include "compat/drop_in.hpp"
#include "ringlet/export.hpp"

#include <cstdarg>

// libcurl's headers make macros of these where they check types.
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_share_setopt

#ifdef RINGLET_PRELOADED
#include "compat/preload/inside_libcurl.hpp"
#define ENTRY(name) curl_##name
#define EXPORTED __attribute__((visibility("default")))
#else
#define ENTRY(name) ringlet_##name
#define EXPORTED RINGLET_API
#endif

namespace drop_in = ringlet::detail::drop_in;

extern "C" {

EXPORTED CURL* ENTRY(easy_init)(void);
EXPORTED CURLcode ENTRY(easy_setopt)(CURL* handle, CURLoption option, ...);
EXPORTED CURLcode ENTRY(easy_perform)(CURL* handle);
EXPORTED CURLcode ENTRY(easy_getinfo)(CURL* handle, CURLINFO info, ...);
EXPORTED void ENTRY(easy_reset)(CURL* handle);
EXPORTED CURL* ENTRY(easy_duphandle)(CURL* handle);
EXPORTED void ENTRY(easy_cleanup)(CURL* handle);
EXPORTED CURLSH* ENTRY(share_init)(void);
EXPORTED CURLSHcode ENTRY(share_setopt)(CURLSH* share, CURLSHoption option, ...);
EXPORTED CURLSHcode ENTRY(share_cleanup)(CURLSH* share);

CURL* ENTRY(easy_init)(void) {
#ifdef RINGLET_PRELOADED
    // Newer libcurls make one for each multi by this name, and destroy it by another.
    if (ringlet::detail::inside_libcurl(__builtin_return_address(0)))
        return ringlet::detail::curl().easy_init();
#endif
    return drop_in::init();
}

CURLcode ENTRY(easy_setopt)(CURL* handle, CURLoption option, ...) {
    std::va_list value;
    va_start(value, option);
    const auto code = drop_in::setopt(handle, option, value);
    va_end(value);
    return code;
}

CURLcode ENTRY(easy_perform)(CURL* handle) {
    return drop_in::perform(handle);
}

CURLcode ENTRY(easy_getinfo)(CURL* handle, CURLINFO info, ...) {
    std::va_list value;
    va_start(value, info);
    const auto code = drop_in::getinfo(handle, info, value);
    va_end(value);
    return code;
}

void ENTRY(easy_reset)(CURL* handle) {
    drop_in::reset(handle);
}
CURL* ENTRY(easy_duphandle)(CURL* handle) {
    return drop_in::duplicate(handle);
}
void ENTRY(easy_cleanup)(CURL* handle) {
    drop_in::cleanup(handle);
}
CURLSH* ENTRY(share_init)(void) {
    return drop_in::share_init();
}

CURLSHcode ENTRY(share_setopt)(CURLSH* share, CURLSHoption option, ...) {
    std::va_list value;
    va_start(value, option);
    const auto code = drop_in::share_setopt(share, option, value);
    va_end(value);
    return code;
}

CURLSHcode ENTRY(share_cleanup)(CURLSH* share) {
    return drop_in::share_cleanup(share);
}

#ifndef RINGLET_PRELOADED
RINGLET_API void ringlet_easy_pool(CURL* handle, int on);
void ringlet_easy_pool(CURL* handle, int on) {
    drop_in::pool(handle, on != 0);
}
#endif
}
