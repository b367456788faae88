// The caches that belong to the process: the default one, and one for each base URL.
#include "api/access.hpp"
#include "base/made_once.hpp"
#include "base/mutex.hpp"
#include "cache/cache.hpp"
#include "cache/environment.hpp"
#include "cache/fork_guard.hpp"
#include "ringlet/connection_cache.hpp"
#include "ringlet/error.hpp"
#include "value/origin.hpp"

#include <atomic>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace ringlet::inline v1 {
namespace {

/// By a name: "" is the process-wide one, the others have their origin.
///
/// Never destroyed, since static objects may use these caches in their destructors. But while the program
/// exits, as long as libcurl, its TLS library and spdlog are still there, their connections are closed
/// properly and their watching threads end; from then on they keep nothing idle.
class SharedCaches {
  public:
    static SharedCaches& instance() {
        static constinit std::atomic<SharedCaches*> caches{nullptr};
        return detail::made_once(caches, [] { return new SharedCaches; });
    }

    std::optional<ConnectionCache> find(const std::string& name) {
        const detail::Lock lock(mutex_);
        const auto found = caches_.find(name);
        return found == caches_.end() ? std::nullopt : std::optional(found->second);
    }
    /// What is known by that name from now on: another thread may have been first.
    ConnectionCache add(const std::string& name, const ConnectionCache& cache) {
        // Only now that a cache has been made: exit goes backwards, and this must come before the end of what
        // it needs.
        const detail::Lock lock(mutex_);
        if (!std::exchange(registered_, true)) (void)std::atexit([] { instance().abandon_all(); });
        return caches_.emplace(name, cache).first->second;
    }

  private:
    void abandon_all() noexcept {
        std::map<std::string, ConnectionCache> caches;
        {
            const detail::Lock lock(mutex_);
            caches = caches_;
        }
        for (const auto& [name, cache] : caches) detail::Access::cache(cache)->abandon();
    }

    detail::Mutex mutex_;
    detail::ForkGuard fork_guard_{mutex_};
    std::map<std::string, ConnectionCache> caches_ RINGLET_GUARDED_BY(mutex_);
    bool registered_ RINGLET_GUARDED_BY(mutex_) = false;  // to be called at exit
};

}  // namespace

ConnectionCache ConnectionCache::process_wide() {
    if (auto known = SharedCaches::instance().find("")) return *known;
    // Made and, if it came second, destroyed outside the mutex.
    const ConnectionCache fresh(detail::Cache::create(detail::settings_from_environment()));
    return SharedCaches::instance().add("", fresh);
}

ConnectionCache ConnectionCache::for_base_url(std::string_view url) {
    const auto origin = detail::normalise_origin(url);
    if (auto known = SharedCaches::instance().find(origin)) return *known;
    const ConnectionCache fresh;
    return SharedCaches::instance().add(origin, fresh);
}

ConnectionCache ConnectionCache::for_base_url(std::string_view url, const Builder& settings) {
    const auto origin = detail::normalise_origin(url);
    const auto wanted = settings.settings_->judged();
    auto known = SharedCaches::instance().find(origin);
    if (!known) {
        const ConnectionCache fresh(detail::Cache::create(wanted));
        known = SharedCaches::instance().add(origin, fresh);
    }
    const auto difference = detail::Access::cache(*known)->settings().first_difference(wanted);
    if (!difference.empty()) {
        throw Error(Errc::conflicting_settings,
                    "for_base_url(" + origin + "): the cache exists with another " + std::string(difference));
    }
    return *known;
}

}  // namespace ringlet::inline v1
