#include "transfer/warm_up.hpp"

#include "ringlet/error.hpp"
#include "transfer/connect_only.hpp"
#include "transfer/lane_key_of.hpp"

#include <string>
#include <utility>

namespace ringlet::detail {
namespace {

/// Scheme http whatever the port: libcurl then connects and does nothing more.
std::string tcp_url(const Url& url) {
    const auto& origin = url.origin();
    return "http" + origin.substr(origin.find("://")) + '/';
}

}  // namespace

WarmUp::WarmUp(std::shared_ptr<Cache> cache, std::string_view url)
    : cache_(std::move(cache)), url_(Url::parse(url)), key_(lane_key(url_, Options{})) {}

std::size_t WarmUp::open(std::size_t n) {
    bool first = true;
    while (cache_->idle_for(key_) < n) {
        try {
            open_one();
        } catch (const Error&) {
            if (first) throw;
            break;
        }
        first = false;
    }
    return cache_->idle_for(key_);
}

void WarmUp::open_one() {
    AcquireLimits limits;
    limits.prewarm = true;
    auto lease = cache_->acquire(key_, limits);
    ConnectPlan plan;
    plan.url = tcp_url(url_);
    connect_only(lease, plan);
    auto& lane = *lease;
    const int fd = take_descriptor(lane);
    lane.offer(fd);
    lane.reset_easy();
    cache_->release(std::move(lease), {CloseReason::none, {}, false});
}

}  // namespace ringlet::detail
