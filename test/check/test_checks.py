#!/usr/bin/env python3
"""Tests of the checks themselves: each must fail for what it forbids, and pass what it allows.

usage: test_checks.py [CLASS...]
"""

import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

import headers
import layering
import length
import links
import report
import snippets
import symbols
import words


class Tree(unittest.TestCase):
    """A small source tree of its own."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="ringlet-check-")).resolve()
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def assert_problems(self, problems, *expected):
        """One problem for each expected text, which it contains, in any order."""
        self.assertEqual(len(problems), len(expected), problems)
        for text in expected:
            self.assertTrue(any(text in problem for problem in problems), f"{text} not in {problems}")


class Layering(Tree):
    def test_includes_along_the_arrows_are_good(self):
        self.write("lib/cache/cache.hpp", '#include "policy/policy.hpp"\n#include "lane/lane.hpp"\n#include "base/log.hpp"\n')
        self.write("lib/policy/policy.hpp", '#include "value/limits.hpp"\n#include <optional>\n')
        self.write("lib/lane/lane.hpp", '#include "curl/easy.hpp"\n#include <curl/curl.h>\n')
        self.write("lib/api/session.cpp", '#include "cache/cache.hpp"\n')
        for name in ("value/limits.hpp", "base/log.hpp", "curl/easy.hpp"):
            self.write("lib/" + name, "")
        self.assert_problems(layering.check(self.root))

    def test_an_include_against_an_arrow(self):
        self.write("lib/lane/lane.cpp", '#include "../cache/cache.hpp"\n')
        self.write("lib/value/headers.cpp", '\n#include "curl/easy.hpp"\n')
        self.write("lib/value/url.cpp", '#include "curl/easy.hpp"\n')
        self.write("lib/cache/cache.hpp", "")
        self.write("lib/curl/easy.hpp", "")
        self.assert_problems(layering.check(self.root), "lib/lane/lane.cpp:1: lane may not include cache",
                             "lib/value/headers.cpp:2: value may not include curl")

    def test_policy_is_pure(self):
        self.write("lib/policy/a.cpp", "#include <mutex>\nauto now = std::chrono::steady_clock::now();\n")
        self.write("lib/policy/b.cpp", '#include "value/options.hpp"\n')
        self.write("lib/value/options.hpp", "#include <curl/curl.h>\n")
        self.assert_problems(layering.check(self.root), "a.cpp:1: policy may not include <mutex>",
                             "a.cpp:2: policy may not use steady_clock::now", "b.cpp:1 (through value/options.hpp)",
                             "lib/value/options.hpp:1: value may not include <curl/curl.h>")

    def test_only_the_curl_layer_calls_libcurl(self):
        code = 'void f(CURL* c, curl_slist* s) { curl_easy_perform(c); }\n// curl_easy_reset(c)\nauto t = "curl_free()";\n'
        self.write("lib/curl/easy.cpp", code)
        self.write("lib/lane/lane.cpp", code)
        self.write("include/ringlet/session.hpp", "inline auto f = &curl_easy_setopt;\n")
        self.assert_problems(layering.check(self.root), "lib/lane/lane.cpp:1: only lib/curl may call curl_easy_perform",
                             "session.hpp:1: only lib/curl may call curl_easy_setopt")

    def test_a_file_in_no_layer(self):
        self.write("lib/util/helper.cpp", "")
        self.assert_problems(layering.check(self.root), "in no known layer")


class Length(Tree):
    def test_a_long_file(self):
        self.write("lib/cache/long.cpp", "\n" * 401)
        self.write("lib/cache/short.cpp", "\n" * 400)
        self.assert_problems(length.check(self.root), "lib/cache/long.cpp: 401 lines")


class Words(Tree):
    def test_what_has_no_place_in_the_repository(self):
        self.write("lib/a.cpp", "// TO" "DO: later\n")
        self.write("docs/b.md", "see /wo" "rk/main, $HOME/wo" "rk/x, a/wo" "rk/b and http://deb.debian" ".org\n")
        self.write("test/c.cpp", 'f("ringlet-XX' 'XXXX");\nstd::this_thread::sleep_for(1s);\n'
                                 "sleep_for(1s);  // why: the peer has no event\n// sleep_for(1s)\nconnection.sleep(5ms);\n")
        self.assert_problems(words.check(self.root), "lib/a.cpp:1: unfinished work", "docs/b.md:1: a path or host",
                             "docs/b.md:1: a path or host", "test/c.cpp:2: a test that sleeps")


class Links(Tree):
    def test_links_that_lead_nowhere(self):
        self.write("README.md", "[a](docs/a.md) [b](docs/a.md#the-end) [c](https://example.com/x) `[d](none.md)`\n"
                                "[e](docs/none.md)\n[f](docs/a.md#no-such)\n[g]: gone.md\n```\n[h](none.md)\n```\n")
        self.write("docs/a.md", "# A\n## The `end`\n[up](../README.md)\n")
        self.assert_problems(links.check(self.root), "README.md:2", "README.md:3: no such heading", "README.md:4")


class Headers(Tree):
    def check(self):
        return headers.check(self.root, ["c++"], ["cc"], [])

    def test_headers_that_stand_alone(self):
        self.write("include/ringlet/a.hpp", "#pragma once\n#include <string>\nnamespace ringlet { std::string f(); }\n")
        self.write("include/ringlet/c.h", "#ifndef C_H\n#define C_H\nint ringlet_f(void);\n#endif\n")
        self.assert_problems(self.check())

    def test_headers_that_do_not(self):
        self.write("include/ringlet/a.hpp", "#pragma once\nstd::string f();\n")
        self.write("include/ringlet/b.hpp", "struct TwiceDefined {};\n")
        self.write("include/ringlet/c.h", "#pragma once\nnamespace no_c {}\n")
        self.assert_problems(self.check(), "a.hpp: does not compile alone as c++", "b.hpp: does not compile alone as c++",
                             "c.h: does not compile alone as c:")

    def test_headers_that_show_what_they_should_not(self):
        self.write("include/ringlet/a.hpp", "#pragma once\n#include <curl/curl.h>\n#if 0\n#include <spdlog/spdlog.h>\n#endif\n")
        self.assert_problems(self.check(), "may not include <curl/curl.h>", "may not include <spdlog/spdlog.h>")


class Snippets(Tree):
    def test_code_that_does_and_does_not_compile(self):
        self.write("include/ringlet/ringlet.hpp", "#pragma once\n#include <string>\nnamespace ringlet { struct Response {};\n"
                   "struct Session { Response get(const std::string&) { return {}; } }; struct ConnectionCache {}; }\n")
        page = self.write("README.md", "```cpp\nsession.get(url);\n```\n```cpp\nringlet::Session session;\nauto r = session.get(\"x\");\n```\n"
                          "```cpp\n#include <vector>\nint main() { return std::vector<int>{0}[0]; }\n```\n```sh\nnot C++\n```\n"
                          "```cpp ignore\nnot C++\n```\n```cpp\nsession.fetch(url);\n```\n")
        problems = snippets.check(self.root, [page], ["c++"], [])
        self.assert_problems(problems, "README.md:19: this code does not compile")
        self.assertIn("fetch", problems[0])


class Symbols(Tree):
    def library(self, code):
        path = self.root / "libx.so"
        subprocess.run(["c++", "-std=c++20", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(path)], input=code, text=True, check=True)
        return str(path)

    def test_public_names_are_good(self):
        self.assert_problems(symbols.check(self.library("""
            #include <string>
            #include <vector>
            namespace ringlet { inline namespace v1 {
                struct Observer { virtual ~Observer(); virtual void seen(std::string); };
                Observer::~Observer() = default;
                void Observer::seen(std::string) {}
                std::string text(std::vector<int> v) { v.push_back(1); v.resize(50); return "x"; }
                template <class T> T value(T t) { return t; }
                template int value<int>(int);
            } }
            extern "C" int ringlet_easy_init() { return 0; }
        """)))

    def test_other_names_are_not(self):
        self.assert_problems(symbols.check(self.library("""
            namespace ringlet { void f() {} namespace detail { void hidden() {} struct S { virtual void g(); }; void S::g() {} } }
            namespace fmt { inline namespace v9 { template <class T> T format(T t) { return t; } } }
            auto use = fmt::format(1);
            extern "C" void curl_wrapped() {}
        """)), "ringlet::detail::hidden", "ringlet::detail::S::g", "vtable for ringlet::detail::S", "typeinfo for ringlet::detail::S",
            "typeinfo name for ringlet::detail::S", "fmt::v9::format", "curl_wrapped", " use ")


CATCH = """<?xml version="1.0" encoding="UTF-8"?>
<Catch2TestRun name="unit">
  <TestCase name="C001 good" tags="[conformance][C001]"><OverallResult success="true" skips="0"/></TestCase>
  <TestCase name="C002 bad" tags="[C002]">
    <Expression success="false" type="CHECK" filename="a.cpp" line="7"><Original>a == b</Original><Expanded>1 == 2</Expanded></Expression>
    <OverallResult success="false"/>
  </TestCase>
  <TestCase name="C003 skipped" tags="[C003]"><OverallResult success="true" skips="1"/></TestCase>
