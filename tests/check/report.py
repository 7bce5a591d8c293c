"""Reports, and fails on nothing: how long functions and files are, and what headers do not explain."""
import re
import statistics

import tree

PROTOTYPE = re.compile(r"^[a-z][\w \*]*?\**(\w+)\([^;{]*\)[^;{]*;", re.M)


def undocumented(name):
    """Functions of a header with no comment above them or above the run of lines they stand in."""
    for block in re.split(r"\n\s*\n", tree.read(name)):
        if "/*" in block:
            continue
        for m in PROTOTYPE.finditer(block):
            yield m.group(1)


lengths = [(n, f, name, at) for name in tree.files(".c") if name.startswith("src/")
           for f, at, n in tree.functions(tree.read(name))]
product = sorted(l for l in lengths if not l[2].endswith(("_test.c", "_fuzz.c")))
if product:
    numbers = [l[0] for l in product]
    print(f"report: {len(numbers)} functions, median {statistics.median(numbers):.0f} lines,"
          f" 95th percentile {numbers[len(numbers) * 95 // 100]}")
    print("report: longest: " + ", ".join(f"{f} {n} ({name}:{at})" for n, f, name, at in product[:-6:-1]))
long_files = [f"{name} {n}" for name in tree.files(".c", ".h") if (n := len(tree.lines(name))) > 600]
if long_files:
    print("report: files over 600 lines: " + ", ".join(long_files))
bare = [f"{name}: {', '.join(names)}" for name in tree.files(".h")
        if name.startswith("src/") and (names := list(undocumented(name)))]
if bare:
    print("report: functions of headers without a comment: " + "; ".join(bare))
opening = [name for name in tree.files(".c", ".h") if name.startswith("src/")
           and not re.match(r"(#include \"[^\"]*\"\n\n?)?\s*/\*", tree.read(name))]
if opening:
    print(f"report: {len(opening)} files do not open with a comment: " + " ".join(opening[:12])
          + (" …" if len(opening) > 12 else ""))
