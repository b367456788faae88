#include "support/names.hpp"

#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace ringlet::test {

namespace {

struct Entry {
    std::vector<std::string> addresses;
    std::chrono::milliseconds delay{};
    std::size_t lookups = 0;
};

struct Registry {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t generation = 0;  // guarded by mutex, like the rest
    std::map<std::string, Entry> entries;
};

// Never destroyed: libcurl's resolver threads may outlive main().
Registry& registry() {
    static auto* all = new Registry;
    return *all;
}

using Getaddrinfo = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

Getaddrinfo real_getaddrinfo() {
    static const auto real = reinterpret_cast<Getaddrinfo>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    return real;
}

// The addresses of a name, after its delay; nullopt for a name that is not ours.
std::optional<std::vector<std::string>> look_up(const char* name) {
    auto& all = registry();
    std::unique_lock lock(all.mutex);
    const auto found = name ? all.entries.find(name) : all.entries.end();
    if (found == all.entries.end()) return std::nullopt;
    ++found->second.lookups;
    auto addresses = found->second.addresses;
    const auto generation = all.generation;
    all.changed.wait_for(lock, found->second.delay, [&] { return all.generation != generation; });
    return addresses;
}

int answer(const std::vector<std::string>& addresses, const char* service, const addrinfo* hints,
           addrinfo** result) {
    addrinfo numeric{};
    if (hints) numeric = *hints;
    numeric.ai_flags = (numeric.ai_flags | AI_NUMERICHOST) & ~AI_CANONNAME;
    *result = nullptr;
    auto** next = result;
    for (const auto& address : addresses) {
        if (real_getaddrinfo()(address.c_str(), service, &numeric, next) != 0)
            continue;  // of the other family
        while (*next) next = &(*next)->ai_next;
    }
    return *result ? 0 : EAI_NONAME;
}

}  // namespace

Names::~Names() {
    auto& all = registry();
    const std::lock_guard lock(all.mutex);
    all.entries.clear();
    ++all.generation;
    all.changed.notify_all();
}

void Names::set(const std::string& name, std::vector<std::string> addresses) {
    auto& all = registry();
    const std::lock_guard lock(all.mutex);
    all.entries[name].addresses = std::move(addresses);
}

void Names::delay(const std::string& name, std::chrono::milliseconds by) {
    auto& all = registry();
    const std::lock_guard lock(all.mutex);
    all.entries[name].delay = by;
}

std::size_t Names::lookups(const std::string& name) const {
    auto& all = registry();
    const std::lock_guard lock(all.mutex);
    const auto found = all.entries.find(name);
    return found == all.entries.end() ? 0 : found->second.lookups;
}

}  // namespace ringlet::test

extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* name, const char* service,
                                                                  const addrinfo* hints, addrinfo** result) {
    using namespace ringlet::test;
    if (const auto addresses = look_up(name)) return answer(*addresses, service, hints, result);
    return real_getaddrinfo()(name, service, hints, result);
}
