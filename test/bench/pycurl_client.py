"""pycurl: one Curl object for each thread, kept. The flags of workload.hpp that it knows."""

import argparse
import io
import json
import re
import sys
import threading
import time

import pycurl


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    for name, default in (("requests", 1000), ("threads", 1), ("origins", 0), ("connections", 0), ("upload", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--protocol", default="http")
    parser.add_argument("--ca")
    parser.add_argument("--api", default="text")
    parser.add_argument("--vary-path", action="store_true")
    parser.add_argument("--new-connection", action="store_true")
    return parser.parse_args()


def url_of(flags, n):
    if flags.origins:
        return re.sub(r"://[^:/]+", f"://o{n % flags.origins}.localhost", flags.url, count=1)
    return f"{flags.url}/items/{n}?page={n}" if flags.vary_path else flags.url


def make_handle(flags):
    handle = pycurl.Curl()
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(pycurl.ACCEPT_ENCODING, "")
    version = pycurl.CURL_HTTP_VERSION_2TLS if flags.protocol == "h2" else pycurl.CURL_HTTP_VERSION_1_1
    handle.setopt(pycurl.HTTP_VERSION, version)
    if flags.ca:
        handle.setopt(pycurl.CAINFO, flags.ca)
    if flags.upload:
        handle.setopt(pycurl.POSTFIELDS, "u" * flags.upload)
    return handle


def request(handle, flags, url):
    """The size of the body."""
    handle.setopt(pycurl.URL, url)
    if flags.api == "read":
        size = [0]

        def count(data):
            size[0] += len(data)

        handle.setopt(pycurl.WRITEFUNCTION, count)
    else:
        body, head = io.BytesIO(), io.BytesIO()
        handle.setopt(pycurl.WRITEDATA, body)
        handle.setopt(pycurl.HEADERFUNCTION, head.write)
    handle.perform()
    if handle.getinfo(pycurl.RESPONSE_CODE) != 200:
        raise RuntimeError(f"status {handle.getinfo(pycurl.RESPONSE_CODE)}")
    return size[0] if flags.api == "read" else len(body.getvalue())


def peak_kib():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))


def main():
    flags = arguments()
    begin, parts, errors = [0.0], [0] * flags.threads, []

    def start_clock():
        begin[0] = time.perf_counter()

    ready = threading.Barrier(flags.threads, action=start_clock)

    def work(index):
        try:
            handle = make_handle(flags)
            if not flags.origins:
                request(handle, flags, url_of(flags, 0))
            ready.wait()
            for n in range(flags.requests // flags.threads):
                if flags.new_connection:
                    handle = make_handle(flags)
                parts[index] += request(handle, flags, url_of(flags, n))
        except Exception as error:  # any failure ends the run
            errors.append(error)
            ready.abort()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(flags.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin[0]
    if errors:
        sys.exit(f"pycurl: {errors[0]}")
    print(json.dumps({"contender": "pycurl", "requests": flags.requests, "seconds": seconds, "bytes": sum(parts),
                      "peak_kib": peak_kib()}))


main()
