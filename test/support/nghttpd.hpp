#pragma once

#include <string>
#include <vector>

#include "support/server_process.hpp"

namespace ringlet::test {

struct NghttpdOptions {
    bool tls = true;                          // Protocol::h2, else Protocol::h2c
    Certificate certificate = {};             // empty: one from TestCa
    std::vector<std::string> arguments = {};  // more of them, for example {"--max-concurrent-streams=1"}
};

// nghttpd: HTTP/2 only. /small, /size/..., /text and /slow (not slow here); the body of a POST comes back.
class Nghttpd : public ServerProcess {
  public:
    static bool available() { return find_program("nghttpd").has_value(); }

    explicit Nghttpd(const NghttpdOptions& options = {});
    ~Nghttpd() override { stop(); }
};

}  // namespace ringlet::test
