#pragma once

#include <string>

#include "support/connection.hpp"
#include "support/posix.hpp"

namespace ringlet::test {

// Moves bytes both ways between a client and a connected socket until both have ended. A FIN of one side
// reaches the other as a FIN, a RST as a RST. Returns when all is over or the server stops; the client is
// closed then.
void tunnel(Connection& client, Fd target);

}  // namespace ringlet::test
