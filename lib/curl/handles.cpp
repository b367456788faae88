#include "curl/handles.hpp"

#include <new>

namespace ringlet::detail {

void append(SlistPtr& list, const char* text) {
    auto* longer = curl().slist_append(list.get(), text);
    if (longer == nullptr) throw std::bad_alloc();
    (void)list.release();
    list.reset(longer);
}

SlistPtr copy_of(const curl_slist* list) {
    SlistPtr copy;
    for (; list != nullptr; list = list->next) append(copy, list->data);
    return copy;
}

}  // namespace ringlet::detail
