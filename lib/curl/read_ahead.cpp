#include "curl/read_ahead.hpp"

#include "curl/api.hpp"

#include <dlfcn.h>

#include <atomic>

namespace ringlet::detail {
namespace {

using Control = long (*)(void* ssl_ctx, int what, long value, void* more);  // SSL_CTX_ctrl

/// That of the OpenSSL which libcurl uses: there may be another one in the process.
Control find_control() noexcept {
    Dl_info libcurl{};
    void* object = nullptr;
    if (::dladdr(reinterpret_cast<void*>(curl().version_info), &libcurl) != 0)
        object = ::dlopen(libcurl.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (object == nullptr) object = ::dlopen(nullptr, RTLD_LAZY);  // it is part of the program itself
    if (object == nullptr) return nullptr;
    const auto control = reinterpret_cast<Control>(::dlsym(object, "SSL_CTX_ctrl"));
    ::dlclose(object);
    return control;
}

/// Null: not to be had.
Control control() noexcept {
    static constinit std::atomic<Control> known{nullptr};  // two threads may find out, both the same
    if (known.load(std::memory_order_relaxed) == nullptr)
        known.store(find_control(), std::memory_order_relaxed);
    return known.load(std::memory_order_relaxed);
}

}  // namespace

bool tls_reads_ahead() noexcept {
    constexpr unsigned since = 0x080f00;
    return curl_version_number() >= since && curl_facts().tls_library.starts_with("OpenSSL/");
}

void stop_reading_ahead(void* ssl_ctx) noexcept {
    constexpr int set_read_ahead = 41;  // SSL_CTRL_SET_READ_AHEAD
    if (const auto set = control()) set(ssl_ctx, set_read_ahead, 0, nullptr);
}

}  // namespace ringlet::detail
