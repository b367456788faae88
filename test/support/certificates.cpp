#include "support/certificates.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace ringlet::test {

namespace {

template <auto Free>
struct Freed {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};

using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Freed<X509_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;

void require(bool good, const char* what) {
    if (good) return;
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    throw std::runtime_error(std::string(what) + ": " + text);
}

Bio reading(const std::string& text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string content(const Bio& bio) {
    char* data = nullptr;
    long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

Cert read_certificate(const std::string& pem) {
    Cert certificate(PEM_read_bio_X509(reading(pem).get(), nullptr, nullptr, nullptr));
    require(certificate != nullptr, "reading a certificate");
    return certificate;
}

Key read_key(const std::string& pem) {
    Key key(PEM_read_bio_PrivateKey(reading(pem).get(), nullptr, nullptr, nullptr));
    require(key != nullptr, "reading a private key");
    return key;
}

Key new_key() {
    Key key(EVP_EC_gen("P-256"));
    require(key != nullptr, "making a key");
    return key;
}

void set_serial(X509* certificate) {
    unsigned char bytes[8];
    require(RAND_bytes(bytes, sizeof bytes) == 1, "random bytes");
    std::uint64_t number = 0;
    for (auto byte : bytes) number = number << 8 | byte;
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number >> 1);
}

void set_common_name(X509* certificate, std::string_view name) {
    require(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                       reinterpret_cast<const unsigned char*>(name.data()),
                                       static_cast<int>(name.size()), -1, 0) == 1,
            "common name");
}

// `issuer` may be the certificate itself, with its subject already set.
void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "extension");
}

// Days from now.
Cert blank_certificate(EVP_PKEY* key, std::string_view common_name, int from_day, int to_day) {
    Cert certificate(X509_new());
    require(certificate != nullptr, "X509_new");
    X509_set_version(certificate.get(), X509_VERSION_3);
    set_serial(certificate.get());
    X509_time_adj_ex(X509_getm_notBefore(certificate.get()), from_day, -3600, nullptr);
    X509_time_adj_ex(X509_getm_notAfter(certificate.get()), to_day, 0, nullptr);
    set_common_name(certificate.get(), common_name);
    require(X509_set_pubkey(certificate.get(), key) == 1, "public key");
    return certificate;
}

Certificate signed_pem(X509* certificate, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
    require(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1, "issuer");
    require(X509_sign(certificate, issuer_key, EVP_sha256()) > 0, "signing");
    Bio cert_bio(BIO_new(BIO_s_mem()));
    Bio key_bio(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_X509(cert_bio.get(), certificate) == 1, "writing a certificate");
    require(PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
            "writing a key");
    return {content(cert_bio), content(key_bio)};
}

std::string alternative_names(const CertificateOptions& options) {
    std::string names;
    for (const auto& name : options.names) names += ",DNS:" + name;
    for (const auto& ip : options.ips) names += ",IP:" + ip;
    return names.empty() ? names : names.substr(1);
}

Cert leaf(const CertificateOptions& options, EVP_PKEY* key, X509* issuer) {
    auto name = options.common_name;
    if (name.empty()) name = options.names.empty() ? "ringlet test" : options.names.front();
    int from = options.expired ? -20 : options.not_yet_valid ? 10 : 0;
    auto certificate = blank_certificate(key, name, from, options.expired ? -10 : 30);
    X509* cert = certificate.get();
    add_extension(cert, cert, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(cert, cert, NID_ext_key_usage, options.for_client ? "clientAuth" : "serverAuth");
    add_extension(cert, cert, NID_subject_key_identifier, "hash");
    if (issuer) add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
    if (auto names = alternative_names(options); !names.empty())
        add_extension(cert, cert, NID_subject_alt_name, names);
    return certificate;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

void Certificate::write_to(const std::filesystem::path& directory, std::string_view name) const {
    write_file(directory / (std::string(name) + ".crt"), cert_pem);
    write_file(directory / (std::string(name) + ".key"), key_pem);
}

TestCa::TestCa(std::string_view common_name) {
    auto key = new_key();
    auto certificate = blank_certificate(key.get(), common_name, 0, 30);
    X509* cert = certificate.get();
    add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(cert, cert, NID_subject_key_identifier, "hash");
    ca_ = signed_pem(cert, key.get(), cert, key.get());
}

const TestCa& TestCa::instance() {
    static const TestCa ca;
    return ca;
}

Certificate TestCa::issue(const CertificateOptions& options) const {
    auto issuer = read_certificate(ca_.cert_pem);
    auto issuer_key = read_key(ca_.key_pem);
    auto key = new_key();
    auto certificate = leaf(options, key.get(), issuer.get());
    return signed_pem(certificate.get(), key.get(), issuer.get(), issuer_key.get());
}

std::filesystem::path TestCa::write_to(const std::filesystem::path& directory) const {
    auto path = directory / "ca.crt";
    write_file(path, pem());
    return path;
}

Certificate self_signed(const CertificateOptions& options) {
    auto key = new_key();
    auto certificate = leaf(options, key.get(), nullptr);
    return signed_pem(certificate.get(), key.get(), certificate.get(), key.get());
}

void write_hashed_directory(const std::filesystem::path& directory,
                            const std::vector<std::string>& cert_pems) {
    std::filesystem::create_directories(directory);
    for (const auto& pem : cert_pems) {
        auto certificate = read_certificate(pem);
        char hash[16];
        std::snprintf(hash, sizeof hash, "%08lx", X509_subject_name_hash(certificate.get()));
        int n = 0;
        std::filesystem::path file;
        do {
            file = directory / (std::string(hash) + "." + std::to_string(n++));
        } while (std::filesystem::exists(file));
        write_file(file, pem);
    }
}

}  // namespace ringlet::test
