"""
The table of the twelve stops (stop_table in src/base/log.c) is true: each file:function exists,
something traces the stop (after the commit where there is one), and docs/journey.md holds the same
rows.
"""
import os
import re

import tree

ROW = re.compile(r'\[(STOP_\w+)\]\s*=\s*\{\s*"([^"]*)",\s*"([^"]*)",\s*((?:"[^"]*"\s*)+),\s*((?:"[^"]*"\s*)+)\}')


def joined(text):
    return "".join(re.findall(r'"([^"]*)"', text))


def table():
    for m in ROW.finditer(tree.read("src/base/log.c")):
        yield m.group(1), m.group(2), m.group(3), joined(m.group(4)), joined(m.group(5))


def findings():
    rows = list(table())
    if len(rows) != 12:
        yield f"src/base/log.c: stop_table has {len(rows)} rows that can be read, not 12"
    traced = "".join(tree.code(tree.read(f)) for f in tree.files(".c") if not f.endswith("_test.c"))
    page = tree.read("docs/journey.md") if os.path.exists("docs/journey.md") else ""
    for number, (stop, event, where, what, zh) in enumerate(rows, 1):
        name, _, function = where.partition(":")
        if not os.path.exists(name):
            yield f"{where}: stop {number} ({event}): there is no such file"
        else:
            text = tree.read(name)
            if function not in [f for f, _, _ in tree.functions(text)]:
                yield f"{where}: stop {number} ({event}): there is no such function"
        if f"trace_stop({stop}," not in traced:
            yield f"{where}: stop {number} ({event}): nothing says trace_stop({stop}, …)"
        want = f"| {number} | `{event}` | `{where}` | {what} | {zh} |"
        if want not in page:
            yield f"docs/journey.md: this row is missing: {want}"


if __name__ == "__main__":
    tree.finish("journey", list(findings()))
