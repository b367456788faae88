// What a transfer can tell in numbers.
#include "transfer/transfer.hpp"

#include <chrono>
#include <cstdint>

namespace ringlet::detail {

Timings Transfer::timings() const noexcept {
    const auto ask = [this](CURLINFO what) {
        curl_off_t us = 0;
        curl().easy_getinfo(lease_->easy(), what, &us);
        return std::chrono::microseconds(us);
    };
    Timings t;
    if (dialled_) {  // libcurl has figures for a kept connection too: when it was chosen
        t.resolved = ask(CURLINFO_NAMELOOKUP_TIME_T);
        t.connected = ask(CURLINFO_CONNECT_TIME_T);
        t.tls = ask(CURLINFO_APPCONNECT_TIME_T);
    }
    t.sent = ask(CURLINFO_PRETRANSFER_TIME_T);
    t.first_byte = ask(CURLINFO_STARTTRANSFER_TIME_T);
    t.total = ask(CURLINFO_TOTAL_TIME_T);
    return t;
}

Progress Transfer::progress() const noexcept {
    const auto ask = [this](CURLINFO what) {
        curl_off_t bytes = 0;
        curl().easy_getinfo(lease_->easy(), what, &bytes);
        return bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;  // -1: unknown
    };
    return {ask(CURLINFO_SIZE_DOWNLOAD_T), ask(CURLINFO_CONTENT_LENGTH_DOWNLOAD_T),
            ask(CURLINFO_SIZE_UPLOAD_T), ask(CURLINFO_CONTENT_LENGTH_UPLOAD_T)};
}

std::uint64_t Transfer::bytes_moved() const noexcept {
    curl_off_t up = 0, down = 0;
    curl().easy_getinfo(lease_->easy(), CURLINFO_SIZE_UPLOAD_T, &up);
    curl().easy_getinfo(lease_->easy(), CURLINFO_SIZE_DOWNLOAD_T, &down);
    return static_cast<std::uint64_t>(up) + static_cast<std::uint64_t>(down);
}

}  // namespace ringlet::detail
