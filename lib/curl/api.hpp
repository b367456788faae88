// CurlApi: the one table through which lib/ calls libcurl, so that a test can fail the Nth call and the
// preloaded library can find the real functions.
#pragma once

#include "curl/library.hpp"

#include <curl/curl.h>

namespace ringlet::detail {

struct CurlApi {
    decltype(&curl_easy_init) easy_init;
    decltype(&curl_easy_cleanup) easy_cleanup;
    decltype(&curl_easy_perform) easy_perform;
    decltype(&curl_easy_duphandle) easy_duphandle;
    decltype(&curl_easy_reset) easy_reset;
    CURLcode (*easy_setopt)(CURL*, CURLoption, ...);
    CURLcode (*easy_getinfo)(CURL*, CURLINFO, ...);
    decltype(&curl_easy_pause) easy_pause;
    decltype(&curl_easy_strerror) easy_strerror;
    decltype(&curl_easy_send) easy_send;
    decltype(&curl_easy_recv) easy_recv;
    decltype(&curl_easy_option_by_id) easy_option_by_id;
    decltype(&curl_multi_init) multi_init;
    decltype(&curl_multi_cleanup) multi_cleanup;
    decltype(&curl_multi_add_handle) multi_add_handle;
    decltype(&curl_multi_remove_handle) multi_remove_handle;
    decltype(&curl_multi_perform) multi_perform;
    decltype(&curl_multi_poll) multi_poll;
    decltype(&curl_multi_wakeup) multi_wakeup;
    decltype(&curl_multi_info_read) multi_info_read;
    CURLMcode (*multi_setopt)(CURLM*, CURLMoption, ...);
    decltype(&curl_share_init) share_init;
    decltype(&curl_share_cleanup) share_cleanup;
    CURLSHcode (*share_setopt)(CURLSH*, CURLSHoption, ...);
    decltype(&curl_slist_append) slist_append;
    decltype(&curl_slist_free_all) slist_free_all;
    decltype(&curl_url) url;
    decltype(&curl_url_cleanup) url_cleanup;
    decltype(&curl_url_dup) url_dup;
    decltype(&curl_url_get) url_get;
    decltype(&curl_url_set) url_set;
    decltype(&curl_mime_init) mime_init;
    decltype(&curl_mime_free) mime_free;
    decltype(&curl_mime_addpart) mime_addpart;
    decltype(&curl_mime_name) mime_name;
    decltype(&curl_mime_data) mime_data;
    decltype(&curl_mime_filedata) mime_filedata;
    decltype(&curl_mime_filename) mime_filename;
    decltype(&curl_mime_type) mime_type;
    decltype(&curl_global_init) global_init;
    decltype(&curl_version_info) version_info;
    decltype(&curl_getdate) getdate;
    decltype(&curl_free) free;
};

/// The table in use.
const CurlApi& curl() noexcept;

/// Puts another table in use, which must stay where it is; the old one. For tests: while no other thread uses
/// ringlet.
const CurlApi& replace_curl_api(const CurlApi& table) noexcept;

}  // namespace ringlet::detail
