#!/usr/bin/env python3
"""libcurl's own example programs, unchanged, with and without the drop-in.

Each that compiles and links with this libcurl must do so with `-include ringlet/curl.h`, in C or C++ as it is written; those
that speak HTTP run against a local server (example.com is replaced by its address) and must say and return the same.

usage: examples.py EXAMPLES_DIRECTORY INCLUDE_DIRECTORY LIBRARY_DIRECTORY; exit code 77: no examples here
"""

import concurrent.futures
import difflib
import http.server
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import threading

# name: arguments. Those that end by themselves, against one HTTP server; the http2 ones with one transfer, since what several
# print has no order. Of the others that link, clients of FTP, IMAP, POP3, SMTP and SFTP have no server here, http3 needs a
# libcurl and a server that speak it, and ephiperfifo waits for names for ever: they are compiled only.
RUN = {
    "chkspeed": ["-t", "{url}/data"], "cookie_interface": [], "debug": [], "fileupload": [], "getinfo": [], "getinmemory": [],
    "getredirect": [], "getreferrer": [], "headerapi": [], "href_extractor": ["{url}/page"], "htmltitle": ["{url}/page"],
    "http-post": [], "httpcustomheader": [], "httpput": ["{file}", "{url}/put"], "httpput-postfields": ["{url}/put"],
    "https": [], "multi-app": [], "multi-double": [], "multi-single": [], "multithread": [], "persistent": [],
    "post-callback": [], "postinmemory": [], "postit2": [], "postit2-formadd": [], "progressfunc": [], "resolve": [],
    "sendrecv": [], "sepheaders": [], "shared-connection-cache": [], "simple": [], "simplepost": [], "url2file": ["{url}/page"],
    "urlapi": [], "anyauthput": ["{file}", "{url}/put"], "altsvc": [], "externalsocket": [], "certinfo": [],
    "10-at-a-time": [], "multi-debugcallback": [], "multi-formadd": [], "multi-legacy": [], "multi-post": [], "simplessl": [],
    "http2-download": ["1"], "http2-upload": ["1", "{file}"], "http2-serverpush": [], "http2-pushinmemory": [],
    "http3-present": [], "parseurl": [], "sslbackend": ["list"],
}
# Those that stay with https://, against a server whose certificate nobody knows: https.c can be told not to look.
TLS = {"https": ["-DSKIP_PEER_VERIFICATION", "-DSKIP_HOSTNAME_VERIFICATION"], "simplessl": []}
HOSTS = re.compile(r'"https?://(?:localhost|[\w.-]+\.(?:com|org|net|gov|edu|uk|de|se|site))\b(?::\d+)?', re.IGNORECASE)
FTP_HOSTS = re.compile(r'"ftp://example\.com\b')
NOBODY = '"ftp://127.0.0.1:1'  # nobody listens there, with or without a network
OWN_SOURCE = re.compile(r'"(?:multi-|postit2)[\w-]*\.c"')  # what they upload
# What differs from run to run whatever the library: times, speeds, local ports, dates, addresses in memory.
CHANGING = re.compile(r"\d+\.\d+|\d+ k?bytes?/sec|after \d+ ms|0x[0-9a-f]+|\bport \d+|Date: [^\r\n]*|\d\d:\d\d:\d\d(?:\.\d+)?|Thread \d+|thread \d+|\b1\d{9}\b|-{24}[0-9a-f]{16}")  # the last: seconds since 1970, a form's boundary

# Called each time libcurl wakes up: how often is chance.
REPEATED = re.compile(r"UP: \d+ of \d+  DOWN: \d+ of \d+")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body leave together: some programs print what each read gave

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while (size := int(self.rfile.readline(), 16)) > 0:
                body += self.rfile.read(size + 2)[:-2]
            self.rfile.readline()
        text = b"<html><head><title>A title</title></head><body><a href='x'>%s %s %d</a></body></html>\n" % (
            self.command.encode(), self.path.encode(), len(body))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", "c=1; path=/")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_HEAD = answer

    def log_message(self, *arguments):
        pass