"""


class Report(Tree):
    def cases(self, result, catch=None, **more):
        path = self.root / "unit.xml"
        if catch is not None:
            path.write_text(catch, encoding="utf-8")
        entry = {"name": "unit", "result": result, "starttime": time.time(), "stdout": "", **more,
                 "command": ["unit", "--reporter", f"xml::out={path}"]}
        return [(case.name, case.outcome) for case in report.cases_of(json.loads(json.dumps(entry)))]

    def test_test_cases_are_counted_one_by_one(self):
        self.assertEqual(self.cases("FAIL", CATCH + "</Catch2TestRun>"),
                         [("unit: C001 good", "passed"), ("unit: C002 bad", "failed"), ("unit: C003 skipped", "skipped")])

    def test_a_process_that_dies_is_a_failure_of_its_own(self):
        cases = self.cases("TIMEOUT", CATCH + '<TestCase name="hangs" tags="">')
        self.assertEqual(cases[-1], ("unit: TIMEOUT in: hangs", "failed"))
        self.assertEqual(len(cases), 4)

    def test_a_bad_exit_after_good_tests_is_a_failure(self):
        good = CATCH.replace('success="false"/>', 'success="true"/>') + "</Catch2TestRun>"
        self.assertEqual(self.cases("FAIL", good)[-1], ("unit: FAIL (no test case failed)", "failed"))

    def test_nothing_run_is_a_failure(self):
        self.assertEqual(self.cases("OK")[-1], ("unit: no test case ran", "failed"))

    def test_the_conformance_rows(self):
        cases = [report.Case("a", "passed", ["C001", "C002"]), report.Case("b", "failed", ["C002"]), report.Case("c", "skipped", ["C003"])]
        page = self.write("conformance.md", "| id |\n|---|\n| C001 | x |\n| C002* | y |\n| C003 | z |\n")
        self.assertEqual(report.conformance(cases, page), (1, 3))


if __name__ == "__main__":
    unittest.main()
