// ringletify: programs as they are, with libringlet-preload.so in front of them.
#include <catch2/catch_test_macros.hpp>

#include <sys/wait.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "support/certificates.hpp"
#include "support/origin.hpp"
#include "support/server_process.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace ringlet::test;

struct Ran {
    int exit_code = -1;
    std::string output;  // stdout and stderr
};

Ran run(const std::string& command) {
    Ran ran;
    std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> buffer;
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe))
        ran.output.append(buffer.data(), n);
    const int status = ::pclose(pipe);
    if (WIFEXITED(status)) ran.exit_code = WEXITSTATUS(status);
    return ran;
}

// A sanitizer's runtime must be the first library of a process, so it cannot be put before another's program.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool can_preload = false;
#else
constexpr bool can_preload = true;
#endif

std::string ringletify(const std::string& command, std::string_view environment = "") {
    return "env RINGLET_PRELOAD=" RINGLET_PRELOAD_LIBRARY " " + std::string(environment) +
           " sh " RINGLETIFY " " + command;
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

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

TEST_CASE("the same over TLS", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    const TempDir directory;
    const auto ca = TestCa::instance().write_to(directory.path()).string();
    const Origin origin(respond_with(reply("x")), {.tls = true});
    const auto ran = run(ringletify(RAW_CLIENT " " + origin.url() + " 200 " + ca));
    CHECK(ran.output == "failures=0 connects=1\n");
    CHECK(origin.snapshot().handshakes == 1);
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

TEST_CASE("the curl tool works under ringletify", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    if (!find_program("curl")) SKIP("no curl");
    const Origin origin(handler([](const Recorded& r) { return reply(r.target + '\n'); }));
    const auto ran = run(ringletify("curl -sS " + origin.url("/a") + ' ' + origin.url("/b")));
    CHECK(ran.exit_code == 0);
    CHECK(ran.output == "/a\n/b\n");
    CHECK(origin.accepts() == 1);  // its own doing: it shares connections through a CURLSH
    CHECK(run(ringletify("curl -sS http://127.0.0.1:1/")).exit_code == 7);
}

TEST_CASE("pycurl gets one connection for many Curl objects", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    if (run("/usr/bin/python3 -c 'import pycurl'").exit_code != 0) SKIP("no pycurl");
    const Origin origin(respond_with(reply("of pycurl")));
    const TempDir directory;
    const auto script = directory.write("client.py",
                                        "import io, pycurl, sys\n"
                                        "for i in range(50):\n"
                                        "    body = io.BytesIO()\n"
                                        "    c = pycurl.Curl()\n"
                                        "    c.setopt(c.URL, sys.argv[1])\n"
                                        "    c.setopt(c.WRITEDATA, body)\n"
                                        "    c.perform()\n"
                                        "    assert c.getinfo(c.RESPONSE_CODE) == 200\n"
                                        "    assert body.getvalue() == b'of pycurl'\n"
                                        "    c.close()\n"
                                        "print('good')\n");
    const auto ran = run(ringletify("/usr/bin/python3 " + script.string() + ' ' + origin.url()));
    CHECK(ran.exit_code == 0);
    CHECK(ran.output == "good\n");
    CHECK(origin.accepts() == 1);
}

TEST_CASE("PHP gets one connection for many handles", "[compat][preload]") {
    if (!can_preload) SKIP("instrumented");
    if (run("php -r 'exit(function_exists(\"curl_init\") ? 0 : 1);'").exit_code != 0)
        SKIP("no PHP with curl");
    const Origin origin(respond_with(reply("of php")));
    const TempDir directory;
    const auto script = directory.write("client.php",
                                        "<?php\n"
                                        "for ($i = 0; $i < 50; $i++) {\n"
                                        "    $c = curl_init($argv[1]);\n"
                                        "    curl_setopt($c, CURLOPT_RETURNTRANSFER, true);\n"
                                        "    if (curl_exec($c) !== 'of php') exit(1);\n"
                                        "    unset($c);\n"
                                        "}\n"
                                        "echo \"good\\n\";\n");
    const auto ran = run(ringletify("php " + script.string() + ' ' + origin.url()));
    CHECK(ran.exit_code == 0);
    CHECK(ran.output == "good\n");
    CHECK(origin.accepts() == 1);
}

}  // namespace
