"""
./dev bench [NAME ...]: how fast the release build is, beside what design.md owes (docs/testing.md)
and beside this machine's own append+fdatasync rate, measured in the same run.  NAME is one of the
parts below or of a program bench/<name>_bench.c; without names all run.
"""
import argparse
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from posts import Post, wait_until  # noqa: E402

USERS = 100
CONFIG = "[log]\nlevel = warning\n"
RUNS = 3


def row(name, value, unit, goal=None, lower=False, note=""):
    """One line of the report; the ratio says how much of the goal is reached."""
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    text = f"{name:<52} {number:>10} {unit:<9}"
    if goal:
        ratio = 9.99 if lower and value <= 0 else (goal / value if lower else value / goal) if value else 0
        text += f" goal {'<=' if lower else '>='} {goal:>9,g}  {ratio * 100:5.0f} %" + ("  < 60 %!" if ratio < 0.6 else "")
    print(text + (f"  {note}" if note else ""), flush=True)


class Server(Post):
    """A post to measure."""

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port(80)}/metrics", timeout=10) as r:
            for line in r.read().decode().splitlines():
                if line.startswith(f"yizhan_{name} "):
                    return float(line.split()[1])
        return 0.0

    def pss_kib(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        return total

    def cost(self):
        """(CPU seconds, bytes written) so far, all processes."""
        cpu = written = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
                cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            with open(f"/proc/{pid}/io") as f:
                written += next(int(line.split()[1]) for line in f if line.startswith("write_bytes"))
        return cpu, written


def load(build, mode, program="load", **options):
    """Runs the load generator; its rows as {name: number}."""
    words = [os.path.join(build, "bench", program), mode]
    for key, value in options.items():
        words += ["--" + key.replace("_", "-")] + ([] if value is True else [str(value)])
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return {line.split("\t")[0]: float(line.split("\t")[1]) for line in done.stdout.splitlines()}


def add_users(post, count=USERS):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: post.user(f"u{i}@north.test", "bench-password"), range(count)))


def fsync_rate(directory, seconds=1.5, size=4096):
    """Appends of size bytes with fdatasync each, per second."""
    path = os.path.join(directory, "fsync")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    block, count, start = os.urandom(size), 0, time.monotonic()
    while time.monotonic() - start < seconds:
        os.write(fd, block)
        os.fdatasync(fd)
        count += 1
    rate = count / (time.monotonic() - start)
    os.close(fd)
    os.unlink(path)
    return rate


def delivered_rate(build, post, sink, **options):
    """Messages per second until the sink has them in its mailboxes; also what load printed."""
    before, start = sink.metric("delivered_local_total"), time.monotonic()
    said = load(build, "smtp", **options)
    accepted_end = time.monotonic()
    wait_until(lambda: sink.metric("delivered_local_total") - before >= options["total"], 300, "delivery", 0.005)
    # When all was there at the first look, delivery took as long as acceptance.
    late = time.monotonic() - accepted_end
    seconds = said["seconds"] + (late if late > 0.02 else 0)
    said["delivered"] = options["total"] / seconds
    said["elapsed"] = time.monotonic() - start
    return said


def median_of(runs, key):
    return statistics.median(r[key] for r in runs)


def bench_disk(build):
    where = tempfile.mkdtemp(prefix="yizhan-bench-")
    try:
        rates = [fsync_rate(where) for _ in range(3)]
        row("disk: append 4 KiB + fdatasync", statistics.median(rates), "per s", note=f"{min(rates):.0f}-{max(rates):.0f}")
    finally:
        shutil.rmtree(where)


