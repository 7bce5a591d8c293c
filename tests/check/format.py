"""Every C file is as clang-format leaves it."""
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import tree


def wrong(name):
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", name], capture_output=True, text=True)
    if run.returncode == 0:
        return None
    first = next((l for l in run.stderr.splitlines() if "error:" in l), run.stderr.strip()[:200])
    return first.split(" error:")[0] + " not formatted: ./dev fmt"


with ThreadPoolExecutor(os.cpu_count()) as pool:
    tree.finish("format", [w for w in pool.map(wrong, tree.files(".c", ".h")) if w])
