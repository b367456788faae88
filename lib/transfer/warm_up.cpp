#include "transfer/warm_up.hpp"

#include "cache/cache.hpp"
#include "transfer/lane_key_of.hpp"

namespace ringlet::detail {

std::size_t WarmUp::open(std::size_t n) {
    const auto url = Url::parse(url_);
    const auto idle = cache_->idle_for(lane_key(url, Options{}));
    if (idle < n)
        throw Error(Errc::unsupported_protocol, "prewarm: opening connections ahead is not available");
    return idle;
}

}  // namespace ringlet::detail
