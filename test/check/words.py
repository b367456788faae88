#!/usr/bin/env python3
"""Words that have no place in the repository: unfinished work, paths and hosts of one machine, sleeping tests.

usage: words.py [ROOT]
"""

import re
import sys

import source

# Written in pieces, so that this file passes its own check.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
MACHINE = re.compile(
    r"(?<![\w.$}/-])/(work|farm|home|root|Users)" r"/[\w.-]+"
    r"|\bdeb\.debian" r"\.org|\barchive\.ubuntu" r"\.com|\bregistry\.npm" r"js|\bpypi\." r"org")
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(|(?<![\w.>])sleep\(\d")
REASON = re.compile(r"//\s*why:\s*\S")

TEXT = {".cpp", ".hpp", ".h", ".c", ".py", ".sh", ".md", ".build", ".txt", ".wrap", ".supp", ".conf", ".yml", ""}


def check_line(name, number, line, code):
    """Problems of one line; `code` is the line without comments and strings."""
    problems = []
    for pattern, what in ((UNFINISHED, "unfinished work"), (MACHINE, "a path or host of one machine")):
        for match in pattern.finditer(line):
            problems.append(f"{name}:{number}: {what}: {match.group(0)}")
    if name.startswith("test/") and SLEEP.search(code) and not REASON.search(line):
        problems.append(f"{name}:{number}: a test that sleeps: wait for the event, or say `// why: ...` on the line")
    return problems


def check(root):
    problems = []
    for path in source.tracked(root):
        if path.suffix not in TEXT:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        name = path.relative_to(root).as_posix()
        code = source.without_comments(text) if path.suffix in source.CPP else ""
        code_lines = code.split("\n")
        for number, line in enumerate(text.split("\n"), 1):
            problems += check_line(name, number, line, code_lines[number - 1] if code else "")
    return problems


if __name__ == "__main__":
    sys.exit(source.finish(check(source.root_from_arguments()), "words"))
