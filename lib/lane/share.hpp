// Share: one CURLSH with DNS entries, TLS sessions and the public suffix list; a mutex for each kind of data.
#pragma once

#include "base/mutex.hpp"
#include "curl/handles.hpp"

#include <array>

namespace ringlet::detail {

/// Connections, cookies and HSTS are not shared: libcurl does not support that across threads. Thread-safe.
/// Must outlive every easy handle that uses it.
class Share {
  public:
    Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    CURLSH* handle() noexcept { return share_.get(); }

  private:
    static void lock(CURL*, curl_lock_data, curl_lock_access, void* self) RINGLET_UNANALYSED;
    static void unlock(CURL*, curl_lock_data, void* self) RINGLET_UNANALYSED;
    std::array<Mutex, CURL_LOCK_DATA_LAST> mutexes_;
    SharePtr share_;
};

}  // namespace ringlet::detail
