#include "socket/private_cache.hpp"

#include <utility>

namespace ringlet::detail {

std::shared_ptr<Cache> private_cache() {
    CacheSettings settings;
    settings.max_connections = 1;
    settings.max_idle = 1;
    settings.idle_timeout = unlimited;
    settings.honour_keep_alive_hint = false;
    settings.watch_idle = false;
    return Cache::create(std::move(settings));
}

}  // namespace ringlet::detail
