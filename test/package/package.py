#!/usr/bin/env python3
"""As a user would: installs the built library into an empty directory, compiles a program against it with what
`pkg-config ringlet` says, outside of the tree, and runs it against a server of this process.

usage: package.py BUILD_DIR CONSUMER.cpp [COMPILER...]
"""

import http.server
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every GET with "hello" and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 (the name is http.server's)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


def run(*command, **options):
    print("+", shlex.join(str(word) for word in command), flush=True)
    return subprocess.run([str(word) for word in command], check=True, text=True, timeout=300, **options)


def pkg_config(stage, *arguments):
    """Asks pkg-config with a staged ringlet.pc whose own prefix, and no other package's, is moved to the stage."""
    [description] = stage.rglob("ringlet.pc")
    moved = stage.parent / "pkgconfig"
    moved.mkdir(exist_ok=True)
    text = re.sub(r"^prefix=", f"prefix={stage}", description.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (moved / "ringlet.pc").write_text(text, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(moved), os.environ.get("PKG_CONFIG_PATH")]))
    answer = run("pkg-config", *arguments, capture_output=True, env={**os.environ, "PKG_CONFIG_PATH": path})
    return shlex.split(answer.stdout)


def build_and_run(work, stage, consumer, compiler, url, static):
    """Links the consumer to the shared or the static library and checks what it prints."""
    # The static library needs what it uses itself, as shared libraries: `pkg-config --static` would ask for those of
    # libcurl's dependencies too, whose development files nobody has.
    private = pkg_config(stage, "--print-requires-private", "ringlet") if static else []
    packages = ["ringlet", *(word for word in private if word[0].isalpha())]
    flags = pkg_config(stage, "--cflags", "--libs", *packages)
    folder = next(flag[2:] for flag in flags if flag.startswith(f"-L{stage}"))
    if static:
        flags = [f"{folder}/libringlet.a" if flag == "-lringlet" else flag for flag in flags]
    program = work / ("static" if static else "shared")
    run(*compiler, "-std=c++20", consumer, "-o", program, *flags, cwd=work)
    environment = {**os.environ, "LD_LIBRARY_PATH": folder, "no_proxy": "*", "NO_PROXY": "*"}
    printed = run(program, url, cwd=work, capture_output=True, env=environment).stdout
    if printed != "200 hello\n200 hello\nopened 1\n":
        sys.exit(f"the consumer printed:\n{printed}")


def build_readme(work, stage, readme, compiler, url):
    """README's program, with its URLs at this server."""
    text = next(block for block in re.findall(r"```cpp\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
                if "int main()" in block)
    source = work / "main.cpp"
    source.write_text(re.sub(r"https://example\.com/\w*", url, text), encoding="utf-8")
    flags = pkg_config(stage, "--cflags", "--libs", "ringlet")
    folder = next(flag[2:] for flag in flags if flag.startswith(f"-L{stage}"))
    run(*compiler, "-std=c++20", source, *flags, "-o", work / "main", cwd=work)
    environment = {**os.environ, "LD_LIBRARY_PATH": folder, "no_proxy": "*", "NO_PROXY": "*"}
    printed = run(work / "main", cwd=work, capture_output=True, env=environment).stdout
    if printed != "200 5 bytes\n1 connection opened\n":
        sys.exit(f"README's program printed:\n{printed}")


def main():
    build, consumer = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    compiler = sys.argv[3:] or ["c++"]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    with tempfile.TemporaryDirectory(prefix="ringlet-package-") as name:
        work = pathlib.Path(name).resolve()
        stage = work / "stage"
        run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", stage)
        libraries = {path.name for path in stage.rglob("libringlet.*")}
        for static in (False, True):
            if ("libringlet.a" if static else "libringlet.so") in libraries:
                build_and_run(work, stage, consumer, compiler, url, static)
        if not libraries:
            sys.exit("nothing was installed")
        if "libringlet.so" in libraries:
            readme = pathlib.Path(__file__).resolve().parents[2] / "README.md"
            build_readme(work, stage, readme, compiler, url)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main()
