// The smoke matrix: what every real server must do with us, over each protocol it speaks.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "support/server_process.hpp"

namespace ringlet::test {

// What a server is asked to count: connections with at least one request. Empty: it does not tell.
using Served = std::function<std::size_t()>;

// GET, HEAD, POST, a large body, a dropped body, keep-alive, threads; over each protocol the server offers,
// on one cache each, with exact connection counts on both sides.
void smoke(ServerProcess& server, const Served& served = {});

// A server restart between two requests: no request fails.
void survives_restart(ServerProcess& server);

}  // namespace ringlet::test
