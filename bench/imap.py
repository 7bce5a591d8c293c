"""
The part "imap" of ./dev bench: a mailbox of 100,000 messages of 4 KiB, ours and Debian's Dovecot (mdbox, processes
reused: its fastest), one after the other with the same load.  Each row is ours beside the goal of design.md; what
Dovecot did stands behind it.
"""
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

from posts import PortBase, wait_until

BIG, SIZE, PART, IDLE = 100_000, 4096, 10_000, 1000
PASSWORD = "bench-password"

# name, what load says, unit, goal (None: none), lower is better
ROWS = [
    ("SELECT, warm", "select", "ms", 0.1, True),
    ("SELECT, after a restart", "select_cold", "ms", 3, True),
    ("FETCH 1:* (FLAGS)", "flags", "ms", 8, True),
    ("FETCH 1:* (UID FLAGS ENVELOPE), first", "envelope_first", "ms", 70, True),
    ("FETCH 1:* (UID FLAGS ENVELOPE), again", "envelope", "ms", 70, True),
    (f"{PART:,} bodies, 41 MB", "bodies", "MB/s", 1200, False),
    ("STORE 1:* +FLAGS.SILENT", "store", "ms", None, True),
    (f"MOVE {PART:,}", "move", "ms", 15, True),
    ("APPEND in sequence", "append_1", "per s", None, False),
    ("APPEND, 10 clients", "append_10", "per s", 10_000, False),
    ("login+SELECT+LOGOUT, 10 clients", "login_10", "per s", 10_000, False),
    ("NOOP, 10 clients", "noop_10", "per s", 120_000, False),
    ("from OK to EXISTS in IDLE, p50", "idle_p50", "ms", 0.2, True),
    ("from OK to EXISTS in IDLE, p99", "idle_p99", "ms", 1, True),
    (f"memory of {IDLE:,} idle connections, plain, each", "plain", "KiB", 8, True),
    (f"memory of {IDLE:,} idle connections, TLS, each", "tls", "KiB", 40, True),
]

DOVECOT = """
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
mail_location = mdbox:{dir}/mail/%u
first_valid_uid = 1
mail_max_userip_connections = 4000
default_client_limit = 8000
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={dir}/mail/%u
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
  }}
}}
service imap {{
  service_count = 256
  process_min_avail = 20
  process_limit = 2000
}}
service anvil {{
  client_limit = 8000
}}
service auth {{
  client_limit = 8000
}}
"""


