#pragma once

#include <memory>

#include "support/gate.hpp"
#include "support/origin.hpp"
#include "support/tally.hpp"
#include "support/tls_server.hpp"

namespace ringlet::test {

// What a server shares with its connections.
struct OriginContext {
    OriginOptions options;
    Tally tally;
    Gate stop;
    std::unique_ptr<TlsServer> tls;
};

}  // namespace ringlet::test
