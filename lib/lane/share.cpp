#include "lane/share.hpp"

#include <new>

namespace ringlet::detail {

Share::Share() {
    ensure_curl();
    share_.reset(curl().share_init());
    if (!share_) throw std::bad_alloc();
    const auto set = [this](CURLSHoption option, auto value) {
        const auto code = curl().share_setopt(handle(), option, value);
        // Without its locks it must not be used at all.
        if (code != CURLSHE_OK && code != CURLSHE_NOT_BUILT_IN) throw std::bad_alloc();
    };
    set(CURLSHOPT_USERDATA, this);
    set(CURLSHOPT_LOCKFUNC, &Share::lock);
    set(CURLSHOPT_UNLOCKFUNC, &Share::unlock);
    set(CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    set(CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    set(CURLSHOPT_SHARE,
        CURL_LOCK_DATA_PSL);  // not built in everywhere: refused then
}

// libcurl asks for exclusive access only (measured on 7.88 to 8.23), so a reader-writer lock would gain
// nothing.
void Share::lock(CURL*, curl_lock_data data, curl_lock_access, void* self) {
    static_cast<Share*>(self)->mutexes_[data].lock();
}

void Share::unlock(CURL*, curl_lock_data data, void* self) {
    static_cast<Share*>(self)->mutexes_[data].unlock();
}

}  // namespace ringlet::detail
