"""What the checks share: the project's files, their text without comments, and how a finding is reported."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CPP = {".cpp", ".hpp", ".h", ".c"}

_COMMENT_OR_STRING = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def files(root, *folders, suffixes=CPP):
    """Files of these kinds below root's folders, sorted."""
    found = (path for folder in folders for path in (root / folder).rglob("*"))
    return sorted(path for path in found if path.is_file() and path.suffix in suffixes)


def tracked(root):
    """Every file that is in the repository or could be added to it; without git, every file but builds."""
    try:
        listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                capture_output=True, check=True).stdout.decode()
        paths = [root / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in root.rglob("*") if not path.relative_to(root).parts[0].startswith(("build", ".git"))]
    return sorted(path for path in paths if path.is_file())


def without_comments(text, strings=True):
    """The text with comments (and strings, if so wished) blanked out: line numbers stay."""
    def blank(match):
        if match.group(0)[0] != "/" and not strings:
            return match.group(0)
        return re.sub(r"[^\n]", " ", match.group(0))
    return _COMMENT_OR_STRING.sub(blank, text)


def includes(path):
    """(line, name) of each #include that is not commented out."""
    text = without_comments(path.read_text(encoding="utf-8"), strings=False)
    return [(text.count("\n", 0, match.start()) + 1, match.group(2)) for match in _INCLUDE.finditer(text)]


def finish(problems, what):
    """Prints the findings; the exit code."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problems" if problems else f"{what}: good")
    return 1 if problems else 0


def root_from_arguments():
    return pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
