#!/usr/bin/env python3
"""No source file of the library has more lines than a reader can hold.

usage: length.py [ROOT]
"""

import sys

import source

LIMIT = 400


def check(root):
    problems = []
    for path in source.files(root, "lib", "include"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LIMIT:
            problems.append(f"{path.relative_to(root).as_posix()}: {lines} lines, the limit is {LIMIT}")
    return problems


if __name__ == "__main__":
    sys.exit(source.finish(check(source.root_from_arguments()), "length"))
