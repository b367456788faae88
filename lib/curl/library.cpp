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

// Never destroyed: handles may be used in destructors of static objects.
constinit std::atomic<const CurlFacts*> facts::known{nullptr};

const CurlFacts& facts::find() {
    const Lock lock(first_use);
    if (known.load(std::memory_order_relaxed) == nullptr)
        known.store(new CurlFacts(find_facts()), std::memory_order_release);
    return *known.load(std::memory_order_relaxed);
}

}  // namespace ringlet::detail
