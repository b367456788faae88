// The libcurl at hand: its start, and what it says of itself.
#pragma once

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
const CurlFacts& curl_facts();

/// CurlFacts::version.
unsigned curl_version_number() noexcept;

}  // namespace ringlet::detail
