"""What the checks share: the files of the project, and C text without comments and strings."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(ROOT)


def files(*suffixes):
    """The tracked and the not ignored files with one of the suffixes, sorted."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if out.returncode == 0:
        names = out.stdout.splitlines()
    else:  # a tarball
        names = [os.path.relpath(os.path.join(d, f), ROOT) for d, _, fs in os.walk(ROOT) for f in fs]
        names = [n for n in names if not n.startswith(("build/", "corpus/", ".git/"))]
    return sorted(n for n in set(names) if n.endswith(suffixes or "") and os.path.isfile(n))


def read(name):
    with open(name, encoding="utf-8", errors="replace") as f:
        return f.read()


def lines(name):
    return read(name).splitlines()


TOKENS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code(text):
    """C text with comments blanked and strings emptied; line numbers stay."""

    def blank(m):
        token = m.group(0)
        if token[0] == '"':
            return '""'
        if token[0] == "'":
            return "' '"
        return "\n" * token.count("\n") or " "

    return TOKENS.sub(blank, text)


def functions(text):
    """Yields (name, first line, length) of the functions in formatted C text."""
    rows = code(text).splitlines()
    start = None
    for i, row in enumerate(rows):
        if row == "{" and start is None:
            start = i
        elif row == "}" and start is not None:
            head, at = "", start - 1
            while at >= 0 and rows[at].strip() and not rows[at].rstrip().endswith((";", "}", "*/")) \
                    and not rows[at].startswith("#"):
                head = rows[at] + " " + head
                at -= 1
            name = re.search(r"(\w+)\s*\(", head)
            yield (name.group(1) if name else "?"), at + 2, i - at
            start = None


def finish(name, findings):
    """Prints the findings and exits: 1 when there are any."""
    for finding in findings:
        print(finding)
    print(f"check {name}: " + (f"{len(findings)} to mend" if findings else "ok"))
    sys.exit(1 if findings else 0)
