#include "transfer/entry.hpp"

#include "api/access.hpp"
#include "cache/cache.hpp"
#include "ringlet/connection_cache.hpp"
#include "transfer/exchange.hpp"
#include "transfer/lane_key_of.hpp"
#include "transfer/warm_up.hpp"

#include <memory>

namespace ringlet::detail {

LaneKey lane_key_of(const Request& request) {
    const auto& data = Access::data(request);
    return lane_key(Url::parse(data.url), data.options);
}

std::size_t prewarm(const std::shared_ptr<Cache>& cache, std::string_view url, std::size_t n) {
    return WarmUp(cache, url).open(n);
}

}  // namespace ringlet::detail
