#!/usr/bin/env python3
"""Fails when ringlet needs more instructions per request than its share of what a raw libcurl loop needs.

usage: check.py --build DIR [--slack F]

Instructions are counted by callgrind on the client's own thread, as the difference of two run lengths. They repeat to a
fraction of a per cent on any machine, loaded or not, so that this can be a test; times cannot. The server takes its time, so
that each request waits once: whether an answer is there already when it is looked for would be chance.
"""

import argparse
import pathlib
import shutil
import sys

import figures
import servers

# What is measured, with which program and flags, raw's flags, and the ratio that must hold. docs/performance.md says what
# each means.
CHECKS = [
    ("the same URL each time, same work", "bench_ringlet", [], [], 0.86),
    ("another path each time, same work", "bench_ringlet", ["--vary-path"], ["--vary-path"], 0.87),
    ("against a minimal loop, decoding off", "bench_ringlet", ["--bare"], ["--api", "minimal"], 0.92),
    ("two sessions in turn on one lane", "bench_ringlet", ["--sessions", "2"], [], 1.01),
    ("setopt() and perform(), same work", "bench_ringlet", ["--api", "perform"], [], 1.45),
    ("the raw program as a drop-in", "drop_in_one_handle", [], [], 1.05),
]

def per_request(command):
    return figures.instructions_per_request(command, base=100, more=500, count=figures.instructions_of_first_thread)


SKIPPED = 77  # what Meson takes for "skipped"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--slack", type=float, default=0.0, help="added to each limit: for a build that is optimised little")
    flags = parser.parse_args()
    build = flags.build.resolve()
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        return SKIPPED
    failed, raw_counts = 0, {}
    with servers.Servers(build) as server:
        for what, program, ours, raws, limit in CHECKS:
            url = ["--url", server.urls["http"] + "/late"]
            programs = build / "test" / "bench"
            key = tuple(raws)
            if key not in raw_counts:
                raw_counts[key] = per_request([str(programs / "raw_one_handle"), *url, *raws])
            count = per_request([str(programs / program), *url, *ours])
            ratio, limit = count / raw_counts[key], limit + flags.slack
            kept = round(ratio, 2) <= round(limit, 2)  # to the two digits that the limits are given with
            verdict = "ok" if kept else "TOO MANY"
            failed += not kept
            print(f"{what}: {count:.0f} against {raw_counts[key]:.0f} instructions per request: "
                  f"{ratio:.3f}, at most {limit:.2f}: {verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
