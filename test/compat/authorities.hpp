// A bundle of authorities as large as the system's. Header only.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include "support/certificates.hpp"
#include "support/temp_dir.hpp"

namespace ringlet::test {

/// The system's authorities and the test's: what a program with libcurl's default settings has to read.
inline std::string all_authorities(const TempDir& directory) {
    std::string text = TestCa::instance().pem();
    if (std::ifstream bundle("/etc/ssl/certs/ca-certificates.crt"); bundle) {
        text.append(std::istreambuf_iterator<char>(bundle), {});
    }
    return directory.write("bundle.crt", text).string();
}

}  // namespace ringlet::test
