"""
./dev test: runs the unit tests that Meson knows, replays the seeds of every fuzzer, and runs the
whole-system tests tests/*_test.py (unittest; each class in a process of its own), several at a time.
Every output is kept in <build>/test-logs; the last line counts single tests.
"""
import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
UNIT_SECONDS, SYSTEM_SECONDS = 300, 900


class Result:
    def __init__(self, passed=0, failed=0, skipped=0, why=""):
        self.passed, self.failed, self.skipped, self.why = passed, failed, skipped, why


def run_logged(command, log, seconds):
    """Runs a command with its output in log; the exit code, or None when it took too long."""
    env = dict(os.environ, UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1", PYTHONUNBUFFERED="1")
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   cwd=ROOT, env=env, start_new_session=True)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return None


def ended(code):
    if code is None:
        return "took too long"
    return f"was killed by signal {-code}" if code < 0 else f"exited {code}"


def run_unit(command, log):
    """One cmocka program: its own counts, plus one failure when it ended badly without saying so."""
    code = run_logged(command, log, UNIT_SECONDS)
    text = open(log, encoding="utf-8", errors="replace").read()

    def count(word):
        return sum(int(n) for n in re.findall(r"\[\s*%s\s*\] (\d+) test" % word, text))

    r = Result(count("PASSED"), count("FAILED"), count("SKIPPED"))
    if not r.passed + r.failed + r.skipped:  # it died: count what it had done
        r.passed = len(re.findall(r"\[\s*OK\s*\]", text))
    if code != 0 and not r.failed:
        r.failed = 1
    if r.failed:
        names = re.findall(r"^\[\s*FAILED\s*\] (?!\d)(\S+)", text, re.M)
        r.why = ", ".join(dict.fromkeys(names)) or ended(code)
    elif not r.passed + r.skipped:
        r.failed, r.why = 1, "ran no test"
    return r


def run_fuzz_seeds(program, seeds, log):
    if not seeds:
        return Result(failed=1, why="has no seeds in fuzz/")
    code = run_logged([program] + seeds, log, UNIT_SECONDS)
    return Result(passed=1) if code == 0 else Result(failed=1, why=ended(code))


def run_system(test_class, log, only):
    """One unittest class, by this script as --worker in a process of its own."""
    report = log + ".json"
    if os.path.exists(report):
        os.unlink(report)
    code = run_logged([sys.executable, os.path.abspath(__file__), "--worker", test_class, report] + only, log,
                      SYSTEM_SECONDS)
    if not os.path.exists(report):
        return Result(failed=1, why=ended(code))
    with open(report) as f:
        return Result(**json.load(f))


def worker(test_class, report, only):
    """Runs the tests of module.Class whose id holds the pattern; writes the counts as JSON."""
    sys.path.insert(0, HERE)
    module, name = test_class.rsplit(".", 1)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(getattr(importlib.import_module(module), name))
    if only:
        suite = unittest.TestSuite(t for t in suite if re.search(only, t.id()) or re.search(only, test_class))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    bad = result.failures + result.errors
    for test, reason in result.skipped:
        print(f"skipped {test}: {reason}")
    why = ", ".join(f"{str(t).split(' ')[0]}: {text.strip().splitlines()[-1][:200]}" for t, text in bad)
    skipped = len(result.skipped)
    if bad and result.testsRun <= len(bad):
        passed = 0
    else:
        passed = result.testsRun - len(bad) - skipped
    with open(report, "w") as f:
        json.dump({"passed": max(passed, 0), "failed": len(bad) + len(result.unexpectedSuccesses),
                   "skipped": skipped, "why": why or "; ".join(r for _, r in result.skipped)}, f)


