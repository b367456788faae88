#!/usr/bin/env python3
"""What Ninja has to build for the tests of some suites.

usage: targets.py BUILD_DIR SUITE...
"""

import json
import pathlib
import sys


def targets(build, suites):
    info = build / "meson-info"
    tests = json.loads((info / "intro-tests.json").read_text(encoding="utf-8"))
    wanted = {target for test in tests for target in test["depends"]
              if any(suite.split(":")[-1] in suites for suite in test["suite"])}
    for target in json.loads((info / "intro-targets.json").read_text(encoding="utf-8")):
        if target["id"] in wanted:
            yield from (pathlib.Path(name).relative_to(build.resolve()).as_posix() for name in target["filename"])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    print("\n".join(sorted(targets(pathlib.Path(sys.argv[1]), sys.argv[2:]))))
