#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet::test {

// A certificate with its private key. The PEM of a leaf holds the leaf only.
struct Certificate {
    std::string cert_pem = {};
    std::string key_pem = {};

    bool empty() const { return cert_pem.empty(); }
    // Writes <name>.crt and <name>.key.
    void write_to(const std::filesystem::path& directory, std::string_view name = "server") const;
};

struct CertificateOptions {
    std::vector<std::string> names = {"localhost"};
    std::vector<std::string> ips = {"127.0.0.1", "::1"};
    std::string common_name = {};  // empty: the first name
    bool expired = false;
    bool not_yet_valid = false;
    bool for_client = false;  // extended key usage clientAuth instead of serverAuth
};

// A certificate authority that lives in memory. EC P-256, so that making one takes under a millisecond.
class TestCa {
  public:
    explicit TestCa(std::string_view common_name = "ringlet test CA");

    // The one of this process.
    static const TestCa& instance();

    Certificate issue(const CertificateOptions& options = {}) const;
    const std::string& pem() const { return ca_.cert_pem; }
    const std::string& key_pem() const { return ca_.key_pem; }

    // Writes ca.crt and returns its path.
    std::filesystem::path write_to(const std::filesystem::path& directory) const;

  private:
    Certificate ca_;
};

// The certificate of this process's authority: what a client is to trust.
inline const std::string& ca() {
    return TestCa::instance().pem();
}

// A leaf that is its own issuer.
Certificate self_signed(const CertificateOptions& options = {});

// What c_rehash makes: each certificate in <directory>/<subject hash>.<n>.
void write_hashed_directory(const std::filesystem::path& directory,
                            const std::vector<std::string>& cert_pems);

}  // namespace ringlet::test
