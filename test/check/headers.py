#!/usr/bin/env python3
"""Every public header compiles alone, and includes of the outside world only what it may.

usage: headers.py [--root ROOT] [--cxx 'COMMAND'] [--cc 'COMMAND'] [-- FLAGS]
"""

import argparse
import concurrent.futures
import os
import pathlib
import shlex
import subprocess
import sys

import source

# Public headers show neither fmt nor spdlog nor libcurl, but for these.
MAY_INCLUDE = {
    "format.hpp": ("fmt/",),
    "curl.h": ("curl/",),
    "session.hpp": ("curl/",),  # setopt and getinfo are libcurl's, one to one
    "raw.hpp": ("curl/",),
}
OUTSIDE = ("fmt/", "spdlog/", "curl/")


def check_includes(root, header):
    name = header.relative_to(root / "include" / "ringlet").as_posix()
    place = header.relative_to(root).as_posix()
    problems = []
    for line, target in source.includes(header):
        if target.startswith(OUTSIDE) and not target.startswith(MAY_INCLUDE.get(name, ("\0",))):
            problems.append(f"{place}:{line}: a public header may not include <{target}>")
        if target.startswith('"') or (root / "lib" / target).is_file():
            problems.append(f"{place}:{line}: a public header may not include {target} from lib/")
    return problems


def compile_alone(root, header, language, command, flags):
    """Compiles a file that does nothing but include the header, twice: it must guard itself."""
    name = header.relative_to(root / "include").as_posix()
    text = f"#include <{name}>\n" * 2
    standard = {"c++": "-std=c++20", "c": "-std=c11"}[language]
    run = subprocess.run([*command, "-x", language, standard, "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                          "-I", str(root / "include"), *flags, "-"],
                         input=text, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return []
    return [f"{header.relative_to(root).as_posix()}: does not compile alone as {language}:\n{run.stderr.rstrip()}"]


def check(root, cxx, cc, flags):
    headers = source.files(root, "include")
    problems = [problem for header in headers for problem in check_includes(root, header)]
    work = [(header, "c++", cxx) for header in headers]
    work += [(header, "c", cc) for header in headers if header.suffix == ".h"]
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        for found in pool.map(lambda job: compile_alone(root, *job, flags), work):
            problems += found
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, default=source.ROOT)
    parser.add_argument("--cxx", type=shlex.split, default=shlex.split(os.environ.get("CXX", "c++")))
    parser.add_argument("--cc", type=shlex.split, default=shlex.split(os.environ.get("CC", "cc")))
    parser.add_argument("flags", nargs="*")
    arguments = parser.parse_args()
    return source.finish(check(arguments.root.resolve(), arguments.cxx, arguments.cc, arguments.flags), "headers")


if __name__ == "__main__":
    sys.exit(main())
