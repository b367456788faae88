// The lines of a CURLOPT_HTTPHEADER list. Header only.
#pragma once

#include <curl/curl.h>

#include <algorithm>
#include <string_view>

namespace ringlet::detail {

/// Whether `is(name, value)` holds for a line of the list; the value without the colon before it.
template <class Is>
bool any_line(const curl_slist* list, Is is) noexcept {
    for (; list != nullptr; list = list->next) {
        const std::string_view line(list->data);
        const auto colon = std::min(line.find(':'), line.size());
        if (is(line.substr(0, colon), line.substr(std::min(colon + 1, line.size())))) return true;
    }
    return false;
}

}  // namespace ringlet::detail
