#include "socket/upgrade.hpp"

#include "lane/adopted_socket.hpp"
#include "lane/lane.hpp"
#include "socket/plain_stream.hpp"
#include "socket/upgraded_stream.hpp"
#include "transfer/connect_only.hpp"

#include <string>
#include <utility>

namespace ringlet::detail {

std::unique_ptr<Stream> stream_after(Upgraded upgraded) {
    std::shared_ptr<Account> outer;  // of a given connection, in the cache that it came from
    if (auto* given = upgraded.lease->given()) outer = std::static_pointer_cast<Account>(given->give_away());
    if (upgraded.in_transfer) return std::make_unique<UpgradedStream>(std::move(upgraded), std::move(outer));
    Descriptor descriptor;
    auto account = std::make_shared<Account>(std::move(upgraded.lease));
    if (!upgraded.ended) {
        descriptor.fd = take_descriptor(account->lane());
        descriptor.account = outer ? std::move(outer) : std::move(account);
    }
    return std::make_unique<PlainStream>(std::move(descriptor),
                                         std::string(upgraded.early.data(), upgraded.early.size()));
}

}  // namespace ringlet::detail
