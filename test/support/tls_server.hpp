#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/certificates.hpp"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace ringlet::test {

struct OriginOptions;

// The TLS settings of one server.
class TlsServer {
  public:
    explicit TlsServer(const OriginOptions& options);
    TlsServer(const TlsServer&) = delete;
    TlsServer& operator=(const TlsServer&) = delete;

    // A server-side session on that socket, before its handshake. The caller frees it.
    SSL* session(int fd) const;

  private:
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
    std::string alpn_;  // in wire format; referred to by context_
};

// Takes the queue of OpenSSL errors of this thread, as text.
std::string tls_errors();

}  // namespace ringlet::test
