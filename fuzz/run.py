"""
./dev fuzz: runs the libFuzzer programs of build/fuzz.  What they learn is kept in corpus/<name>/;
what makes one fail is kept there as well and named at the end.
    ./dev fuzz                 all, 10 seconds each
    ./dev fuzz smtp 600        those whose name holds "smtp", 600 seconds each
    ./dev fuzz --all-within 60 all, 60 seconds together
    ./dev fuzz --merge [NAME]  minimises corpus/ into the seeds fuzz/<name>/ (small files only)
"""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
SEED_BYTES, SEED_COUNT = 4096, 400  # seeds are small, and not too many


def fuzzers(pattern):
    found = {os.path.basename(p)[5:]: p for p in glob.glob("build/fuzz/src/*/fuzz_*")
             if os.path.isfile(p) and os.access(p, os.X_OK)}
    return sorted((n, p) for n, p in found.items() if pattern in n)


def folders(name):
    corpus, seeds = f"corpus/{name}", f"fuzz/{name}"
    os.makedirs(corpus, exist_ok=True)
    return [corpus] + ([seeds] if os.path.isdir(seeds) else [])


def dictionary(name):
    for d in (f"fuzz/{name}.dict", f"fuzz/{name.split('_')[0]}.dict"):
        if os.path.exists(d):
            return [f"-dict={d}"]
    return []


def fuzz(name, program, seconds):
    """True when it found nothing wrong in that time."""
    log = f"build/fuzz/{name}.log"
    with open(log, "wb") as out:
        code = subprocess.run([program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
                               "-print_final_stats=1", f"-artifact_prefix=corpus/{name}-"]
                              + dictionary(name) + folders(name), stdout=out, stderr=subprocess.STDOUT,
                              env=dict(os.environ, UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")).returncode
    text = open(log, encoding="utf-8", errors="replace").read()
    runs = next((l.rsplit(" ", 1)[1] for l in text.splitlines() if "number_of_executed_units" in l), "?")
    if code == 0:
        print(f"ok      {name}: {runs} inputs in {seconds} s", flush=True)
        return True
    input_file = next((l.split("written to ")[1] for l in text.splitlines() if "Test unit written to " in l), None)
    print(f"FAILED  {name}: look at {log}" + (f"; run again: {program} {input_file}" if input_file else ""), flush=True)
    return False


def merge(name, program):
    """The fewest small inputs that reach what corpus/ and fuzz/ reach become the seeds."""
    seeds = f"fuzz/{name}"
    os.makedirs(seeds, exist_ok=True)
    before = len(os.listdir(seeds))
    with tempfile.TemporaryDirectory() as found:
        subprocess.run([program, "-merge=1", "-use_counters=0", "-max_len=%d" % SEED_BYTES, found, seeds, f"corpus/{name}"],
                       check=True, capture_output=True)
        smallest = sorted(os.listdir(found), key=lambda f: os.path.getsize(os.path.join(found, f)))
        known = {open(os.path.join(seeds, s), "rb").read() for s in os.listdir(seeds)}
        for f in smallest[:SEED_COUNT]:
            content = open(os.path.join(found, f), "rb").read()
            if content not in known and len(os.listdir(seeds)) < SEED_COUNT:
                shutil.copy(os.path.join(found, f), os.path.join(seeds, f[:12]))
    print(f"{name}: {before} seeds before, {len(os.listdir(seeds))} now")


def main():
    options = argparse.ArgumentParser(prog="./dev fuzz")
    options.add_argument("name", nargs="?", default="", help="only fuzzers whose name holds this")
    options.add_argument("seconds", nargs="?", type=int, default=10, help="for each of them")
    options.add_argument("--all-within", type=int, metavar="SECONDS", help="share this time among all")
    options.add_argument("--merge", action="store_true", help="minimise the corpus into fuzz/")
    options.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at a time")
    options = options.parse_args()
    if options.name.isdigit():
        options.name, options.seconds = "", int(options.name)
    chosen = fuzzers(options.name)
    if not chosen:
        print(f"dev: no fuzzer is named like {options.name!r}", file=sys.stderr)
        return 1
    if options.merge:
        for name, program in chosen:
            folders(name)
            merge(name, program)
        return 0
    seconds = options.seconds
    if options.all_within:
        seconds = max(2, options.all_within * options.jobs // len(chosen))
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        good = list(pool.map(lambda c: fuzz(c[0], c[1], seconds), chosen))
    print(f"{good.count(True)} fuzzers found nothing, {good.count(False)} failed")
    return 1 if False in good else 0


if __name__ == "__main__":
    sys.exit(main())
