#include "lane/share.hpp"

#include <new>

namespace ringlet::detail {

Share::Share() {
    ensure_curl();
    share_.reset(curl().share_init());
    if (!share_) throw std::bad_alloc();
    curl().share_setopt(handle(), CURLSHOPT_USERDATA, this);
    curl().share_setopt(handle(), CURLSHOPT_LOCKFUNC, &Share::lock);
    curl().share_setopt(handle(), CURLSHOPT_UNLOCKFUNC, &Share::unlock);
    curl().share_setopt(handle(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl().share_setopt(handle(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    curl().share_setopt(handle(), CURLSHOPT_SHARE,
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
