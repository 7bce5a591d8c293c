"""
Posts for whole-system tests: starts yizhan through its command line alone (the contract of
`yizhan help`), on loopback, on free ports, in a directory of its own.

    with Post("north.test") as north, Post("south.test") as south:
        one = north.user("one@north.test")
        north.route("south.test", south)
        north.start(); south.start()
        north.port(587)
"""
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAM = os.environ.get("YIZHAN") or ""
STANDARD = (25, 587, 465, 110, 995, 143, 993, 80, 443, 4190)
START_SECONDS = 60


def program():
    if not PROGRAM or not os.access(PROGRAM, os.X_OK):
        raise unittest.SkipTest("no program yizhan (set YIZHAN, or use ./dev test)")
    return PROGRAM


def wait_until(condition, seconds=30, what="", pause=0.02):
    """Waits for condition() to be true and returns what it gave."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain" + (f" for {what}" if what else ""))
        time.sleep(pause)


class PortBase:
    """A port base nobody else uses: reserved by the name of an abstract socket while it lives."""

    def __init__(self):
        # 1000 apart no two standard ports meet; all stay below the ephemeral ports.
        bases = [b + shift for b in range(10000, 28000, 1000) for shift in (0, 1, 4, 5)]
        random.shuffle(bases)
        for self.base in bases:
            self.lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                self.lock.bind(f"\0yizhan-test-{self.base}")
                if all(self.is_free(self.base + p) for p in STANDARD):
                    return
            except OSError:
                pass
            self.lock.close()
        raise AssertionError("no free port base")

    @staticmethod
    def is_free(port):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return True
            except OSError:
                return False

    def close(self):
        self.lock.close()


def free_port(kind=socket.SOCK_STREAM):
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Post:
    """One server.  listen with base 0 takes the standard ports of another loopback address (root only)."""

    def __init__(self, domain="north.test", config="", hostname=None, listen="127.0.0.1", base=None):
        self.program, self.listen = program(), listen
        self.domain, self.hostname = domain, hostname or "mail." + domain
        self.dir = tempfile.mkdtemp(prefix="yizhan-" + domain + "-")
        os.chmod(self.dir, 0o755)
        self.home = os.path.join(self.dir, "post")
        self.ports = PortBase() if base is None else None
        self.base = self.ports.base if self.ports else base
        self.process, self.starts, self.lines = None, 0, []
        self.passwords = {}
        self.run("init", "--domain", domain, "--hostname", self.hostname, "--port-base", str(self.base),
                 "--listen", listen)
        if config:
            with open(os.path.join(self.home, "yizhan.conf"), "a", encoding="utf-8") as f:
                f.write("\n" + config + "\n")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # The command line.

    def run(self, *words, text=None, check=True, seconds=120):
        """yizhan WORDS --dir HOME; the finished process with stdout and stderr as text."""
        done = subprocess.run([self.program, *words, "--dir", self.home], input=text, capture_output=True, text=True,
                              timeout=seconds)
        if check and done.returncode != 0:
            raise AssertionError(f"yizhan {' '.join(words)} exited {done.returncode}: {done.stderr.strip()}")
        return done

    def user(self, address, password=None):
        """Adds an account; returns its password."""
        password = password or "secret-" + address
        self.run("user", "add", address, text=password + "\n")
        self.passwords[address] = password
        return password

    def route(self, domain, to):
        """Routes a domain to another post, or to "HOST:PORT"."""
        self.run("route", "add", domain, to if isinstance(to, str) else f"{to.listen}:{to.port(25)}")

    def queue(self):
        return json.loads(self.run("queue", "list", "--json").stdout or "[]")

    def wait_queue_empty(self, seconds=60):
        wait_until(lambda: not self.queue(), seconds, f"the queue of {self.domain} to empty", 0.1)

    # The processes.

    def port(self, standard):
        return self.base + standard

    def start(self, *words, wait=True):
        self.starts += 1
        self.ready = threading.Event()
        self.errors = open(os.path.join(self.dir, "serve.log"), "ab")
        self.process = subprocess.Popen([self.program, "serve", "--dir", self.home, *words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True)
        threading.Thread(target=self._read, args=(self.process, self.ready), daemon=True).start()
        if wait:
            self.wait_ready()
        return self

    def _read(self, process, ready):
        for line in process.stdout:
            text = line.decode("utf-8", "replace").rstrip("\n")
            if text == "ready":
                ready.set()
            else:
                self.lines.append(text)

    def wait_ready(self):
        end = time.monotonic() + START_SECONDS
        while not self.ready.wait(0.05):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.domain} did not start:\n{self.log_tail()}")

    def log(self):
        try:
            with open(os.path.join(self.dir, "serve.log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def pids(self):
        """All processes of the running server."""
        if not self.process:
            return []
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as f:
                        fields = f.read().rpartition(")")[2].split()
                    if int(fields[2]) == self.process.pid and fields[0] not in "ZX":  # its process group
                        found.append(int(name))
                except (OSError, IndexError):
                    pass
        return sorted(found)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=30):
        """SIGTERM; the exit code."""
        if not self.process:
            return None
        self.process.terminate()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.domain} did not stop within {seconds} s:\n{self.log_tail()}")
        self._forget()
        return code

    def kill(self):
        """SIGKILL to every process at once; returns when they are gone."""
        if not self.process:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        wait_until(lambda: not self.pids(), 10, "killed processes to go", 0.005)
        self._forget()

    def _forget(self):
        self.process.stdout.close()
        self.errors.close()
        self.process = None

    def close(self):
        if self.process:
            self.kill()
        if self.ports:
            self.ports.close()
        if os.environ.get("KEEP"):
            print(f"kept {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    # What went wrong inside, if anything: sanitizers speak on standard error.

    def faults(self):
        words = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "Assertion", "assertion")
        return [line for line in self.log().splitlines() if any(w in line for w in words)]

    def tls(self):
        context = ssl.create_default_context(cafile=self.certificate())
        return context

    def certificate(self):
        return os.path.join(self.home, "tls", "cert.pem")


def connect(port, tls=None, timeout=20, host="127.0.0.1"):
    """A connected socket to loopback; with tls (a Post) encrypted, the certificate checked."""
    s = socket.create_connection((host, port), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.tls().wrap_socket(s, server_hostname="localhost") if tls else s


def pop3(post, address, tls=True):
    """A logged-in poplib client."""
    import poplib
    poplib._MAXLINE = 1 << 20
    client = poplib.POP3(post.listen, post.port(110), timeout=60)
    if tls:
        context = post.tls()
        context.check_hostname = False  # poplib would look for the address in the certificate
        client.stls(context)
    client.user(address)
    client.pass_(post.passwords[address])
    return client


def mailbox(post, address):
    """All messages of the INBOX as bytes with CRLF, in order."""
    client = pop3(post, address, tls=False)
    count = client.stat()[0]
    messages = [b"\r\n".join(client.retr(i + 1)[1]) + b"\r\n" for i in range(count)]
    client.quit()
    return messages
