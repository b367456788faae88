// SocketFunctions: what a program has set for the sockets of one of its own handles. Header only.
#pragma once

#include "curl/api.hpp"

namespace ringlet::detail {

/// CURLOPT_OPENSOCKETFUNCTION, CURLOPT_CLOSESOCKETFUNCTION and their data, CURLOPT_SSL_CTX_FUNCTION. Null:
/// libcurl's own way.
struct SocketFunctions {
    curl_opensocket_callback open = nullptr;
    void* open_data = nullptr;
    curl_closesocket_callback close = nullptr;
    void* close_data = nullptr;
    curl_ssl_ctx_callback ssl_ctx = nullptr;
};

}  // namespace ringlet::detail
