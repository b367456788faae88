// A handle of the drop-in with what most tests set on it. Header only.
#pragma once

#include <ringlet/curl.h>

#include <catch2/catch_test_macros.hpp>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "ringlet/connection_cache.hpp"

namespace ringlet::test {

struct EasyCleanup {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

class EasyHandle {
  public:
    explicit EasyHandle(const std::string& url) : easy_(curl_easy_init()) {
        if (easy_ == nullptr) throw std::bad_alloc();
        set(CURLOPT_URL, url.c_str());
        set_defaults();
    }
    explicit EasyHandle(CURL* easy) : easy_(easy) { set_defaults(); }

    template <class T>
    void set(CURLoption option, T value) {
        // Not an assertion: those of Catch2 belong to one thread.
        if (curl_easy_setopt(easy_.get(), option, value) != CURLE_OK)
            throw std::logic_error("curl_easy_setopt");
    }
    CURLcode perform() {
        body.clear();
        return curl_easy_perform(easy_.get());
    }
    template <class T>
    T info(CURLINFO which) const {
        T value{};
        if (curl_easy_getinfo(easy_.get(), which, &value) != CURLE_OK)
            throw std::logic_error("curl_easy_getinfo");
        return value;
    }
    long connects() const { return info<long>(CURLINFO_NUM_CONNECTS); }
    long status() const { return info<long>(CURLINFO_RESPONSE_CODE); }
    CURL* get() const { return easy_.get(); }
    void cleanup() { easy_.reset(); }

    std::string body;
    char error[CURL_ERROR_SIZE] = "";

  private:
    static std::size_t append(char* data, std::size_t size, std::size_t n, void* to) {
        static_cast<std::string*>(to)->append(data, size * n);
        return size * n;
    }
    void set_defaults() {
        set(CURLOPT_WRITEFUNCTION, &EasyHandle::append);
        set(CURLOPT_WRITEDATA, &body);
        set(CURLOPT_ERRORBUFFER, &error[0]);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_TIMEOUT_MS, 10'000L);
    }
    std::unique_ptr<CURL, EasyCleanup> easy_;
};

/// The process-wide cache, emptied for a test.
inline ConnectionCache emptied_cache() {
    auto cache = ConnectionCache::process_wide();
    cache.close_idle();
    return cache;
}

}  // namespace ringlet::test
