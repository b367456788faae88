#include "support/tls_server.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <stdexcept>

#include "support/origin.hpp"

namespace ringlet::test {

namespace {

void require_tls(bool good, const char* what) {
    if (!good) throw std::runtime_error(std::string(what) + ": " + tls_errors());
}

std::unique_ptr<BIO, decltype(&BIO_free)> memory_bio(const std::string& text) {
    return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

std::unique_ptr<X509, decltype(&X509_free)> parse_certificate(const std::string& pem) {
    std::unique_ptr<X509, decltype(&X509_free)> certificate(
        PEM_read_bio_X509(memory_bio(pem).get(), nullptr, nullptr, nullptr), &X509_free);
    require_tls(certificate != nullptr, "reading a certificate");
    return certificate;
}

void use_certificate(SSL_CTX* context, const Certificate& certificate) {
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        PEM_read_bio_PrivateKey(memory_bio(certificate.key_pem).get(), nullptr, nullptr, nullptr),
        &EVP_PKEY_free);
    require_tls(key != nullptr, "reading a private key");
    require_tls(SSL_CTX_use_certificate(context, parse_certificate(certificate.cert_pem).get()) == 1,
                "certificate");
    require_tls(SSL_CTX_use_PrivateKey(context, key.get()) == 1, "private key");
}

void require_client_certificate(SSL_CTX* context, const std::string& ca_pem) {
    auto ca = parse_certificate(ca_pem);
    require_tls(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca.get()) == 1, "client CA");
    require_tls(SSL_CTX_add_client_CA(context, ca.get()) == 1, "client CA name");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

std::string alpn_wire_format(const std::vector<std::string>& protocols) {
    std::string wire;
    for (const auto& protocol : protocols) {
        wire += static_cast<char>(protocol.size());
        wire += protocol;
    }
    return wire;
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                unsigned int offered_size, void* wire) {
    const auto& ours = *static_cast<const std::string*>(wire);
    unsigned char* chosen = nullptr;
    int result = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                                       static_cast<unsigned int>(ours.size()), offered, offered_size);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

std::string tls_errors() {
    std::string text;
    while (auto code = ERR_get_error()) {
        char line[256];
        ERR_error_string_n(code, line, sizeof line);
        if (!text.empty()) text += "; ";
        text += line;
    }
    return text;
}

TlsServer::TlsServer(const OriginOptions& options)
    : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free), alpn_(alpn_wire_format(options.alpn)) {
    require_tls(context_ != nullptr, "SSL_CTX_new");
    SSL_CTX* context = context_.get();
    use_certificate(context, options.certificate);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    // Sessions of a server that asks for certificates are only resumed within a named context.
    require_tls(
        SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("test"), 4) == 1,
        "session id context");
    if (options.max_tls_version) SSL_CTX_set_max_proto_version(context, options.max_tls_version);
    if (!options.session_tickets) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(context, 0);
    }
    if (!options.client_ca_pem.empty()) require_client_certificate(context, options.client_ca_pem);
    if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context, select_alpn, &alpn_);
}

SSL* TlsServer::session(int fd) const {
    SSL* ssl = SSL_new(context_.get());
    require_tls(ssl != nullptr, "SSL_new");
    SSL_set_fd(ssl, fd);
    SSL_set_accept_state(ssl);
    return ssl;
}

}  // namespace ringlet::test