class Dovecot:
    """Debian's, in a directory of its own, beside a Post whose certificate it borrows."""

    def __init__(self, post):
        self.dir = tempfile.mkdtemp(prefix="yizhan-dovecot-")
        os.chmod(self.dir, 0o755)
        os.mkdir(os.path.join(self.dir, "mail"))
        shutil.chown(os.path.join(self.dir, "mail"), "nobody", "nogroup")
        self.ports, self.tls, self.process = PortBase(), post.tls, None
        self.config = os.path.join(self.dir, "dovecot.conf")
        with open(self.config, "w") as f:
            f.write(DOVECOT.format(dir=self.dir, cert=post.certificate(), password=PASSWORD,
                                   key=post.certificate().replace("cert.pem", "key.pem"), plain=self.port(143),
                                   tls=self.port(993)))

    def port(self, standard):
        return self.ports.base + standard

    def start(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.config], start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_until(lambda: answers(self.port(143)), 20, "Dovecot to answer")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.process = None

    def pids(self):
        """The master and its descendants (each service is a process group of its own)."""
        parents = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as f:
                        parents[int(name)] = int(f.read().rpartition(")")[2].split()[1])
                except (OSError, IndexError):
                    pass
        found = {self.process.pid}
        while True:
            more = {p for p, parent in parents.items() if parent in found} - found
            if not more:
                return sorted(found)
            found |= more

    def pss_kib(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
            except OSError:
                pass
        return total

    def close(self):
        if self.process:
            self.stop()
        self.ports.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            return s.recv(4) == b"* OK"
    except OSError:
        return False


def idle_connection(server, tls):
    """A client that has logged in, selected INBOX and sits in IDLE."""
    s = socket.create_connection(("127.0.0.1", server.port(993 if tls else 143)), 30)
    if tls:
        s = tls.wrap_socket(s, server_hostname="localhost")
    f = s.makefile("rb")
    f.readline()
    s.sendall(f'a LOGIN "idle@north.test" "{PASSWORD}"\r\nb SELECT INBOX\r\nc IDLE\r\n'.encode())
    while True:
        line = f.readline()
        if line.startswith(b"+"):
            f.close()
            return s
        if not line or line.startswith((b"a NO", b"a BAD", b"b NO", b"c BAD")):
            raise RuntimeError(f"an idle connection was refused: {line!r}")


def idle_memory(server, tls):
    """KiB of the server for each of IDLE connections that wait."""
    context = server.tls() if tls else None
    for s in [idle_connection(server, context) for _ in range(20)]:
        s.close()
    time.sleep(0.3)
    before = server.pss_kib()
    sockets = [idle_connection(server, context) for _ in range(IDLE)]
    time.sleep(0.5)
    kib = (server.pss_kib() - before) / IDLE
    for s in sockets:
        s.close()
    return kib


def measure(build, server, load):
    """All rows of one server as {what: number}."""
    def run(mode, **options):
        return load(build, mode, program="imap_load", port=server.port(143), password=PASSWORD, **options)

    got, who = {}, {"login": "big@north.test", "mailbox": "Big"}
    server.start()
    run("create", **who)
    got["fill"] = run("fill", total=BIG, size=SIZE, **who)["fill"]
    colds = []
    for _ in range(3):
        server.stop()
        server.start()
        colds.append(run("select", **who)["select"])
    got["select_cold"] = statistics.median(colds)
    got.update(run("box", part=PART, **who))
    for key, mode, options in (("append_1", "append", {"total": 300}), ("append_10", "append", {"total": 5000, "sessions": 10}),
                               ("login_10", "login", {"total": 4000, "sessions": 10}),
                               ("noop_10", "noop", {"total": 100_000, "sessions": 10})):
        run("login", total=10, sessions=10)  # the passwords are remembered
        got[key] = statistics.median(run(mode, **options)["rate"] for _ in range(3))
    said = run("idle", login="u0@north.test", total=50)
    got["idle_p50"], got["idle_p99"] = said["p50"], said["p99"]
    for key, tls in (("plain", False), ("tls", True)):
        got[key] = idle_memory(server, tls)
    server.stop()
    return got


def print_rows(row, ours, theirs, sync_rate):
    sync_ms = 1000 / sync_rate
    for name, key, unit, goal, lower in ROWS:
        if key == "store":
            goal, name = 5 + sync_ms, f"{name} (5 ms and a sync)"
        if key == "append_1":
            goal, name = 0.6 * sync_rate, f"{name} (60 % of append+fdatasync)"
        peer = theirs.get(key)
        note = f"Dovecot {peer:,.0f}" if peer and peer >= 100 else f"Dovecot {peer:.3g}" if peer is not None else ""
        row("imap: " + name, ours[key], unit, goal, lower=lower, note=note)
    row("imap: filling it, 100 messages in one APPEND", ours["fill"], "per s",
        note=f"Dovecot {theirs['fill']:,.0f}" if theirs else "")


def bench(build, row, load, server_class, fsync_rate):
    with server_class("north.test", "[log]\nlevel = warning\n") as post:
        for name in ["big", "idle"] + [f"u{i}" for i in range(10)]:
            post.user(f"{name}@north.test", PASSWORD)
        rate = statistics.median(fsync_rate(post.dir) for _ in range(3))
        theirs = {}
        if shutil.which("dovecot") and os.getuid() == 0:
            dovecot = Dovecot(post)
            try:
                theirs = measure(build, dovecot, load)
            finally:
                dovecot.close()
        else:
            print("imap: no Dovecot beside it (./dev bench installs it; it needs root)")
        print_rows(row, measure(build, post, load), theirs, rate)
