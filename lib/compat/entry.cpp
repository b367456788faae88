// The C functions of ringlet/curl.h.
#include "compat/drop_in.hpp"
#include "ringlet/export.hpp"

#include <cstdarg>

namespace drop_in = ringlet::detail::drop_in;

extern "C" {

RINGLET_API CURL* ringlet_easy_init(void);
RINGLET_API CURLcode ringlet_easy_setopt(CURL* handle, CURLoption option, ...);
RINGLET_API CURLcode ringlet_easy_perform(CURL* handle);
RINGLET_API CURLcode ringlet_easy_getinfo(CURL* handle, CURLINFO info, ...);
RINGLET_API void ringlet_easy_reset(CURL* handle);
RINGLET_API CURL* ringlet_easy_duphandle(CURL* handle);
RINGLET_API void ringlet_easy_cleanup(CURL* handle);
RINGLET_API CURLSH* ringlet_share_init(void);
RINGLET_API CURLSHcode ringlet_share_setopt(CURLSH* share, CURLSHoption option, ...);
RINGLET_API CURLSHcode ringlet_share_cleanup(CURLSH* share);
RINGLET_API void ringlet_easy_pool(CURL* handle, int on);

CURL* ringlet_easy_init(void) {
    return drop_in::init();
}

CURLcode ringlet_easy_setopt(CURL* handle, CURLoption option, ...) {
    std::va_list value;
    va_start(value, option);
    const auto code = drop_in::setopt(handle, option, value);
    va_end(value);
    return code;
}

CURLcode ringlet_easy_perform(CURL* handle) {
    return drop_in::perform(handle);
}

CURLcode ringlet_easy_getinfo(CURL* handle, CURLINFO info, ...) {
    std::va_list value;
    va_start(value, info);
    const auto code = drop_in::getinfo(handle, info, value);
    va_end(value);
    return code;
}

void ringlet_easy_reset(CURL* handle) {
    drop_in::reset(handle);
}
CURL* ringlet_easy_duphandle(CURL* handle) {
    return drop_in::duplicate(handle);
}
void ringlet_easy_cleanup(CURL* handle) {
    drop_in::cleanup(handle);
}
CURLSH* ringlet_share_init(void) {
    return drop_in::share_init();
}

CURLSHcode ringlet_share_setopt(CURLSH* share, CURLSHoption option, ...) {
    std::va_list value;
    va_start(value, option);
    const auto code = drop_in::share_setopt(share, option, value);
    va_end(value);
    return code;
}

CURLSHcode ringlet_share_cleanup(CURLSH* share) {
    return drop_in::share_cleanup(share);
}
void ringlet_easy_pool(CURL* handle, int on) {
    drop_in::pool(handle, on != 0);
}
}
