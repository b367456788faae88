// DropLog with more origins than it remembers for long.
#include <catch2/catch_test_macros.hpp>

#include <string>

#include "support/fixture.hpp"
#include "transfer/drop_log.hpp"

using namespace ringlet::detail;
using ringlet::test::LogCapture;

TEST_CASE("drops that were held back are told, however many origins there were since", "[drop_log]") {
    const LogCapture capture;
    Log log(capture.logger());
    auto& drops = DropLog::instance();
    for (int i = 0; i < 25; ++i) drops.warn(log, "http://many.test", "details");
    for (int i = 0; i < 3000; ++i) drops.warn(log, "http://" + std::to_string(i) + ".test", "details");
    for (int i = 0; i < 5; ++i) drops.warn(log, "http://many.test", "details");
    CHECK(capture.count("response dropped") == 10 + 3000);
    drops.finish(log);
    CHECK(capture.count("20 more responses dropped from http://many.test") == 1);
}
