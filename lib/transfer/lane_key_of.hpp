// The lane key of a request.
#pragma once

#include "lane/lane_key.hpp"
#include "value/options.hpp"
#include "value/url.hpp"

namespace ringlet::detail {

LaneKey lane_key(const Url& url, const Options& options);

}  // namespace ringlet::detail
