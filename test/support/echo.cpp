#include "support/echo.hpp"

namespace ringlet::test {

Script echo_script() {
    return handler([](const Recorded& request) {
        return reply(request.target == "/echo" ? request.body : "", 200, "Content-Type: text/plain\r\n");
    });
}

OriginOptions echo_options() {
    OriginOptions options;
    options.record_requests = false;
    options.max_recorded_body = std::size_t{1} << 30;
    return options;
}

}  // namespace ringlet::test
