#!/usr/bin/env python3
"""Counts what `meson test` ran: Catch2 test cases one by one, every other test as one.

A Meson test is a Catch2 executable if it is run with `--reporter xml::out=FILE`; FILE then says what each test case did.
Prints what failed (with output), what was skipped, how many rows of the conformance catalogue have a passing test, and
last "N passed, N failed". Leaves meson-logs/failures.txt and meson-logs/counts ("N N") for `./dev ci`.
"""

import argparse
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

GOOD = {"OK", "EXPECTEDFAIL"}
ROW = re.compile(r"^\|\s*(C\d{3})\b", re.MULTILINE)
TAG = re.compile(r"\[(C\d{3})\]")
TAIL = 40


class Case:
    """One counted test: outcome is passed, failed or skipped."""

    def __init__(self, name, outcome, rows=(), detail=""):
        self.name, self.outcome, self.rows, self.detail = name, outcome, set(rows), detail


def tail(text, lines=TAIL):
    kept = text.rstrip().splitlines()
    cut = [] if len(kept) <= lines else [f"... ({len(kept) - lines} lines before)"]
    return "\n".join(cut + kept[-lines:])


def failures_of(case):
    """file:line and what was expected, for each failed assertion of a Catch2 test case."""
    found = []
    for node in case.iter():
        place = f"{node.get('filename')}:{node.get('line')}"
        if node.tag == "Expression" and node.get("success") == "false":
            original = (node.findtext("Original") or "").strip()
            expanded = (node.findtext("Expanded") or "").strip()
            found.append(f"{place}: {node.get('type')}({original})\n    with: {expanded}" if node.get("type") else f"{place}:")
            for thrown in node.iter("Exception"):
                found.append(f"    threw: {(thrown.text or '').strip()}")
        elif node.tag in ("Failure", "FatalErrorCondition"):
            found.append(f"{place}: {node.tag}: {(node.text or '').strip()}")
        elif node.tag == "Exception" and not any("threw:" in line for line in found):
            found.append(f"{place}: threw: {(node.text or '').strip()}")
        elif node.tag == "Info":
            found.append(f"    info: {(node.text or '').strip()}")
    return "\n".join(dict.fromkeys(found))  # a test case with sections says the same several times


def read_catch(path, prefix):
    """The test cases in a Catch2 XML report, which may break off where the process died; and whether it did."""
    cases, open_case, whole = [], None, False
    try:
        for event, node in ElementTree.iterparse(path, events=("start", "end")):
            if node.tag == "TestCase" and event == "start":
                open_case = node.get("name")
            elif node.tag == "TestCase":
                result = node.find("OverallResult")
                good = result is not None and result.get("success") == "true"
                skipped = good and int(result.get("skips", "0")) > 0
                cases.append(Case(f"{prefix}: {node.get('name')}",
                                  "skipped" if skipped else "passed" if good else "failed",
                                  TAG.findall(node.get("tags", "")), "" if good else failures_of(node)))
                open_case = None
            elif node.tag == "Catch2TestRun" and event == "end":
                whole = True
    except (OSError, ElementTree.ParseError):
        pass
    return cases, open_case, whole


def report_file(command):
    for argument in command:
        if argument.startswith("xml::out="):
            return pathlib.Path(argument[len("xml::out="):])
    return None


def cases_of(test):
    """The counted tests that one line of Meson's log stands for."""
    name, result = test["name"], test["result"]
    output = "\n".join(filter(None, (test.get("stdout"), test.get("stderr"))))
    outcome = "passed" if result in GOOD else "skipped" if result == "SKIP" else "failed"
    path = report_file(test["command"])
    if path is None or outcome == "skipped":
        return [Case(name, outcome, detail=f"{result}\n{tail(output)}")]
    fresh = path.exists() and path.stat().st_mtime >= test["starttime"] - 1
    cases, unfinished, whole = read_catch(path, name) if fresh else ([], None, False)
    accounted = whole and any(case.outcome == "failed" for case in cases)
    if outcome == "failed" and not accounted:
        where = f" in: {unfinished}" if unfinished else " (no test case failed)" if whole else ""
        cases.append(Case(f"{name}: {result}{where}", "failed", detail=tail(output)))
    elif not cases:
        cases.append(Case(f"{name}: no test case ran", "failed", detail=tail(output)))
    return cases


def conformance(cases, catalogue):
    rows = set(ROW.findall(catalogue.read_text(encoding="utf-8"))) if catalogue and catalogue.exists() else set()
    passed = {row for case in cases if case.outcome == "passed" for row in case.rows}
    failed = {row for case in cases if case.outcome == "failed" for row in case.rows}
    return len((passed - failed) & rows), len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--conformance", type=pathlib.Path)
    parser.add_argument("--exit-code", type=int, default=0, help="of `meson test`: not 0 is a failure in any case")
    arguments = parser.parse_args()
    logs = arguments.build / "meson-logs"

    log = logs / "testlog.json"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    cases = [case for line in lines if line.strip() for case in cases_of(json.loads(line))]
    failed = [case for case in cases if case.outcome == "failed"]
    if not cases or (arguments.exit_code and not failed):
        failed.append(Case(f"meson test: exit code {arguments.exit_code}, {len(cases)} tests ran", "failed"))
    passed = sum(case.outcome == "passed" for case in cases)

    text = "".join(f"FAILED {case.name}\n{case.detail}\n\n" for case in failed)
    (logs / "failures.txt").write_text(text, encoding="utf-8")
    (logs / "counts").write_text(f"{passed} {len(failed)}\n", encoding="utf-8")

    print()
    for case in cases:
        if case.outcome == "skipped":
            print(f"skipped: {case.name}")
    print(text, end="")
    covered, rows = conformance(cases, arguments.conformance)
    if rows:
        print(f"conformance: {covered} of {rows} rows have a passing test")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
