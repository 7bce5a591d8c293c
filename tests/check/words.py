"""Words that must not be in the tree: paths of somebody's machine, unfinished work, real addresses."""
import re

import tree

RULES = [
    (r"(?<![\w./$}-])/(home/(?!one/|two/)|work/|Users/|workspace/)[A-Za-z0-9_]", "a path of somebody's machine"),
    (r"\b(TODO|FIXME|XXX|HACK|WIP)\b", "finish it, or write an issue"),
    (r"(?i)\bnot (yet )?implemented\b(?!\"\s*\},?\s*/)", "unfinished work"),
    (r"(?i)[\w.+-]+@(gmail|outlook|hotmail|yahoo|qq|163|126|foxmail|icloud)\.com\b", "a real address: use .test"),
    (r"\b(one|two|postmaster)@(north|south)\.(com|org|net)\b", "a real domain: use .test"),
    (r"^(<<<<<<<|>>>>>>>) ", "a conflict left behind"),
    (r"[ \t]+$", "blanks at the end of the line"),
]
TEXT = (".c", ".h", ".py", ".md", ".build", ".txt", ".sh", ".conf", ".options", ".dict")
# 501, 502 and 504 are "command not implemented" in the RFCs' own words: replies may say so.
REPLIES = re.compile(r"\b50[124]\b")


def findings():
    for name in tree.files():
        if not name.endswith(TEXT) and name not in ("dev", ".ci/run"):
            continue
        if name == "tests/check/words.py" or name.startswith(("fuzz/", "tests/transcripts/")):
            continue
        for number, line in enumerate(tree.lines(name), 1):
            for pattern, why in RULES:
                if re.search(pattern, line) and not (why == "unfinished work" and REPLIES.search(line)):
                    yield f"{name}:{number}: {why}: {line.strip()[:80]}"


tree.finish("words", list(findings()))
