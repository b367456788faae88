#include "curl/api.hpp"

#include <atomic>

namespace ringlet::detail {
namespace {

constexpr CurlApi linked{
    .easy_init = curl_easy_init,
    .easy_cleanup = curl_easy_cleanup,
    .easy_perform = curl_easy_perform,
    .easy_duphandle = curl_easy_duphandle,
    .easy_reset = curl_easy_reset,
    .easy_setopt = (curl_easy_setopt),
    .easy_getinfo = (curl_easy_getinfo),
    .easy_pause = curl_easy_pause,
    .easy_strerror = curl_easy_strerror,
    .easy_send = curl_easy_send,
    .easy_recv = curl_easy_recv,
    .easy_option_by_id = curl_easy_option_by_id,
    .multi_init = curl_multi_init,
    .multi_cleanup = curl_multi_cleanup,
    .multi_add_handle = curl_multi_add_handle,
    .multi_remove_handle = curl_multi_remove_handle,
    .multi_perform = curl_multi_perform,
    .multi_poll = curl_multi_poll,
    .multi_wakeup = curl_multi_wakeup,
    .multi_info_read = curl_multi_info_read,
    .multi_setopt = (curl_multi_setopt),
    .share_init = curl_share_init,
    .share_cleanup = curl_share_cleanup,
    .share_setopt = (curl_share_setopt),
    .slist_append = curl_slist_append,
    .slist_free_all = curl_slist_free_all,
    .url = curl_url,
    .url_cleanup = curl_url_cleanup,
    .url_dup = curl_url_dup,
    .url_get = curl_url_get,
    .url_set = curl_url_set,
    .mime_init = curl_mime_init,
    .mime_free = curl_mime_free,
    .mime_addpart = curl_mime_addpart,
    .mime_name = curl_mime_name,
    .mime_data = curl_mime_data,
    .mime_filedata = curl_mime_filedata,
    .mime_filename = curl_mime_filename,
    .mime_type = curl_mime_type,
    .global_init = curl_global_init,
    .version_info = curl_version_info,
    .getdate = curl_getdate,
    .free = curl_free,
};

constinit std::atomic<const CurlApi*> in_use{&linked};

}  // namespace

const CurlApi& curl() noexcept {
    return *in_use.load(std::memory_order_acquire);
}

const CurlApi& replace_curl_api(const CurlApi& replacement) noexcept {
    return *in_use.exchange(&replacement);
}

}  // namespace ringlet::detail
