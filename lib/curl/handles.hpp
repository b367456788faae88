// Owners of libcurl's handles.
#pragma once

#include "curl/api.hpp"

#include <memory>

namespace ringlet::detail {

struct CurlDeleter {
    void operator()(CURL* easy) const noexcept { curl().easy_cleanup(easy); }
    void operator()(curl_slist* list) const noexcept { curl().slist_free_all(list); }
    void operator()(curl_mime* mime) const noexcept { curl().mime_free(mime); }
    void operator()(char* text) const noexcept { curl().free(text); }
};
struct MultiDeleter {
    void operator()(CURLM* multi) const noexcept { curl().multi_cleanup(multi); }
};
struct ShareDeleter {
    void operator()(CURLSH* share) const noexcept { curl().share_cleanup(share); }
};
struct UrlDeleter {
    void operator()(CURLU* url) const noexcept { curl().url_cleanup(url); }
};

using EasyPtr = std::unique_ptr<CURL, CurlDeleter>;
using MultiPtr = std::unique_ptr<CURLM, MultiDeleter>;
using SharePtr = std::unique_ptr<CURLSH, ShareDeleter>;
using UrlPtr = std::unique_ptr<CURLU, UrlDeleter>;
using SlistPtr = std::unique_ptr<curl_slist, CurlDeleter>;
using MimePtr = std::unique_ptr<curl_mime, CurlDeleter>;
using CurlText = std::unique_ptr<char, CurlDeleter>;

/// Appends a copy of the text. Throws std::bad_alloc, the list unchanged.
void append(SlistPtr& list, const char* text);
/// Throws bad_alloc.
SlistPtr copy_of(const curl_slist* list);

}  // namespace ringlet::detail
