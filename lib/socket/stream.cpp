#include "socket/stream.hpp"

namespace ringlet::detail {

Account::~Account() {
    if (!lease_) return;
    const auto cache = lease_.cache();
    cache->release(std::move(lease_), {CloseReason::upgraded, {}, false});
}

}  // namespace ringlet::detail
