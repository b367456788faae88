// ringletify: programs as they are, with libringlet-preload.so in front of them.
#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <string>
#include <string_view>

#include "compat/authorities.hpp"
#include "compat/program.hpp"
#include "support/certificates.hpp"
#include "support/origin.hpp"
#include "support/server_process.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace ringlet::test;

TEST_CASE("ringletify gives a C program one connection for 200 handles", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    const Origin origin(respond_with(reply("x")));
    const auto command = RAW_CLIENT " " + origin.url() + " 200";
    auto ran = run(command);
    CHECK(ran.exit_code == 0);
    CHECK(ran.output == "failures=0 connects=200\n");
    CHECK(origin.accepts() == 200);
    ran = run(ringletify(command));
    CHECK(ran.exit_code == 0);
    CHECK(ran.output == "failures=0 connects=1\n");
    CHECK(origin.accepts() == 201);
}

/// A client makes 200 requests, fewer without ringletify where that is enough to tell, and says how many
/// seconds they took: what it takes to start is not counted.
void check_200_requests(const std::string& client, const TempDir& directory, std::size_t without) {
    const Origin origin(respond_with(reply("answer")), {.tls = true});
    const auto ca = all_authorities(directory);
    const auto command = [&](std::size_t requests) {
        return client + ' ' + origin.url() + ' ' + std::to_string(requests) + ' ' + ca + " timed";
    };
    const auto slow = run(command(without));
    CHECK(slow.exit_code == 0);
    CHECK(origin.snapshot().handshakes == without);
    const auto fast = run(ringletify(command(200)));
    CHECK(fast.exit_code == 0);
    CHECK(origin.snapshot().handshakes == without + 1);
    CAPTURE(slow.output, fast.output);
    const auto seconds = [](const Ran& ran) { return std::strtod(ran.output.c_str(), nullptr); };
    CHECK(20 * seconds(fast) / 200 <= seconds(slow) / static_cast<double>(without));
}

TEST_CASE("the same over TLS, at least 20 times as fast", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    check_200_requests(RAW_CLIENT, TempDir(), 200);
}

TEST_CASE("ringletify prints statistics, and can be switched off", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    const Origin origin(respond_with(reply("x")));
    const auto command = RAW_CLIENT " " + origin.url() + " 10";
    auto ran = run(ringletify(command, "RINGLET_STATS=1"));
    CHECK(contains(ran.output, "ringlet: requests=10 opened=1 reused=9 closed=0 idle=1"));
    ran = run(ringletify("--stats " + command));
    CHECK(contains(ran.output, "requests=10"));
    ran = run(ringletify(command, "RINGLET_DISABLE=1 RINGLET_STATS=1"));
    CHECK(ran.output == "failures=0 connects=10\n");
    CHECK(run(ringletify("")).exit_code == 2);
    CHECK(run(ringletify("--stats")).exit_code == 2);
    CHECK(contains(run(ringletify("--help")).output, "usage: ringletify"));
}

TEST_CASE("the environment tunes the cache, and says what it does not take", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    const Origin origin(respond_with(reply("x")));
    const auto command = RAW_CLIENT " " + origin.url() + " 10";
    CHECK(run(ringletify(command, "RINGLET_MAX_IDLE=0")).output == "failures=0 connects=10\n");
    CHECK(run(ringletify(command, "RINGLET_MAX_REQUESTS_PER_CONNECTION=5")).output ==
          "failures=0 connects=2\n");
    CHECK(run(ringletify(command, "RINGLET_MAX_CONNECTIONS=1")).output == "failures=0 connects=1\n");
    const auto ran = run(ringletify(command, "RINGLET_MAX_CONNECTIONS=0 RINGLET_IDLE_TIMEOUT=soon"));
    CHECK(contains(ran.output, "RINGLET_MAX_CONNECTIONS=0 ignored: max_connections: 0 is not allowed"));
    CHECK(contains(ran.output, "RINGLET_IDLE_TIMEOUT=soon ignored"));
    CHECK(contains(ran.output, "failures=0 connects=1\n"));
}