def bench_smtp(build):
    with Server("north.test", CONFIG) as post:
        post.start()
        add_users(post)
        cases = [  # sessions, size, total, goal
            (1, 4096, 1000, 5 * 386), (100, 4096, 8000, 30 * 381), (1, 102400, 200, None), (100, 102400, 2000, 8 * 29)]
        for sessions, size, total, goal in cases:
            runs = [delivered_rate(build, post, post, port=post.port(25), sessions=sessions, mails=20, total=total,
                                   size=size, users=USERS) for _ in range(RUNS)]
            rate = median_of(runs, "delivered")
            name = f"smtp: accepted+delivered {sessions} x 20, {size // 1024} KiB"
            note = f"p50 {median_of(runs, 'p50'):.2f} p99 {median_of(runs, 'p99'):.1f} ms"
            if size > 4096:
                row(name, rate * size / 1e6, "MB/s", goal, note=note)
            else:
                row(name, rate, "per s", goal, note=note)
        runs = [delivered_rate(build, post, post, port=post.port(25), sessions=100, mails=20, total=8000, size=4096,
                               users=USERS, pipeline=True) for _ in range(RUNS)]
        row("smtp: the same 100 x 20, 4 KiB, pipelined", median_of(runs, "delivered"), "per s")
        cpu, written = post.cost()
        delivered_rate(build, post, post, port=post.port(25), sessions=100, mails=20, total=4000, size=4096, users=USERS)
        now_cpu, now_written = post.cost()
        row("smtp: CPU per message, 100 x 20, 4 KiB", (now_cpu - cpu) / 4000 * 1e6, "us")
        row("smtp: bytes written per message of 4,096", (now_written - written) / 4000, "bytes")
        syscalls(build, post)


def syscalls(build, post):
    """System calls per message, counted by strace, which slows everything: no rate from this."""
    if not shutil.which("strace"):
        print("smtp: no strace, so no system calls per message")
        return
    total = 500
    for sessions in (1, 100):
        with tempfile.NamedTemporaryFile("r") as out:
            words = ["strace", "-f", "-c", "-S", "calls", "-U", "calls,name", "-o", out.name]
            for pid in post.pids():
                words += ["-p", str(pid)]
            tracer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE)
            tracer.stderr.readline()  # "Process ... attached"
            time.sleep(0.3)
            try:
                load(build, "smtp", port=post.port(25), sessions=sessions, mails=20, total=total, size=4096, users=USERS)
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.stderr.close()
                tracer.wait(10)
            counts = {p[1]: int(p[0]) for line in out.read().splitlines()
                      if len(p := line.split()) == 2 and p[0].isdigit()}
        calls = counts.pop("total", None) or sum(counts.values())
        most = ", ".join(f"{n} {c / total:.1f}" for n, c in sorted(counts.items(), key=lambda x: -x[1])[:7])
        row(f"smtp: system calls per message, {sessions} x 20", calls / total, "calls", note=most)


def bench_relay(build):
    with Server("north.test", CONFIG) as north, Server("south.test", CONFIG) as south:
        south.start()
        north.user("u0@north.test", "bench-password")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: south.user(f"u{i}@south.test", "bench-password"), range(20)))
        north.route("south.test", south)
        north.start()
        options = dict(port=north.port(587), sessions=100, mails=20, size=4096, users=20, to="u%d@south.test",
                       login="u0@north.test", password="bench-password")
        options["from"] = "u0@north.test"
        load(build, "smtp", **dict(options, total=1, sessions=1))  # remembers the login
        runs = [delivered_rate(build, north, south, total=4000, **options) for _ in range(RUNS)]
        row("relay: 100 sessions, queue on disk, into the next post", median_of(runs, "delivered"), "per s", 8 * 650,
            note=f"accepted {median_of(runs, 'rate'):,.0f} per s")


def bench_pop3(build):
    with Server("north.test", CONFIG) as post:
        for name in ("big", "reader"):
            post.user(f"{name}@north.test", "bench-password")
        post.start()
        for name, total, size in (("reader", 10000, 4096), ("big", 100000, 400)):
            load(build, "smtp", port=post.port(25), sessions=100, mails=500, total=total, size=size,
                 to=f"{name}@north.test", pipeline=True)
        who = dict(port=post.port(110), password="bench-password", login="reader@north.test")
        runs = [load(build, "pop3", total=10000, window=50, **who) for _ in range(RUNS)]
        row("pop3: RETR 10,000 x 4 KiB, 50 pipelined", median_of(runs, "retr"), "per s", 150_000,
            note=f"{median_of(runs, 'bytes'):.0f} MB/s")
        runs = [load(build, "pop3", total=10000, window=1, **who) for _ in range(RUNS)]
        row("pop3: RETR 10,000 x 4 KiB, lockstep", median_of(runs, "retr"), "per s")
        row("pop3: login, password remembered", median_of(runs, "login"), "ms")
        who["login"] = "big@north.test"
        runs = [load(build, "pop3", total=0, **who) for _ in range(RUNS)]
        row("pop3: STAT on 100,000", median_of(runs, "stat"), "ms", 0.5, lower=True)


