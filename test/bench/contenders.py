"""Who takes part in a benchmark: how each is built, where it cannot run, and its command line."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent

# What a workload may ask for; a contender runs only where it can do all of it.
EVERYTHING = frozenset({"http", "https", "h2", "threads", "upload", "download", "new", "origins", "limit", "vary",
                        "default-ca"})


@dataclasses.dataclass
class Contender:
    name: str
    command: list
    can: frozenset = EVERYTHING
    missing: str = ""   # why it does not take part
    native: bool = True  # its instructions are its own, not an interpreter's or a compiler's
    switches: list = dataclasses.field(default_factory=list)


def executable(build, name, *, label, missing, **more):
    path = build / "test" / "bench" / name
    return Contender(label, [str(path)], missing="" if path.exists() else missing, **more)


def run(command, **more):
    subprocess.run(command, check=True, capture_output=True, text=True, **more)


def copy(names, to):
    to.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(HERE / name, to)


def attempt(build_it):
    """Why a contender could not be built; empty when it was."""
    try:
        return build_it() or ""
    except subprocess.CalledProcessError as error:
        return f"{error.cmd[0]} failed: {(error.stderr or error.stdout or '').strip()[-300:]}"


def pycurl():
    for python in ("/usr/bin/python3", "python3"):
        if shutil.which(python) and subprocess.run([python, "-c", "import pycurl"], capture_output=True).returncode == 0:
            return Contender("pycurl", [python, str(HERE / "pycurl_client.py")], EVERYTHING - {"limit"}, native=False)
    return Contender("pycurl", [], missing="python3-pycurl is not installed")


def undici(work):
    folder = work / "undici"

    def build():
        if not shutil.which("npm"):
            return "npm is not installed"
        copy(["package.json", "undici_client.mjs"], folder)
        if not (folder / "node_modules" / "undici").exists():
            run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder)

    command = ["node", "--no-warnings", str(folder / "undici_client.mjs")]
    return Contender("undici", command, EVERYTHING - {"origins"}, attempt(build), native=False)


def go(work):
    client = work / "go" / "client"

    def build():
        if not shutil.which("go"):
            return "golang-go is not installed"
        run(["go", "build", "-o", str(client), "main.go"], cwd=HERE / "go",
            env={**os.environ, "GO111MODULE": "off", "GOCACHE": str(work / "go" / "cache")})

    return Contender("Go net/http", [str(client)], EVERYTHING - {"origins"}, attempt(build), native=False)


def unpack_debian(package, to):
    """A package and what it needs, unpacked and not installed: installing librust-isahc-dev swaps libcurl's headers."""
    listing = subprocess.run(["apt-get", "install", "-s", "--no-install-recommends", package], capture_output=True,
                             text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    names = [line.split()[1] for line in listing.splitlines() if line.startswith("Inst librust")]
    downloads = to / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    run(["apt-get", "download", "-q", *names], cwd=downloads)
    for deb in sorted(downloads.glob("*.deb")):
        run(["dpkg", "-x", str(deb), str(to)])
    shutil.rmtree(downloads)


def isahc(work):
    folder, packages = work / "isahc", work / "isahc" / "debian"
    registry = packages / "usr" / "share" / "cargo" / "registry"
    client = folder / "target" / "release" / "client"

    def build():
        for tool in ("cargo", "apt-get", "dpkg"):
            if not shutil.which(tool):
                return f"{tool} is not installed"
        if not registry.exists():
            unpack_debian("librust-isahc-dev", packages)
        copy(["isahc/Cargo.toml", "isahc/main.rs"], folder)
        (folder / ".cargo").mkdir(exist_ok=True)
        (folder / ".cargo" / "config.toml").write_text(
            f'[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{registry}"\n')
        run(["cargo", "build", "--release", "--offline"], cwd=folder)

    return Contender("isahc", [str(client)], EVERYTHING - {"origins"}, attempt(build))


def everyone(build, work, wanted=()):
    """All contenders, or those whose names are wanted."""
    plain_only = EVERYTHING - {"https", "h2", "origins", "limit", "default-ca"}
    raw = EVERYTHING - {"limit"}
    makers = {
        "raw-new-handle": lambda: executable(build, "raw_new_handle", label="raw-new-handle", missing="not built", can=raw),
        "raw-one-handle": lambda: executable(build, "raw_one_handle", label="raw-one-handle", missing="not built", can=raw),
        "raw minimal": lambda: executable(build, "raw_one_handle", label="raw minimal", missing="not built", can=raw,
                                          switches=["--api", "minimal"]),
        "ringlet": lambda: executable(build, "bench_ringlet", label="ringlet", missing="not built"),
        "ringlet read": lambda: executable(build, "bench_ringlet", label="ringlet read", missing="not built",
                                           switches=["--api", "read"]),
        "ringlet perform": lambda: executable(build, "bench_ringlet", label="ringlet perform", missing="not built",
                                              can=EVERYTHING - {"download"}, switches=["--api", "perform"]),
        "drop-in one-handle": lambda: executable(build, "drop_in_one_handle", label="drop-in one-handle",
                                                  missing="not built", can=raw),
        "drop-in new-handle": lambda: executable(build, "drop_in_new_handle", label="drop-in new-handle",
                                                  missing="not built", can=raw),
        "ringlet busy_poll": lambda: executable(build, "bench_ringlet", label="ringlet busy_poll", missing="not built",
                                                switches=["--busy-poll", "50"]),
        "cpp-httplib": lambda: executable(build, "bench_httplib", label="cpp-httplib", can=plain_only | {"https"},
                                          missing="libcpp-httplib-dev is not installed"),
        "Boost.Beast": lambda: executable(build, "bench_beast", label="Boost.Beast", can=plain_only,
                                          missing="libboost-dev is not installed"),
        "Poco": lambda: executable(build, "bench_poco", label="Poco", can=plain_only,
                                   missing="libpoco-dev is not installed"),
        "pycurl": pycurl,
        "undici": lambda: undici(work),
        "Go net/http": lambda: go(work),
        "isahc": lambda: isahc(work),
    }
    unknown = set(wanted) - set(makers)
    if unknown:
        raise SystemExit(f"no such contender: {', '.join(sorted(unknown))}; there are: {', '.join(makers)}")
    return [make() for name, make in makers.items() if not wanted or name in wanted]
