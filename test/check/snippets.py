#!/usr/bin/env python3
"""The C++ in README.md and the guide compiles: each fence tagged `cpp`, unless it is tagged `cpp ignore`.

A fence with a main() is a file of its own. Any other is taken for statements inside a function, where the names `session`,
`cache`, `response` and `url` are there if the fence does not declare them; its own #include lines go to the top. A fence of
declarations is tagged `cpp declarations`.

usage: snippets.py [--root ROOT] [--cxx 'COMMAND'] [-- FLAGS]
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys

import source

FENCE = re.compile(r"^```(cpp|c\+\+)([^\n]*)\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
PRELUDE = """#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <ringlet/ringlet.hpp>
"""
GIVEN = {
    "cache": "ringlet::ConnectionCache cache;",
    "session": "ringlet::Session session;",
    "url": 'std::string url = "http://127.0.0.1/";',
    "response": "ringlet::Response response = session.get(url);",
}


def declares(body, name):
    """Whether the body has `TYPE name` followed by what can follow a declaration's name."""
    return re.search(rf"(^|[;{{(]|\bauto|\bconst)\s*[\w:<>&*]+\s*[&*]?\s*\b{name}\s*(=|;|{{|\()", body, re.MULTILINE)


def program(code, line, page, tag):
    """A translation unit whose errors point into the page."""
    at = f'#line {line} "{page}"\n'
    if re.search(r"\bint\s+main\s*\(", code):
        return at + code
    if "declarations" in tag:
        return PRELUDE + at + code
    lines = code.split("\n")
    top = [text for text in lines if text.lstrip().startswith("#")]
    body = "\n".join("" if text.lstrip().startswith("#") else text for text in lines)
    needed = [name for name in GIVEN if re.search(rf"\b{name}\b", body) and not declares(body, name)]
    if "response" in needed:
        needed = [name for name in GIVEN if name in needed or (name in ("session", "url") and not declares(body, name))]
    given = "".join(f"    [[maybe_unused]] {GIVEN[name]}\n" for name in needed)
    # The fence has a scope of its own, so that it may declare what is given as well.
    return (PRELUDE + "\n".join(top) + "\nvoid snippet();\nvoid snippet() {\n    using namespace std::chrono_literals;\n"
            + given + "{\n" + at + body + "\n}}\n")


def snippets(root, pages):
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            if "ignore" not in match.group(2):
                yield page.relative_to(root).as_posix(), line, match.group(3), match.group(2)


def compile_snippet(root, cxx, flags, snippet):
    page, line, code, tag = snippet
    run = subprocess.run([*cxx, "-x", "c++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wno-unused-variable",
                          "-Wno-unused-but-set-variable", "-I", str(root / "include"), *flags, "-"],
                         input=program(code, line, page, tag), capture_output=True, text=True, check=False)
    return [] if run.returncode == 0 else [f"{page}:{line}: this code does not compile:\n{run.stderr.rstrip()}"]


def check(root, pages, cxx, flags):
    work = list(snippets(root, pages))
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        return [problem for found in pool.map(lambda one: compile_snippet(root, cxx, flags, one), work) for problem in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, default=source.ROOT)
    parser.add_argument("--cxx", type=shlex.split, default=shlex.split(os.environ.get("CXX", "c++")))
    parser.add_argument("flags", nargs="*", help="for the compiler")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    pages = [page for page in source.tracked(root) if page.suffix == ".md"
             and re.match(r"([^/]+|docs/index|docs/guide/.*)\.md$", page.relative_to(root).as_posix())]
    return source.finish(check(root, pages, arguments.cxx, arguments.flags), "snippets")


if __name__ == "__main__":
    sys.exit(main())
