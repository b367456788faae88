"""The figures of bench.py as tables in Markdown."""

import os
import platform
import re
import statistics
import subprocess

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def number(value, form="{:.0f}"):
    return "-" if value is None else form.format(value)


def rows(lines):
    """Lines of cells, aligned."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for index, line in enumerate(lines):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
        if index == 0:
            yield "| " + " | ".join("-" * width for width in widths) + " |"


def table(name, result):
    counted = any("calls" in row for row in result["contenders"].values())
    head = ["contender", "us/request", "ratio", "peak MiB", "connections"]
    head += ["instructions/request", "system calls/request"] if counted else []
    lines, notes = [head], []
    for contender, row in sorted(result["contenders"].items(), key=lambda item: item[1]["us"] or 1e18):
        if "failed" in row:
            notes.append(f"{contender} failed: {row['failed']}")
            continue
        line = [contender, number(row["us"], "{:.1f}"), number(row["ratio"], "{:.2f}"),
                number(row["peak_kib"] / 1024, "{:.1f}"), str(row["connections"])]
        if counted:
            line += [number(row.get("instructions")), number(row.get("calls"), "{:.2f}")]
        lines.append(line)
    title = f"**{name}**: {result['what']} ({result['requests']} requests; ratio to {result['baseline']})"
    return "\n".join([title, "", *rows(lines), *[f"\n{note}" for note in notes], ""])


def pairs_table(pairs):
    lines = [["ringlet's time to raw-one-handle's", "ratio", "of these runs"]]
    for what, ratios in pairs:
        lines.append([what, number(statistics.median(ratios), "{:.3f}"), " ".join(f"{ratio:.2f}" for ratio in ratios)])
    return "\n".join(["**pairs**: both in one process, in turns of a few requests", "", *rows(lines), ""])


def held_table(held):
    lines = [["idle connection", "raw-one-handle, bytes", "ringlet, bytes", "ratio"]]
    for kind, found in held.items():
        raw, ours = found.get("raw-one-handle"), found.get("ringlet")
        lines.append([kind, number(raw), number(ours), number(ours / raw, "{:.2f}") if raw and ours else "-"])
    return "\n".join(["**hold**: heap of each of 50 idle connections, the system's CA bundle", "", *rows(lines), ""])


def machine():
    curl = subprocess.run(["curl-config", "--version"], capture_output=True, text=True).stdout.strip()
    with open("/proc/cpuinfo") as info:
        model = re.search(r"model name\s*:\s*(.*)", info.read())
    return f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), {curl or 'libcurl'}"


def replace_in_page(page, whole):
    text = page.read_text()
    tables = [table(name, result) for name, result in whole["workloads"].items()]
    if whole["pairs"]:
        tables.append(pairs_table(whole["pairs"]))
    if whole["idle_connection"]:
        tables.append(held_table(whole["idle_connection"]))
    body = "\n".join([f"Measured on {whole['machine']}; {whole['rounds']} rounds.", "", *tables])
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    page.write_text(text[:begin] + "\n\n" + body + "\n" + text[end:])
