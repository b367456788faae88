"""The server program of a benchmark, and a view of the CA directory in which its certificate is trusted by default."""

import json
import os
import pathlib
import shutil
import subprocess


class Servers:
    """Runs while the `with` block does. urls: http, and with nginx: nginx, https, h2, large; ca: the CA's file."""

    def __init__(self, build):
        self.program = str(build / "test" / "bench" / "bench_server")

    def __enter__(self):
        self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.urls = json.loads(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def place(self, cores):
        """On these cores from now on, with every process and thread that it has or will start."""
        waiting = [self.process.pid]
        while waiting:
            tasks = pathlib.Path("/proc", str(waiting.pop()), "task")
            for task in tasks.iterdir():
                os.sched_setaffinity(int(task.name), cores)
                waiting += (task / "children").read_text().split()

    def connections(self):
        """How many were accepted since the last call."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["connections"]


class Placement:
    """Which cores a workload's server and client have: where the system puts two that talk to each other decides more
    than either does, and it decides anew in each run."""

    def __init__(self, name):
        cores = sorted(os.sched_getaffinity(0))
        half = max(1, len(cores) // 2)
        apart = (cores[:half], cores[half:] or cores)
        self.server, self.client = {"apart": apart, "together": (cores[:1],) * 2, "free": (cores, cores)}[name]

    def prefix(self):
        return ["taskset", "-c", ",".join(map(str, self.client))]


CERTIFICATES = pathlib.Path("/etc/ssl/certs")
BUNDLE = "ca-certificates.crt"


def trusting_view(ca, work):
    """A command prefix under which the system's CA directory and bundle also hold `ca`; None where that cannot be had.

    So a contender can be measured with the default settings, as a program meets them: the whole bundle is parsed.
    """
    if os.geteuid() != 0 or not (CERTIFICATES / BUNDLE).exists() or not shutil.which("unshare"):
        return None
    view = work / "certs"
    shutil.rmtree(view, ignore_errors=True)
    shutil.copytree(CERTIFICATES, view, symlinks=True)
    pem = pathlib.Path(ca).read_text()
    bundle = (CERTIFICATES / BUNDLE).read_text()
    (view / BUNDLE).unlink()
    (view / BUNDLE).write_text(bundle + pem)
    name = subprocess.run(["openssl", "x509", "-in", ca, "-noout", "-hash"], capture_output=True, text=True,
                          check=True).stdout.strip()
    (view / f"{name}.0").write_text(pem)
    prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind "{view}" "{CERTIFICATES}" && exec "$@"', "sh"]
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else None
