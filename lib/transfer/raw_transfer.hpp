// RawTransfer: a whole transfer by libcurl's rules, with the caller's options and callbacks, on a leased
// lane.
#pragma once

#include "cache/cache.hpp"
#include "curl/raw_options.hpp"
#include "ringlet/raw.hpp"
#include "transfer/cookie_jar.hpp"
#include "value/options.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ringlet::detail {

/// What curl_easy_getinfo can be asked after a transfer whose handle has gone back.
class InfoSnapshot {
  public:
    void take(CURL* easy);
    void clear() noexcept;
    raw::Info get(CURLINFO what) const;

  private:
    template <class T>
    void ask(CURL* easy, int what);

    std::vector<std::pair<int, raw::Info>> values_;  // in the order of their numbers, but for the last few
    std::vector<SlistPtr> lists_;                    // copies that values_ points into
    std::vector<curl_slist*> certificate_lists_;
    curl_certinfo certificates_{};
};

/// What a raw transfer runs with.
struct RawCall {
    std::shared_ptr<const Options> options;  // with raw options
    std::string url;                         // for messages
    CookieJar* cookies = nullptr;
    LaneKey key;
    std::shared_ptr<Cache> cache;
};

/// Runs it on this thread and fills `info`. Throws Error, or what a callback threw.
void run_raw_transfer(const RawCall& call, InfoSnapshot& info);

}  // namespace ringlet::detail
