#include "transfer/warm_up.hpp"

#include "curl/proxy_environment.hpp"
#include "ringlet/error.hpp"
#include "transfer/connect_only.hpp"
#include "transfer/lane_key_of.hpp"

#include <algorithm>
#include <cstdint>
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
    : cache_(std::move(cache)),
      url_(Url::parse(url)),
      key_(lane_key(url_, Options{})),
      proxy_(environment_proxy(url_.https())) {}

std::size_t WarmUp::open(std::size_t n) {
    // Through others a connection begins with more than TCP, which the request would do once more.
    if (proxy_scheme(proxy_) != "http") return cache_->idle_for(key_);
    const auto& settings = cache_->settings();
    const auto wanted =
        std::min({std::uint64_t{n}, settings.max_idle.value(), settings.max_idle_per_host.value()});
    const std::uint64_t before = cache_->idle_for(key_);
    // So many and no more, whatever becomes of them meanwhile: requests take idle ones, and servers close
    // them.
    for (auto there = before; there < wanted; ++there) {
        try {
            if (open_one() != CloseReason::none) break;
        } catch (const Error&) {
            if (there == before) throw;
            break;
        }
    }
    return cache_->idle_for(key_);
}

/// Why it was closed at once; none: it is kept.
CloseReason WarmUp::open_one() {
    AcquireLimits limits;
    limits.prewarm = true;
    auto lease = cache_->acquire(key_, limits);
    ConnectPlan plan;
    plan.url = tcp_url(url_);
    plan.wire.proxy = proxy_;  // not the one for http, which this is to libcurl
    connect_only(lease, plan);
    auto& lane = *lease;
    const int fd = take_descriptor(lane);
    lane.offer(fd);
    lane.reset_easy();
    return cache_->release(std::move(lease), {CloseReason::none, {}, false});
}

}  // namespace ringlet::detail
