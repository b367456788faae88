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

TEST_CASE("drops are told to the log that they were held back from, whoever dropped before", "[drop_log]") {
    const LogCapture first_capture, second_capture;
    {
        Log first(first_capture.logger());
        DropLog::instance().warn(first, "http://shared.test", "details");
        DropLog::instance().finish(first);
    }
    Log second(second_capture.logger());
    for (int i = 0; i < 40; ++i) DropLog::instance().warn(second, "http://shared.test", "details");
    DropLog::instance().finish(second);
    CHECK(second_capture.count("response dropped") == 9);
    CHECK(second_capture.count("31 more responses dropped from http://shared.test") == 1);
}
