// Of the preloaded library only: libcurl's functions are those of the program's own libcurl, found at run
// time. Takes the place of lib/curl/api.cpp.
#include "base/made_once.hpp"
#include "compat/preload/inside_libcurl.hpp"
#include "curl/api.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace ringlet::detail {
namespace {

int note_libcurl(dl_phdr_info* object, std::size_t, void* name) {
    const std::string_view path(object->dlpi_name != nullptr ? object->dlpi_name : "");
    const auto file = path.substr(path.rfind('/') + 1);
    if (!file.starts_with("libcurl") || file.find(".so") == std::string_view::npos) return 0;
    *static_cast<std::string*>(name) = path;
    return 1;
}

/// The program's libcurl: behind this library, or one that a module of the program (Python, PHP) brought
/// along. The handle is never closed: lanes outlive such modules.
void* libcurl_handle() {
    std::string name;
    Dl_info place{};
    if (void* const known = ::dlsym(RTLD_NEXT, "curl_easy_init");
        known != nullptr && ::dladdr(known, &place) != 0) {
        name = place.dli_fname;
    } else {
        ::dl_iterate_phdr(note_libcurl, &name);
    }
    return name.empty() ? nullptr : ::dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD);
}

template <class Function>
void find(void* handle, Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(handle, name));
}

CurlApi find_all() {
    CurlApi api{};
    void* const handle = libcurl_handle();
    if (handle == nullptr) return api;
    const auto get = [handle](auto& function, const char* name) { find(handle, function, name); };
    get(api.easy_init, "curl_easy_init");
    get(api.easy_cleanup, "curl_easy_cleanup");
    get(api.easy_perform, "curl_easy_perform");
    get(api.easy_duphandle, "curl_easy_duphandle");
    get(api.easy_reset, "curl_easy_reset");
    get(api.easy_setopt, "curl_easy_setopt");
    get(api.easy_getinfo, "curl_easy_getinfo");
    get(api.easy_pause, "curl_easy_pause");
    get(api.easy_strerror, "curl_easy_strerror");
    get(api.easy_send, "curl_easy_send");
    get(api.easy_recv, "curl_easy_recv");
    get(api.easy_option_by_id, "curl_easy_option_by_id");
    get(api.multi_init, "curl_multi_init");
    get(api.multi_cleanup, "curl_multi_cleanup");
    get(api.multi_add_handle, "curl_multi_add_handle");
    get(api.multi_remove_handle, "curl_multi_remove_handle");
    get(api.multi_perform, "curl_multi_perform");
    get(api.multi_poll, "curl_multi_poll");
    get(api.multi_wakeup, "curl_multi_wakeup");
    get(api.multi_info_read, "curl_multi_info_read");
    get(api.multi_setopt, "curl_multi_setopt");
    get(api.share_init, "curl_share_init");
    get(api.share_cleanup, "curl_share_cleanup");
    get(api.share_setopt, "curl_share_setopt");
    get(api.slist_append, "curl_slist_append");
    get(api.slist_free_all, "curl_slist_free_all");
    get(api.url, "curl_url");
    get(api.url_cleanup, "curl_url_cleanup");
    get(api.url_dup, "curl_url_dup");
    get(api.url_get, "curl_url_get");
    get(api.url_set, "curl_url_set");
    get(api.mime_init, "curl_mime_init");
    get(api.mime_free, "curl_mime_free");
    get(api.mime_addpart, "curl_mime_addpart");
    get(api.mime_name, "curl_mime_name");
    get(api.mime_data, "curl_mime_data");
    get(api.mime_filedata, "curl_mime_filedata");
    get(api.mime_filename, "curl_mime_filename");
    get(api.mime_type, "curl_mime_type");
    get(api.global_init, "curl_global_init");
    get(api.version_info, "curl_version_info");
    get(api.getdate, "curl_getdate");
    get(api.free, "curl_free");
    return api;
}

const CurlApi& table() {
    static constinit std::atomic<const CurlApi*> api{nullptr};
    return made_once(api, [] {
        auto found = find_all();
        if (found.easy_init == nullptr || found.multi_poll == nullptr || found.url_set == nullptr) {
            std::fputs("ringlet: this program's libcurl cannot be found, or is too old\n", stderr);
            std::abort();
        }
        return new const CurlApi(found);
    });
}

}  // namespace

const CurlApi& curl() noexcept {
    return table();
}

namespace {

/// Where the program's libcurl is in memory.
struct Place {
    std::uintptr_t begin = 0, end = 0;
};

int note_place(dl_phdr_info* object, std::size_t, void* data) {
    auto& place = *static_cast<Place*>(data);
    const auto known = reinterpret_cast<std::uintptr_t>(table().multi_init);
    Place all{UINTPTR_MAX, 0};
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& part = object->dlpi_phdr[i];
        if (part.p_type != PT_LOAD) continue;
        all.begin = std::min<std::uintptr_t>(all.begin, object->dlpi_addr + part.p_vaddr);
        all.end = std::max<std::uintptr_t>(all.end, object->dlpi_addr + part.p_vaddr + part.p_memsz);
    }
    if (known < all.begin || known >= all.end) return 0;
    place = all;
    return 1;
}

}  // namespace

bool inside_libcurl(const void* address) noexcept {
    static constinit std::atomic<std::uintptr_t> begin{0},
        end{0};  // two threads may find them, both the same
    if (end.load(std::memory_order_acquire) == 0) {
        Place found;
        ::dl_iterate_phdr(note_place, &found);
        begin.store(found.begin, std::memory_order_relaxed);
        end.store(found.end, std::memory_order_release);
    }
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    return at >= begin.load(std::memory_order_relaxed) && at < end.load(std::memory_order_relaxed);
}

}  // namespace ringlet::detail
