#!/usr/bin/env python3
"""Measures ringlet, raw libcurl and their peers side by side, and prints one table.

usage: bench.py --build DIR [--rounds N] [--scale F] [--only WORKLOAD,...] [--contenders NAME,...] [--json FILE]
                [--markdown FILE] [--times-only]

Contenders take turns, several rounds of each workload; a ratio is taken round by round against the workload's baseline,
and its median counts. Times on a machine that does other things too are noisy: trust ratios, and counts before times.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import statistics
import sys

import contenders
import figures
import report
import servers


@dataclasses.dataclass
class Workload:
    name: str
    what: str
    server: str          # which of the servers' URLs
    flags: list
    needs: frozenset
    requests: int
    baseline: str = "raw-one-handle"
    path: str = ""
    default_ca: bool = False
    counted: bool = False  # instructions and system calls, too
    only: tuple = ()


def workload(name, what, server, requests, flags=(), needs=(), **more):
    return Workload(name, what, server, list(flags), frozenset(needs), requests, **more)


RAW_AND_RINGLET = ("raw-one-handle", "raw-new-handle", "ringlet", "pycurl")
WORKLOADS = [
    workload("get", "100-byte GET on a kept connection, HTTP/1.1", "http", 5000, counted=True),
    workload("vary", "the same, another path and query each time", "http", 5000, ["--vary-path"], ["vary"], counted=True),
    workload("https", "100-byte GET on a kept connection, HTTPS", "https", 3000, ["--protocol", "https"], ["https"],
             counted=True),
    workload("h2", "100-byte GET on a kept connection, HTTP/2", "h2", 2000, ["--protocol", "h2"], ["h2"], counted=True),
    workload("threads-2", "the first, from 2 threads", "http", 10000, ["--threads", "2"], ["threads"]),
    workload("threads-8", "the first, from 8 threads", "http", 16000, ["--threads", "8"], ["threads"]),
    workload("burst", "64 threads on 8 connections", "http", 12800, ["--threads", "64", "--connections", "8"],
             ["limit"], baseline="ringlet"),
    workload("download", "100 MiB, read in pieces and dropped", "large", 3, ["--api", "read"], ["download"]),
    workload("save", "100 MiB into a file", "large", 2, ["--save-to"], ["download"], only=("raw-one-handle", "ringlet")),
    workload("upload", "8 MiB POST", "http", 20, ["--upload", str(8 << 20)], ["upload"], path="/upload"),
    workload("new-tls", "a new TLS connection each time, the system's CA bundle", "https", 30,
             ["--new-connection", "--protocol", "https"], ["https", "new", "default-ca"], baseline="raw-new-handle",
             default_ca=True, only=("raw-new-handle", "ringlet", "cpp-httplib", "pycurl", "undici", "Go net/http", "isahc")),
    workload("origins", "10 000 origins in turn", "http", 10000, ["--origins", "10000"], ["origins"],
             only=RAW_AND_RINGLET),
]
READ = ["--api", "read", "--block", "1"]
# bench_pair's: what, server, placement, requests, flags.
PAIRS = [
    ("GET, the same URL; the server has another core", "http", "apart", 20000, []),
    ("GET, the same URL; both on one core", "http", "together", 20000, []),
    ("GET, another path and query each time; another core", "http", "apart", 20000, ["--vary-path"]),
    ("GET from 2 threads; another core", "http", "apart", 20000, ["--threads", "2"]),
    ("GET from 2 threads, where the system puts them", "http", "free", 20000, ["--threads", "2"]),
    ("GET from 8 threads; another core", "http", "apart", 20000, ["--threads", "8"]),
    ("GET from 8 threads, where the system puts them", "http", "free", 20000, ["--threads", "8"]),
    ("raw libcurl against itself, from 8 threads, where the system puts them", "http", "free", 20000,
     ["--threads", "8", "--control"]),
    ("100 MiB through read(), against a callback that looks at nothing", "large", "free", 20, READ),
    ("the same, against a callback that copies", "large", "free", 20, [*READ, "--copies"]),
]
PAIR_RUNS = 9
HOLD = [("plain", "http", [], False), ("TLS", "https", ["--protocol", "https"], True)]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of requests")
    parser.add_argument("--only", default="", help="workloads: " + ", ".join(w.name for w in WORKLOADS) + ", pairs, hold")
    parser.add_argument("--contenders", default="")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path, help="replaces the tables in this page")
    parser.add_argument("--times-only", action="store_true")
    return parser.parse_args()


class Bench:
    def __init__(self, flags, server, view, everyone):
        self.flags, self.server, self.view, self.everyone = flags, server, view, everyone

    def command(self, load, contender):
        prefix = self.view if load.default_ca else []
        command = [*prefix, *contender.command, "--url", self.server.urls[load.server] + load.path]
        if load.server in ("https", "h2") and not load.default_ca:
            command += ["--ca", self.server.urls["ca"]]
        for flag in load.flags:
            command.append(flag)
            if flag == "--save-to":
                command.append(str(self.flags.build / "bench-download"))
        return command + contender.switches

    def requests(self, load):
        return max(1, round(load.requests * self.flags.scale))

    def takes_part(self, load):
        chosen = []
        for one in self.everyone:
            fits = load.needs <= one.can and (not load.only or one.name in load.only)
            if load.server == "large" and "--api" in one.switches and one.name != "ringlet read":
                fits = False
            if one.missing == "" and fits and not (one.name == "ringlet read" and load.server == "large"):
                chosen.append(one)
        return chosen

    def measure(self, load):
        """{contender: figures} of one workload."""
        rows = {}
        placement = servers.Placement("free" if "--threads" in load.flags else "apart")
        self.server.place(placement.server)
        for _ in range(self.flags.rounds):
            for one in self.takes_part(load):
                row = rows.setdefault(one.name, {"seconds": [], "native": one.native})
                if "failed" in row:
                    continue
                try:
                    self.server.connections()
                    command = [*placement.prefix(), *self.command(load, one), "--requests", str(self.requests(load))]
                    run = figures.timed(command)
                    row["seconds"].append(run["seconds"] / run["requests"])
                    row["peak_kib"] = max(run["peak_kib"], row.get("peak_kib", 0))
                    row["connections"] = self.server.connections()
                except figures.Failed as failure:
                    row["failed"] = str(failure)
        self.add_ratios(load, rows)
        if load.counted and not self.flags.times_only:
            self.add_counts(load, rows)
        return rows

    @staticmethod
    def add_ratios(load, rows):
        base = rows.get(load.baseline, {}).get("seconds", [])
        for row in rows.values():
            row["us"] = statistics.median(row["seconds"]) * 1e6 if row["seconds"] else None
            pairs = [mine / theirs for mine, theirs in zip(row["seconds"], base)]
            row["ratio"] = statistics.median(pairs) if pairs else None

    def add_counts(self, load, rows):
        for one in self.takes_part(load):
            row = rows[one.name]
            if "failed" in row:
                continue
            try:
                if shutil.which("strace"):
                    row["calls"] = figures.calls_per_request(self.command(load, one))
                if one.native and shutil.which("valgrind") and one.name != "ringlet busy_poll":
                    row["instructions"] = figures.instructions_per_request(self.command(load, one))
            except figures.Failed as failure:
                print(f"   {one.name}: not counted: {failure}", file=sys.stderr)

    def pairs(self):
        """[(what, ratios)]: ringlet's time to raw libcurl's, both in turns in one process; the median of each run."""
        program = self.flags.build / "test" / "bench" / "bench_pair"
        found = []
        for what, server, placement, requests, flags in PAIRS:
            if server not in self.server.urls:
                continue
            placement = servers.Placement(placement)
            self.server.place(placement.server)
            requests = max(1, round(requests * self.flags.scale))
            command = [*placement.prefix(), str(program), "--url", self.server.urls[server], "--requests", str(requests)]
            found.append((what, sorted(figures.timed([*command, *flags])["ratio"] for _ in range(PAIR_RUNS))))
        return found

    def hold(self):
        """Heap bytes of an idle connection, by kind and contender."""
        found = {}
        for kind, server, flags, default_ca in HOLD:
            prefix = self.view if default_ca else []
            if prefix is None or server not in self.server.urls:
                continue
            for one in self.everyone:
                if one.name in ("raw-one-handle", "ringlet") and not one.missing:
                    command = [*prefix, *one.command, "--url", self.server.urls[server], "--hold", "50", *flags]
                    found.setdefault(kind, {})[one.name] = figures.timed(command)["heap_per_connection"]
        return found


def main():
    flags = arguments()
    flags.build = flags.build.resolve()
    work = flags.build / "bench"
    work.mkdir(exist_ok=True)
    only = [name for name in flags.only.split(",") if name]
    everyone = contenders.everyone(flags.build, work, [name for name in flags.contenders.split(",") if name])
    for one in everyone:
        if one.missing:
            print(f"-- skipped: {one.name}: {one.missing}")
    results = {}
    with servers.Servers(flags.build) as server:
        view = servers.trusting_view(server.urls["ca"], work) if "ca" in server.urls else None
        bench = Bench(flags, server, view, everyone)
        for load in WORKLOADS:
            if only and load.name not in only:
                continue
            if load.server not in server.urls or (load.default_ca and view is None):
                print(f"-- skipped: {load.name}: " + ("needs root and unshare" if load.default_ca else "needs nginx"))
                continue
            results[load.name] = {"what": load.what, "baseline": load.baseline, "requests": bench.requests(load),
                                  "contenders": bench.measure(load)}
            print(report.table(load.name, results[load.name]), flush=True)
        pairs = bench.pairs() if not only or "pairs" in only else []
        if pairs:
            print(report.pairs_table(pairs))
        held = bench.hold() if not only or "hold" in only else {}
        if held:
            print(report.held_table(held))
    whole = {"machine": report.machine(), "rounds": flags.rounds, "workloads": results, "pairs": pairs,
             "idle_connection": held}
    output = flags.json or flags.build / "bench.json"
    output.write_text(json.dumps(whole, indent=1) + "\n")
    print(f"figures as JSON: {output}")
    if flags.markdown:
        report.replace_in_page(flags.markdown, whole)


if __name__ == "__main__":
    main()
