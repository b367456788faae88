// The cheap way to the system's certificate authorities.
#pragma once

#include "curl/api.hpp"

namespace ringlet::detail {

/// libcurl built with OpenSSL parses the whole CA bundle for each new TLS connection (22 ms on 7.88.1) and
/// keeps it with the connection (880 KB). A hashed CA directory (CURLOPT_CAPATH) holds the same certificates
/// and loads only the one that is needed, so the bundle is switched off where such a directory is libcurl's
/// own default. Verification is the same. Does nothing where that is not sound: another TLS library (GnuTLS
/// reads every file of a directory), no directory, or one without hash links.
void use_hashed_ca_directory(CURL* easy) noexcept;

/// Whether it is sound on this machine; decided once.
bool hashed_ca_directory_usable() noexcept;

/// The directory has hash links, and as many as the bundle (null: none) has certificates: one that somebody
/// added to the bundle alone must go on being trusted.
bool ca_directory_covers(const char* directory, const char* bundle);

}  // namespace ringlet::detail
