#include "curl/library.hpp"

#include "curl/api.hpp"

#include <atomic>

namespace ringlet::detail {
namespace {

CurlFacts find_facts() {
    const auto* version = curl().version_info(CURLVERSION_NOW);
    const auto text = [](const char* of) { return of == nullptr ? std::string{} : std::string{of}; };
    CurlFacts facts{version->version_num, version->features, text(version->ssl_version), {}, {}};
    if (version->age >= CURLVERSION_SEVENTH) {
        facts.ca_file = text(version->cainfo);
        facts.ca_directory = text(version->capath);
    }
    return facts;
}

constinit std::atomic<bool> begun{false};

}  // namespace

bool curl_has_begun() noexcept {
    return begun.load(std::memory_order_relaxed);
}

void ensure_curl() {
    begun.store(true, std::memory_order_relaxed);
    static const CURLcode once = curl().global_init(CURL_GLOBAL_DEFAULT);
    (void)once;
}

const CurlFacts& curl_facts() {
    // Never destroyed: handles may be used in destructors of static objects.
    static const CurlFacts& facts = *new CurlFacts(find_facts());
    return facts;
}

unsigned curl_version_number() noexcept {
    return curl_facts().version;
}

}  // namespace ringlet::detail
