"""
Each rule of the table in docs/testing.md has a test that names it.  `rules.py --list` prints which: transcripts,
unit tests, fuzzers, whole-system tests.
"""
import re
import sys

import tree

PAGE = "docs/testing.md"
ROW = re.compile(r"^\| ([A-Z]\d+) \| ([^|]*) \|$", re.M)


def tests():
    """{rule: [test]}"""
    found = {}
    for name in tree.files(".c", ".h", ".py", ".txt"):
        if not name.startswith("tests/") and not name.endswith(("_test.c", "_fuzz.c")) or name.startswith("tests/check/"):
            continue
        for rule in set(re.findall(r"\b[A-Z]\d{1,2}\b", tree.read(name))):
            if name.startswith("src/store/") and rule[0] in "PS":
                continue  # the store numbers its own invariants so
            found.setdefault(rule, []).append(name)
    return found


def findings():
    found, rows = tests(), ROW.findall(tree.read(PAGE))
    for rule, what in rows:
        if rule not in found:
            yield f"{PAGE}: no test names rule {rule} ({what})"
    if not rows:
        yield f"{PAGE}: there is no table of rules"


if sys.argv[1:] == ["--list"]:
    known = tests()
    for rule, what in ROW.findall(tree.read(PAGE)):
        print(f"{rule}  {what}\n    " + "\n    ".join(known.get(rule, ["-"])))
else:
    tree.finish("rules", list(findings()))
