// The libcurl at hand: its start, and what it says of itself.
#pragma once

#include <atomic>
#include <string>

namespace ringlet::detail {

class Mutex;

/// Runs curl_global_init once for ringlet's own sake: programs may balance theirs while idle lanes live.
void ensure_curl();
/// Held by whoever is the first to call ensure_curl() or curl_facts(), for as long as that takes: to be held
/// through a fork().
Mutex& curl_first_use() noexcept;

/// Copied once: curl_version_info() writes to the same memory each time, whichever thread calls it.
struct CurlFacts {
    unsigned version = 0;               ///< 0x075801 is 7.88.1
    int features = 0;                   ///< CURL_VERSION_...
    std::string tls_library;            ///< "OpenSSL/3.0.19"; empty without TLS
    std::string ca_file, ca_directory;  ///< the built-in defaults; empty where there is none
};
namespace facts {
extern std::atomic<const CurlFacts*> known;
const CurlFacts& find();
}  // namespace facts

inline const CurlFacts& curl_facts() {
    const auto* known = facts::known.load(std::memory_order_acquire);
    return known != nullptr ? *known : facts::find();
}

/// CurlFacts::version.
inline unsigned curl_version_number() noexcept {
    return curl_facts().version;
}

}  // namespace ringlet::detail
