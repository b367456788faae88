"""Runs one contender and reads its figures: time, instructions, system calls."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

# Nothing of the caller's environment may turn a contender elsewhere: no proxy, no certificates but the system's.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.lower().endswith("_proxy") and not name.startswith("SSL_CERT_")}


class Failed(Exception):
    """A contender that ended badly."""


def execute(command, timeout=300):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=ENVIRONMENT)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"took longer than {timeout} s") from error
    if done.returncode != 0:
        raise Failed((done.stderr.strip() or f"exit status {done.returncode}")[-300:])
    return done


def timed(command):
    """The line of JSON that a contender prints."""
    return json.loads(execute(command).stdout.strip().splitlines()[-1])


def instructions_of(command):
    """All instructions of one run, of every thread."""
    output = execute(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command]).stderr
    return int(re.search(r"Collected : (\d+)", output).group(1))


def instructions_of_first_thread(command):
    """Without those of threads whose work follows the clock: under valgrind it is fifty times as much for each request."""
    with tempfile.TemporaryDirectory() as folder:
        execute(["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/counts", *command])
        counts = pathlib.Path(folder, "counts-01").read_text()
    return int(re.search(r"^(?:totals|summary): (\d+)", counts, re.MULTILINE).group(1))


def instructions_per_request(command, base=100, more=400, count=instructions_of):
    """The difference of two run lengths: what starting up costs drops out."""
    few = count([*command, "--requests", str(base)])
    many = count([*command, "--requests", str(base + more)])
    return (many - few) / more


def calls_of(command):
    report = execute(["strace", "-f", "-c", "-qq", "-o", "/dev/stdout", *command]).stdout
    return int(re.findall(r"^\s*100\.00\s+\S+\s+(?:\S+\s+)?(\d+)\s+(?:\d+\s+)?total", report, re.MULTILINE)[-1])


def calls_per_request(command, base=100, more=400):
    few = calls_of([*command, "--requests", str(base)])
    many = calls_of([*command, "--requests", str(base + more)])
    return (many - few) / more
