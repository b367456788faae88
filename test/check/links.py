#!/usr/bin/env python3
"""Links between the Markdown pages lead to files and headings that exist.

usage: links.py [ROOT]
"""

import re
import sys
import urllib.parse

import source

FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def anchors(path):
    """The ids that GitHub gives a page's headings."""
    found, seen = set(), {}
    for title in HEADING.findall(FENCE.sub(blank, path.read_text(encoding="utf-8"))):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        found.add(f"{anchor}-{count}" if count else anchor)
    return found


def check_page(root, page):
    problems = []
    text = CODE.sub(blank, FENCE.sub(blank, page.read_text(encoding="utf-8")))
    for match in LINK.finditer(text):
        target = match.group(1) or match.group(2)
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        place = f"{page.relative_to(root).as_posix()}:{text.count(chr(10), 0, match.start()) + 1}"
        name, _, fragment = target.partition("#")
        file = (page.parent / urllib.parse.unquote(name)).resolve() if name else page
        if not file.exists():
            problems.append(f"{place}: no such file: {target}")
        elif fragment and file.suffix == ".md" and fragment not in anchors(file):
            problems.append(f"{place}: no such heading: {target}")
    return problems


def check(root):
    pages = [path for path in source.tracked(root) if path.suffix == ".md"]
    return [problem for page in pages for problem in check_page(root, page)]


if __name__ == "__main__":
    sys.exit(source.finish(check(source.root_from_arguments()), "links"))