TEST_CASE("an idle timeout above libcurl's own counts for handles", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    const Origin origin(respond_with(reply("x")));
    const auto command = LATER_CLIENT " " + origin.url() + " /dev/null 200";
    const auto longer = "RINGLET_IDLE_TIMEOUT=600";
    CHECK(run(ringletify(command)).output == "codes=0,0 connects=2\n");
    CHECK(run(ringletify(command, longer)).output == "codes=0,0 connects=1\n");
    CHECK(run(ringletify(command + " 150", longer)).output == "codes=0,0 connects=2\n");
}

TEST_CASE("a POST is sent where libcurl itself gave up the kept connection before", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    const TempDir directory;
    const auto ca = TestCa::instance().write_to(directory.path()).string();
    for (const bool tls : {false, true}) {
        const Origin origin(respond_with(reply("x")), {.tls = tls});
        const auto command = LATER_CLIENT " " + origin.url() + ' ' + ca + " 10 5 body";
        CHECK(run(ringletify(command)).output == "codes=0,0 connects=2\n");
        CHECK(origin.request_count() == 2);
    }
}

TEST_CASE("the curl tool works under ringletify", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    if (!find_program("curl")) SKIP("no curl");
    const Origin origin(handler([](const Recorded& r) { return reply(r.target + '\n'); }));
    const auto command = "curl -sS " + origin.url("/a") + ' ' + origin.url("/b");
    auto ran = run(ringletify(command));
    CHECK(ran.exit_code == 0);
    CHECK(ran.output == "/a\n/b\n");
    CHECK(origin.accepts() == 1);  // its own doing: it shares connections through a CURLSH
    ran = run(ringletify("--stats " + command));
    CHECK(contains(ran.output, "ringlet: requests=0 opened=0"));
    CHECK(contains(ran.output, "passed_through=2\n"));
    CHECK(run(ringletify("curl -sS http://127.0.0.1:1/")).exit_code == 7);
}

TEST_CASE("pycurl gets one connection for 200 Curl objects, at least 20 times as fast", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    if (run("/usr/bin/python3 -c 'import pycurl'").exit_code != 0) SKIP("no pycurl");
    const TempDir directory;
    const auto script = directory.write("client.py",
                                        "import io, pycurl, sys, time\n"
                                        "start = time.monotonic()\n"
                                        "for i in range(int(sys.argv[2])):\n"
                                        "    body = io.BytesIO()\n"
                                        "    c = pycurl.Curl()\n"
                                        "    c.setopt(c.URL, sys.argv[1])\n"
                                        "    c.setopt(c.CAINFO, sys.argv[3])\n"
                                        "    c.setopt(c.WRITEDATA, body)\n"
                                        "    c.perform()\n"
                                        "    assert c.getinfo(c.RESPONSE_CODE) == 200\n"
                                        "    assert body.getvalue() == b'answer'\n"
                                        "    c.close()\n"
                                        "print(time.monotonic() - start)\n");
    check_200_requests("/usr/bin/python3 " + script.string(), directory, 30);
}

TEST_CASE("PHP gets one connection for 200 handles, at least 20 times as fast", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    if (run("php -r 'exit(function_exists(\"curl_init\") ? 0 : 1);'").exit_code != 0)
        SKIP("no PHP with curl");
    const TempDir directory;
    const auto script = directory.write("client.php",
                                        "<?php\n"
                                        "$start = microtime(true);\n"
                                        "for ($i = 0; $i < $argv[2]; $i++) {\n"
                                        "    $c = curl_init($argv[1]);\n"
                                        "    curl_setopt($c, CURLOPT_CAINFO, $argv[3]);\n"
                                        "    curl_setopt($c, CURLOPT_RETURNTRANSFER, true);\n"
                                        "    if (curl_exec($c) !== 'answer') exit(1);\n"
                                        "    unset($c);\n"
                                        "}\n"
                                        "echo microtime(true) - $start, \"\\n\";\n");
    check_200_requests("php " + script.string(), directory, 30);
}

}  // namespace
