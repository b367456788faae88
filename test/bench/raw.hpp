// What the two raw libcurl contenders share.
#pragma once

#include "workload.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace bench {

inline std::size_t append_to(char* data, std::size_t size, std::size_t count, void* to) {
    static_cast<std::string*>(to)->append(data, size * count);
    return size * count;
}

inline std::size_t count_only(char*, std::size_t size, std::size_t count, void* to) {
    *static_cast<std::size_t*>(to) += size * count;
    return size * count;
}

/// A program's own buffer, filled again and again.
struct Ring {
    std::array<char, 65536> bytes;
    std::size_t used = 0, total = 0;
};

inline std::size_t copy_on(char* data, std::size_t size, std::size_t count, void* to) {
    auto& ring = *static_cast<Ring*>(to);
    const auto whole = size * count;
    for (auto left = whole; left != 0;) {
        const auto n = std::min(left, ring.bytes.size() - ring.used);
        std::memcpy(ring.bytes.data() + ring.used, data, n);
        data += n;
        left -= n;
        ring.used = (ring.used + n) % ring.bytes.size();
    }
    ring.total += whole;
    return whole;
}

inline std::size_t to_file(char* data, std::size_t size, std::size_t count, void* file) {
    return std::fwrite(data, size, count, static_cast<std::FILE*>(file));
}

/// A loop over one easy handle as a program writes it. `same` does what ringlet does for its callers: the
/// head into a string, the body appended to another, every encoding accepted; `minimal` does none of it.
class RawHandle {
  public:
    explicit RawHandle(const Flags& flags)
        : same_(flags.api != "minimal" && !flags.bare), upload_(flags.upload != 0), save_to_(flags.save_to) {
        set(CURLOPT_NOSIGNAL, 1L);
        if (same_) {
            set(CURLOPT_HEADERFUNCTION, append_to);
            set(CURLOPT_HEADERDATA, &head_);
            set(CURLOPT_ACCEPT_ENCODING, "");
        }
        set_body_callback(flags);
        if (!flags.ca.empty()) set(CURLOPT_CAINFO, flags.ca.c_str());
        set(CURLOPT_HTTP_VERSION, flags.protocol == "h2" ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
        if (flags.new_connection) set(CURLOPT_FORBID_REUSE, 1L);
        if (upload_) {
            set(CURLOPT_POSTFIELDS, upload_body(flags).c_str());
            set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(flags.upload));
        }
    }
    ~RawHandle() { curl_easy_cleanup(easy_); }
    RawHandle(const RawHandle&) = delete;
    RawHandle& operator=(const RawHandle&) = delete;

    std::size_t get(const std::string& url) {
        std::string body;  // the caller's, as the one that text() returns
        count_ = 0;
        head_.clear();
        set(CURLOPT_URL, url.c_str());
        if (appends_) set(CURLOPT_WRITEDATA, &body);
        if (!save_to_.empty()) return save();
        perform();
        if (ring_) return std::exchange(ring_->total, 0);
        return appends_ ? body.size() : count_;
    }

  private:
    template <class T>
    void set(CURLoption option, T value) {
        if (curl_easy_setopt(easy_, option, value) != CURLE_OK)
            throw std::runtime_error("curl_easy_setopt failed");
    }

    void set_body_callback(const Flags& flags) {
        appends_ = save_to_.empty() && flags.api != "read" && !(flags.bare && flags.api == "count");
        if (!save_to_.empty()) {
            set(CURLOPT_WRITEFUNCTION, to_file);
        } else if (appends_) {
            set(CURLOPT_WRITEFUNCTION, append_to);
        } else if (flags.copies) {
            ring_ = std::make_unique<Ring>();
            set(CURLOPT_WRITEFUNCTION, copy_on);
            set(CURLOPT_WRITEDATA, ring_.get());
        } else {
            set(CURLOPT_WRITEFUNCTION, count_only);
            set(CURLOPT_WRITEDATA, &count_);
        }
    }

    void perform() {
        const auto code = curl_easy_perform(easy_);
        if (code != CURLE_OK) throw std::runtime_error(curl_easy_strerror(code));
        long status = 0;
        curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
        if (status != 200) throw std::runtime_error("status " + std::to_string(status));
    }

    std::size_t save() {
        std::FILE* const file = std::fopen(save_to_.c_str(), "wb");
        if (file == nullptr) throw std::runtime_error("cannot write " + save_to_);
        set(CURLOPT_WRITEDATA, file);
        perform();
        const auto size = static_cast<std::size_t>(std::ftell(file));
        std::fclose(file);
        return size;
    }

    CURL* easy_ = curl_easy_init();
    bool same_, upload_, appends_ = true;
    std::string save_to_, head_;
    std::size_t count_ = 0;
    std::unique_ptr<Ring> ring_;  // with --copies
};

}  // namespace bench