def compile_one(source, flags, result):
    cxx = source.suffix == ".cpp"
    command = ["c++" if cxx else "cc", "-w", "-O0", *flags, str(source), *result]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.returncode == 0, run.stderr


def outcome(program, arguments, directory, environment):
    for file in directory.iterdir():
        if file.name != "input":
            file.unlink()
    try:
        run = subprocess.run([program, *arguments], cwd=directory, env=environment, capture_output=True, timeout=60,
                             stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        return "timeout", ""
    files = "".join(f"{file.name}: {file.read_bytes()!r}\n" for file in sorted(directory.iterdir()))
    text = (run.stdout + b"\n--\n" + run.stderr).decode("utf-8", "replace") + files
    lines = sorted(CHANGING.sub("...", text).splitlines())  # threads and the two streams have no common order
    lines = [line for at, line in enumerate(lines) if at == 0 or line != lines[at - 1] or not REPEATED.match(line)]
    return run.returncode, "\n".join(lines)


def difference(wanted, got):
    texts = [[f"exit code {code}", *text.splitlines()] for code, text in (wanted, got)]
    return "\n".join(difflib.unified_diff(*texts, "libcurl", "drop-in", lineterm="", n=0))


def build(source, work, urls, include, library):
    flags = TLS.get(source.stem, [])
    url = urls["https" if source.stem in TLS else "http"]
    text = HOSTS.sub('"' + url, source.read_text(encoding="utf-8", errors="replace"))
    text = FTP_HOSTS.sub(NOBODY, text)
    text = OWN_SOURCE.sub('"input"', text)
    copy = work / source.name
    copy.write_text(text, encoding="utf-8")
    plain, ringlet = (str(work / (source.stem + end)) for end in (".plain", ".ringlet"))
    libraries = ["-lcurl", "-lpthread"]
    drop_in = [*flags, "-I", include, "-include", "ringlet/curl.h"]
    drop_in_libraries = ["-L", library, "-Wl,-rpath," + library, "-lringlet"]
    for wanted, got in ((["-o", plain, *libraries], ["-o", ringlet, *drop_in_libraries, *libraries]),
                        (["-c", "-o", plain], ["-c", "-o", ringlet])):  # those that need more libraries than there are
        if compile_one(copy, flags, wanted)[0]:
            return source, *compile_one(copy, drop_in, got)
    return source, None, ""


def serve(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda request, address: None  # a client that gives up is no concern of the server's
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"


def tls_context(directory):
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                    "/CN=127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def main():
    examples, include, library = (str(pathlib.Path(argument).resolve()) for argument in sys.argv[1:])
    sources = sorted(path for path in pathlib.Path(examples).glob("*.c*") if path.suffix in (".c", ".cpp"))
    if not sources:
        print(f"skipped: no examples in {examples} (libcurl4-doc)")
        sys.exit(77)
    problems, compiled, ran = [], 0, 0
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        urls = {"http": serve(), "https": serve(tls_context(work))}
        with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
            built = list(pool.map(lambda source: build(source, work, urls, include, library), sources))
        room = work / "room"
        room.mkdir()
        (room / "input").write_bytes(b"a file to be sent\n" * 100)
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        for source, good, words in built:
            if good is None:
                continue
            compiled += 1
            if not good:
                problems.append(f"{source.name} does not compile with the drop-in:\n{words}")
            elif source.stem in RUN:
                ran += 1
                arguments = [a.format(url=urls["http"], file=room / "input") for a in RUN[source.stem]]
                wanted = outcome(work / (source.stem + ".plain"), arguments, room, environment)
                got = outcome(work / (source.stem + ".ringlet"), arguments, room, environment)
                if wanted != got:
                    problems.append(f"{source.name} does something else:\n" + difference(wanted, got))
    for problem in problems:
        print(problem)
    print(f"examples: {len(sources)} found, {compiled} compile with libcurl, {ran} run, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
