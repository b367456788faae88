#include "curl/handles.hpp"

#include <new>

namespace ringlet::detail {

void append(SlistPtr& list, const char* text) {
    auto* longer = curl().slist_append(list.get(), text);
    if (longer == nullptr) throw std::bad_alloc();
    (void)list.release();
    list.reset(longer);
}

}  // namespace ringlet::detail
