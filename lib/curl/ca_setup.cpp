#include "curl/ca_setup.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace ringlet::detail {
namespace {

/// "1a2b3c4d.0": what c_rehash makes.
bool is_hash_link(std::string_view name) {
    return name.size() >= 10 && name[8] == '.' &&
           std::all_of(name.begin(), name.begin() + 8, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::size_t hash_links(const char* directory) {
    std::size_t count = 0;
    std::error_code ec;
    for (std::filesystem::directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec)) {
        if (is_hash_link(it->path().filename().string())) ++count;
    }
    return count;
}

std::size_t certificates_in(const char* bundle) {
    std::ifstream file(bundle);
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("-----BEGIN ")) ++count;
    }
    return count;
}

bool find_out() {
    const auto& libcurl = curl_facts();
    if (!libcurl.tls_library.starts_with("OpenSSL/") || libcurl.ca_directory.empty()) return false;
    return ca_directory_covers(libcurl.ca_directory.c_str(),
                               libcurl.ca_file.empty() ? nullptr : libcurl.ca_file.c_str());
}

}  // namespace

bool ca_directory_covers(const char* directory, const char* bundle) {
    const auto links = hash_links(directory);
    return links != 0 && (bundle == nullptr || certificates_in(bundle) <= links);
}

bool hashed_ca_directory_usable() noexcept {
    enum class Known : unsigned char { nothing, no, yes };
    static constinit std::atomic<Known> known{Known::nothing};  // two threads may find out, both the same
    if (known.load(std::memory_order_relaxed) == Known::nothing) {
        bool usable = false;
        try {
            usable = find_out();
        } catch (...) {  // no memory: as if it were not
        }
        known.store(usable ? Known::yes : Known::no, std::memory_order_relaxed);
    }
    return known.load(std::memory_order_relaxed) == Known::yes;
}

void use_hashed_ca_directory(CURL* easy) noexcept {
    if (hashed_ca_directory_usable()) curl().easy_setopt(easy, CURLOPT_CAINFO, static_cast<char*>(nullptr));
}

}  // namespace ringlet::detail
