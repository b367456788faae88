#pragma once

#include "support/origin.hpp"

namespace ringlet::test {

// What real servers put behind their /echo and /discard, since they cannot read bodies themselves: a server
// that answers with the request's body (/echo), or with an empty one (anything else).
Script echo_script();
OriginOptions echo_options();

}  // namespace ringlet::test
