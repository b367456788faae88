#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/h2_session.hpp"
#include "support/origin.hpp"

namespace ringlet::test {

// Options for an Origin that speaks HTTP/2: TLS with ALPN "h2", or prior knowledge without TLS.
OriginOptions h2_options(bool tls = true);

// For each request that is complete: an action from below, or any other function of that shape.
Script h2_handler(std::function<H2Action(const H2Request&)> on_request, H2Settings settings = {});

// The same response to all requests.
Script h2_respond_with(std::string body, int status = 200, H2Fields fields = {});

// For scripts that do it all by hand: session.start() has succeeded.
Script h2_script(std::function<void(H2Session&)> run, H2Settings settings = {});

// --- Actions ---

// HEADERS and DATA, as the windows allow; other requests are answered meanwhile.
H2Action h2_respond(std::string body, int status = 200, H2Fields fields = {});
// HEADERS, then nothing.
H2Action h2_respond_headers_only(int status = 200, H2Fields fields = {});
H2Action h2_reset(H2Error error);
// Requests above `last_stream` were not processed. The connection stays open until the client ends it.
H2Action h2_go_away(std::uint32_t last_stream, H2Error error = H2Error::no_error);
H2Action h2_ignore();
H2Action h2_close();
// One after the other.
H2Action h2_all(std::vector<H2Action> actions);

}  // namespace ringlet::test
