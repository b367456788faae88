#!/usr/bin/env python3
"""The layers of lib/ include what the arrows of docs/design allow, and libcurl is called in one place only.

usage: layering.py [ROOT]
"""

import re
import sys

import source

# An arrow: may include. Arrows add up: api may include cache, because transfer may.
ARROWS = {
    "base": [],
    "value": ["base"],
    "curl": ["value"],
    "policy": ["value"],
    "lane": ["curl"],
    "cache": ["policy", "lane"],
    "transfer": ["cache", "lane"],
    "socket": ["transfer"],
    "api": ["transfer", "socket"],
    "compat": ["api"],
}

# (file, layer): an include against the arrows, each with its reason.
EXCEPTIONS = {
    ("lib/value/url.hpp", "curl"): "URLs are parsed by libcurl's URL API, not by hand",
    ("lib/value/url.cpp", "curl"): "the same",
}

# Who may include <curl/...> outside lib/curl: types and constants, not calls.
CURL_HEADERS = {"lane", "cache", "transfer", "socket", "api", "compat"}
CURL_HEADER_FILES = {}

# Files outside lib/curl that may name libcurl's functions, each with its reason.
CURL_CALLERS = {
    "include/ringlet/curl.h": "redirects the drop-in entry points by name",
    "lib/compat/entry.cpp": "defines functions of these names",
}

# policy/ decides and does nothing else: no lock, no thread, no clock, no libcurl, no I/O.
NOT_IN_POLICY = re.compile(
    r"^(curl/.*|spdlog/.*|mutex|shared_mutex|thread|stop_token|condition_variable|future|atomic|semaphore|latch|barrier"
    r"|iostream|fstream|sstream|cstdio|stdio\.h|random|unistd\.h|poll\.h|fcntl\.h|netdb\.h|sys/.*|netinet/.*|arpa/.*|pthread\.h)$")
CLOCK = re.compile(r"\b(\w*_clock::now|clock_gettime|gettimeofday|this_thread)\b")

CURL_FUNCTION = re.compile(
    r"\bcurl_(easy_(init|setopt|perform|cleanup|getinfo|duphandle|reset|recv|send|upkeep|pause|escape|unescape|header"
    r"|nextheader|strerror|option_by_id|option_by_name|option_next)"
    r"|multi_\w+?(?<!_callback)(?<!_cb)|share_(init|setopt|cleanup|strerror)|slist_(append|free_all)"
    r"|global_(init|init_mem|cleanup|sslset|trace)|url(_cleanup|_dup|_get|_set|_strerror)?|mime_\w+|ws_(recv|send|meta)"
    r"|version|version_info|free|getdate|getenv|escape|unescape|formadd|formfree|pushheader_\w+)\b(?=\s*[(,;)}])")


def reach(layer):
    """The layers that `layer` may include, itself too."""
    found, todo = {layer}, [layer]
    while todo:
        for below in ARROWS[todo.pop()]:
            if below not in found:
                found.add(below)
                todo.append(below)
    return found | ({"value", "base"} if layer not in ("value", "base") else set())


def layer_of(root, path):
    parts = path.relative_to(root).parts
    return parts[1] if parts[0] == "lib" and len(parts) > 2 else None


def included_file(root, path, name):
    """The project's file that an include means, or None."""
    for folder in (path.parent, root / "lib", root / "include"):
        if (folder / name).is_file():
            return (folder / name).resolve()
    return None


def check_arrows(root, path, layer):
    problems = []
    name_here = path.relative_to(root).as_posix()
    for line, name in source.includes(path):
        file = included_file(root, path, name)
        target = layer_of(root, file) if file else None
        if target in ARROWS and target not in reach(layer) and (name_here, target) not in EXCEPTIONS:
            problems.append(f"{name_here}:{line}: {layer} may not include {target} ({name})")
        if file is None and name.startswith("curl/") and layer != "curl" and layer not in CURL_HEADERS \
                and name_here not in CURL_HEADER_FILES and layer != "policy":
            problems.append(f"{name_here}:{line}: {layer} may not include <{name}>")
    return problems


def check_policy(root, path):
    """What policy includes, also through the project's own headers."""
    problems, seen, todo = [], set(), [(path, None)]
    while todo:
        file, way = todo.pop()
        for line, name in source.includes(file):
            place = way or f"{path.relative_to(root).as_posix()}:{line}"
            below = included_file(root, file, name)
            if below and below not in seen:
                seen.add(below)
                todo.append((below, f"{place} (through {name})"))
            # A value may keep its own counsel about <random>; libcurl, threads and clocks may not come along.
            if not below and NOT_IN_POLICY.match(name) and (way is None or name.startswith("curl/")):
                problems.append(f"{place}: policy may not include <{name}>")
    text = source.without_comments(path.read_text(encoding="utf-8"))
    for match in CLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        problems.append(f"{path.relative_to(root).as_posix()}:{line}: policy may not use {match.group(0)}: it is told the time")
    return problems


def check_calls(root, path):
    name_here = path.relative_to(root).as_posix()
    if name_here.startswith("lib/curl/") or name_here in CURL_CALLERS:
        return []
    text = source.without_comments(path.read_text(encoding="utf-8"))
    return [f"{name_here}:{text.count(chr(10), 0, match.start()) + 1}: only lib/curl may call {match.group(0)}"
            for match in CURL_FUNCTION.finditer(text)]


def check(root):
    problems = []
    for path in source.files(root, "lib"):
        layer = layer_of(root, path)
        if layer not in ARROWS:
            problems.append(f"{path.relative_to(root).as_posix()}: in no known layer")
            continue
        problems += check_arrows(root, path, layer)
        if layer == "policy":
            problems += check_policy(root, path)
    for path in source.files(root, "lib", "include"):
        problems += check_calls(root, path)
    return problems


if __name__ == "__main__":
    sys.exit(source.finish(check(source.root_from_arguments()), "layering"))