def system_classes():
    """Names module.Class of tests/*_test.py, and what could not be imported."""
    sys.path.insert(0, HERE)
    for name in sorted(os.listdir(HERE)):
        if not name.endswith("_test.py"):
            continue
        module = name[:-3]
        try:
            loaded = importlib.import_module(module)
        except unittest.SkipTest as e:
            yield module + ".skipped", str(e)
            continue
        for key, value in vars(loaded).items():
            if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == module \
                    and unittest.defaultTestLoader.getTestCaseNames(value):
                yield f"{module}.{key}", None


def collect(build, only):
    """The list of (name, function of a log path), the long ones first."""

    def wanted(name):
        return not only or re.search(only, name)

    items = []
    for name, skip in system_classes():
        if skip:
            items.append(("system " + name, lambda log, s=skip: Result(skipped=1, why=s)))
        elif wanted("system " + name) or only and holds_test(name, only):
            items.append(("system " + name,
                          lambda log, n=name: run_system(n, log, [only] if only and not wanted("system " + n) else [])))
    info = os.path.join(build, "meson-info")
    with open(os.path.join(info, "intro-tests.json")) as f:
        for t in sorted(json.load(f), key=lambda t: t["name"]):
            if wanted("unit " + t["name"]):
                items.append(("unit " + t["name"], lambda log, c=t["cmd"]: run_unit(c, log)))
    with open(os.path.join(info, "intro-targets.json")) as f:
        for t in sorted(json.load(f), key=lambda t: t["name"]):
            if t["type"] == "executable" and t["name"].startswith("fuzz_") and wanted("fuzz " + t["name"][5:]):
                folder = os.path.join(ROOT, "fuzz", t["name"][5:])
                seeds = [os.path.join(folder, s) for s in sorted(os.listdir(folder))] if os.path.isdir(folder) else []
                items.append(("fuzz " + t["name"][5:],
                              lambda log, p=t["filename"][0], s=seeds: run_fuzz_seeds(p, s, log)))
    return items


def holds_test(test_class, only):
    module, name = test_class.rsplit(".", 1)
    names = unittest.defaultTestLoader.getTestCaseNames(getattr(sys.modules[module], name))
    return any(re.search(only, f"{test_class}.{n}") for n in names)


def main():
    if sys.argv[1:2] == ["--worker"]:
        return worker(sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None)
    options = argparse.ArgumentParser(prog="./dev test")
    options.add_argument("--build", default="build/debug", help=argparse.SUPPRESS)
    options.add_argument("--only", metavar="PATTERN", help="only what this regular expression finds")
    options.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at a time")
    options.add_argument("--list", action="store_true", help="only print what would run")
    options = options.parse_args()

    items = collect(os.path.join(ROOT, options.build), options.only)
    if options.list:
        print("\n".join(name for name, _ in items))
        return
    logs = os.path.join(ROOT, options.build, "test-logs")
    os.makedirs(logs, exist_ok=True)
    total, lock = Result(), threading.Lock()

    def run(item):
        name, function = item
        log = os.path.join(logs, re.sub(r"\W+", "-", name) + ".log")
        start = time.monotonic()
        try:
            r = function(log)
        except Exception as e:  # a broken test is a failed test
            r = Result(failed=1, why=repr(e))
        with lock:
            total.passed += r.passed
            total.failed += r.failed
            total.skipped += r.skipped
            word = "FAILED" if r.failed else "skipped" if r.skipped and not r.passed else "ok"
            if options.only or word != "ok" or r.skipped or name.startswith("system"):
                print(f"{word:7} {name}: {r.passed} passed, {r.failed} failed"
                      + (f", {r.skipped} skipped" if r.skipped else "")
                      + f" ({time.monotonic() - start:.1f} s)" + (f": {r.why}" if r.why else ""), flush=True)
            if r.failed:
                print(f"        look at {os.path.relpath(log, ROOT)}", flush=True)

    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        list(pool.map(run, items))
    print(f"{total.passed} passed, {total.failed} failed"
          + (f", {total.skipped} skipped" if total.skipped else ""))
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
