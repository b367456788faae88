#include "curl/library.hpp"

#include "base/mutex.hpp"
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

// Not statics of the functions: a child that is forked while another thread is at it would wait for ever.
constinit Mutex first_use;
constinit std::atomic<bool> started{false};
// Never destroyed: handles may be used in destructors of static objects.
constinit std::atomic<const CurlFacts*> facts{nullptr};

}  // namespace

Mutex& curl_first_use() noexcept {
    return first_use;
}

void ensure_curl() {
    if (started.load(std::memory_order_acquire)) return;
    const Lock lock(first_use);
    if (started.load(std::memory_order_relaxed)) return;
    (void)curl().global_init(CURL_GLOBAL_DEFAULT);
    started.store(true, std::memory_order_release);
}

const CurlFacts& curl_facts() {
    if (const auto* known = facts.load(std::memory_order_acquire)) return *known;
    const Lock lock(first_use);
    if (facts.load(std::memory_order_relaxed) == nullptr)
        facts.store(new CurlFacts(find_facts()), std::memory_order_release);
    return *facts.load(std::memory_order_relaxed);
}

unsigned curl_version_number() noexcept {
    return curl_facts().version;
}

}  // namespace ringlet::detail