def open_connections(post, count, standard, tls):
    context = post.tls() if tls else None
    sockets = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", post.port(standard)))
        if tls:
            s = context.wrap_socket(s, server_hostname="localhost")
        s.recv(1024)
        sockets.append(s)
    return sockets


def bench_idle(build):
    with Server("north.test", CONFIG) as post:
        post.user("u0@north.test", "bench-password")
        post.start()
        time.sleep(0.3)
        idle = post.pss_kib()
        row("idle: memory of the server (PSS)", idle / 1024, "MiB", 8, lower=True)
        for standard, tls, goal in ((110, False, 8), (995, True, 40)):
            warm = open_connections(post, 50, standard, tls)
            for s in warm:
                s.close()
            time.sleep(0.3)
            before = post.pss_kib()
            sockets = open_connections(post, 1000, standard, tls)
            time.sleep(0.5)
            row(f"idle: memory per connection, {'TLS' if tls else 'plain'}", (post.pss_kib() - before) / 1000, "KiB", goal,
                lower=True)
            for s in sockets:
                s.close()


def bench_start(build):
    with Server("north.test", CONFIG) as post:
        post.user("u0@north.test", "bench-password")
        times = []
        for _ in range(7):
            start = time.monotonic()
            post.start(wait=False)
            while True:
                try:
                    with socket.create_connection(("127.0.0.1", post.port(25)), 5) as s:
                        if s.recv(100).startswith(b"220"):
                            break
                except OSError:
                    time.sleep(0.0005)
            times.append((time.monotonic() - start) * 1e3)
            post.wait_ready()
            post.stop()
        row("start: to the first banner", statistics.median(times), "ms", 20, lower=True)


def bench_slow(build):
    with Server("north.test", CONFIG) as post:
        post.start()
        add_users(post, 10)
        slow = subprocess.Popen([os.path.join(build, "bench", "load"), "slow", "--port", str(post.port(25)),
                                 "--sessions", "1000", "--pause-ms", "100"], stdout=subprocess.PIPE)
        try:
            slow.stdout.readline()
            runs = [load(build, "smtp", port=post.port(25), sessions=10, mails=20, total=2000, size=4096, users=10)
                    for _ in range(RUNS)]
        finally:
            slow.kill()
            slow.stdout.close()
            slow.wait()
        row("slow: p99 of a mail, beside 1,000 one-byte clients", median_of(runs, "p99"), "ms", 50, lower=True,
            note=f"{median_of(runs, 'rate'):,.0f} per s")


def bench_imap(build):
    import imap
    imap.bench(build, row, load, Server, fsync_rate)


PARTS = {"disk": bench_disk, "smtp": bench_smtp, "relay": bench_relay, "pop3": bench_pop3, "imap": bench_imap,
         "idle": bench_idle, "start": bench_start, "slow": bench_slow}


def main():
    options = argparse.ArgumentParser(prog="./dev bench")
    options.add_argument("names", nargs="*", metavar="NAME")
    options.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    options = options.parse_args()
    build = os.path.join(ROOT, options.build)
    programs = {f: os.path.join(build, "bench", f) for f in sorted(os.listdir(os.path.join(build, "bench")))
                if f.endswith("_bench")}
    known = list(PARTS) + list(programs)
    unknown = [n for n in options.names if not any(n in k for k in known)]
    if unknown:
        print(f"dev bench: {', '.join(unknown)}: there are {', '.join(known)}", file=sys.stderr)
        return 2
    chosen = [k for k in known if not options.names or any(n in k for n in options.names)]
    if "disk" not in chosen and any(n in PARTS for n in chosen):
        chosen.insert(0, "disk")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    failed = []
    for name in chosen:
        try:
            if name in PARTS:
                PARTS[name](build)
            else:
                print(f"{name}:", flush=True)
                subprocess.run([programs[name]], check=True)
        except Exception as e:
            failed.append(name)
            print(f"{name}: could not be measured: {e}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
