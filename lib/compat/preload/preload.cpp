// The library that ringletify puts in front of a program: libcurl's own names.
#include "compat/drop_in.hpp"

#include <cstdarg>

// libcurl's headers make macros of these where they check types.
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_share_setopt

#define RINGLET_INTERPOSED __attribute__((visibility("default")))

namespace drop_in = ringlet::detail::drop_in;

extern "C" {

RINGLET_INTERPOSED CURL* curl_easy_init() {
    return drop_in::init();
}

RINGLET_INTERPOSED CURLcode curl_easy_setopt(CURL* handle, CURLoption option, ...) {
    std::va_list value;
    va_start(value, option);
    const auto code = drop_in::setopt(handle, option, value);
    va_end(value);
    return code;
}

RINGLET_INTERPOSED CURLcode curl_easy_getinfo(CURL* handle, CURLINFO info, ...) {
    std::va_list value;
    va_start(value, info);
    const auto code = drop_in::getinfo(handle, info, value);
    va_end(value);
    return code;
}

RINGLET_INTERPOSED CURLcode curl_easy_perform(CURL* handle) {
    return drop_in::perform(handle);
}

RINGLET_INTERPOSED void curl_easy_reset(CURL* handle) {
    drop_in::reset(handle);
}

RINGLET_INTERPOSED CURL* curl_easy_duphandle(CURL* handle) {
    return drop_in::duplicate(handle);
}

RINGLET_INTERPOSED void curl_easy_cleanup(CURL* handle) {
    drop_in::cleanup(handle);
}

RINGLET_INTERPOSED CURLSH* curl_share_init() {
    return drop_in::share_init();
}

RINGLET_INTERPOSED CURLSHcode curl_share_setopt(CURLSH* share, CURLSHoption option, ...) {
    std::va_list value;
    va_start(value, option);
    const auto code = drop_in::share_setopt(share, option, value);
    va_end(value);
    return code;
}

RINGLET_INTERPOSED CURLSHcode curl_share_cleanup(CURLSH* share) {
    return drop_in::share_cleanup(share);
}
}
