"""
Bad input on real sockets: any bytes on any port get a correct error or a closed connection, never
a crash or a lost message, and slow or greedy clients do not slow the others down.
"""
import os
import random
import select
import smtplib
import socket
import ssl
import statistics
import threading
import time
import unittest

from posts import Post, connect, mailbox, wait_until

PLAIN = (25, 587, 110, 143, 80)
IMPLICIT_TLS = (465, 995, 993)
CLIENTS = 1000


def drain(s, seconds):
    """Reads until the other side closes or is silent for that long; what came, and whether it closed."""
    got = b""
    while True:
        ready, _, _ = select.select([s], [], [], seconds)
        if not ready:
            return got, False
        try:
            piece = s.recv(65536)
        except OSError:
            return got, True
        if not piece:
            return got, True
        got += piece


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.post = Post("north.test", "[log]\nlevel = warning\n")
        cls.addClassCleanup(cls.post.close)
        cls.post.user("one@north.test")
        cls.post.start()

    def tearDown(self):
        self.assertEqual([], self.post.faults())
        self.assertTrue(self.post.is_running())
        self.assert_mail_passes()

    def assert_mail_passes(self):
        """The server still takes a mail and gives it back."""
        subject = f"after {self.id()} {time.monotonic_ns()}"
        with smtplib.SMTP("127.0.0.1", self.post.port(25), timeout=20) as client:
            client.sendmail("x@example.test", "one@north.test", f"Subject: {subject}\r\n\r\nstill here\r\n")
        wait_until(lambda: any(subject.encode() in m for m in mailbox(self.post, "one@north.test")), 20)

    def pieces(self, seed):
        """Hostile inputs: noise, and commands of the protocols bent in many ways."""
        r = random.Random(seed)
        words = [b"EHLO ", b"MAIL FROM:", b"RCPT TO:", b"DATA\r\n", b"<one@north.test>", b"\r\n", b"\n", b"\r", b"\0",
                 b".", b"\r\n.\r\n", b"AUTH PLAIN ", b"AUTH SCRAM-SHA-256 ", b"=", b"*\r\n", b"BDAT 10 LAST\r\n",
                 b"STARTTLS\r\n", b"STLS\r\n", b"USER one@north.test\r\n", b"PASS x\r\n", b"RETR 1\r\n",
                 b"TOP 1 99999999999999999999\r\n", b"UIDL\r\n", b"QUIT\r\n", b"GET / HTTP/1.1\r\n", b"Host: x\r\n\r\n",
                 b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
                 b"a LOGIN one@north.test x\r\n", b"a SELECT INBOX\r\n", b"a FETCH 1:* BODY[]\r\n", b"{99999999999999999999+}\r\n",
                 b"a APPEND INBOX {9223372036854775807}\r\n", b"a UID SEARCH " + b"(OR " * 300, b"a STARTTLS\r\n",
                 b"A" * 3000, b" SIZE=99999999999999999999", b"\xff\xfe", b"%s%n", b"\x16\x03\x01\x02\x00\x01"]
        for _ in range(25):
            yield r.randbytes(r.randrange(1, 4000))
        for _ in range(60):
            yield b"".join(r.choice(words) for _ in range(r.randrange(1, 30)))

    def test_random_bytes_on_plain_ports(self):
        for port in PLAIN:
            for data in self.pieces(port):
                with connect(self.post.port(port)) as s:
                    try:
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    _, closed = drain(s, 20)
                    self.assertTrue(closed, f"port {port} kept a half-closed connection open after {data[:80]!r}")

    def test_random_bytes_inside_tls(self):
        for port in IMPLICIT_TLS:
            for data in list(self.pieces(port))[::4]:
                with connect(self.post.port(port), tls=self.post) as s:
                    try:
                        s.sendall(data)
                        s.unwrap()
                    except (OSError, ssl.SSLError):
                        pass

    def test_random_bytes_instead_of_tls(self):
        for port in IMPLICIT_TLS:
            for data in list(self.pieces(port + 1))[::4]:
                with connect(self.post.port(port)) as s:
                    try:
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    self.assertTrue(drain(s, 20)[1])

    def test_reset_in_the_middle_of_everything(self):
        steps = [b"EHLO x.test\r\n", b"MAIL FROM:<x@example.test>\r\n", b"RCPT TO:<one@north.test>\r\n", b"DATA\r\n",
                 b"Subject: cut\r\n\r\nnever acknowledged, never delivered\r\n"]
        for upto in range(len(steps) + 1):
            s = connect(self.post.port(25))
            for step in steps[:upto]:
                s.recv(4096)
                s.sendall(step)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        self.assertFalse(any(b"Subject: cut" in m for m in mailbox(self.post, "one@north.test")))

    def test_commands_before_tls_are_dropped(self):
        """RFC 3207 section 4: what was pipelined behind STARTTLS must not run inside TLS."""
        s = connect(self.post.port(25))
        s.recv(4096)
        s.sendall(b"EHLO x.test\r\n")
        self.assertIn(b"STARTTLS", s.recv(4096))
        s.sendall(b"STARTTLS\r\nRSET\r\nNOOP\r\n")
        reply = b""
        while b"\r\n" not in reply:
            reply += s.recv(1)
        self.assertTrue(reply.startswith((b"220", b"5")), reply)
        if reply.startswith(b"220"):
            try:
                tls = self.post.tls().wrap_socket(s, server_hostname="localhost")
            except (OSError, ssl.SSLError):
                return  # the plaintext was taken for a broken handshake: also right
            tls.settimeout(1)
            with self.assertRaises(TimeoutError):
                print("answered inside TLS:", tls.recv(4096))

    def test_answers_wait_for_a_slow_reader(self):
        """A client that asks much and reads nothing costs bounded memory."""
        before = self.memory_kib()
        clients = [connect(self.post.port(25)) for _ in range(20)]
        for s in clients:
            s.setblocking(False)
            try:
                for _ in range(200):
                    s.send(b"NOOP\r\n" * 5000)
            except BlockingIOError:
                pass
        time.sleep(0.5)
        grown = self.memory_kib() - before
        for s in clients:
            s.close()
        self.assertLess(grown, 64 * 1024 * (4 if "ASAN" in os.environ or "debug" in self.post.program else 1))

    def memory_kib(self):
        total = 0
        for pid in self.post.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    total += next(int(l.split()[1]) for l in f if l.startswith("Pss:"))
            except OSError:
                pass
        return total

    def test_thousand_slow_clients(self):
        """1,000 clients send one byte at a time; what others ask is answered all the same."""
        text = b"EHLO slow.test\r\nNOOP\r\nMAIL FROM:<x@example.test>\r\nRSET\r\n"
        slow = [connect(self.post.port(25)) for _ in range(CLIENTS)]
        self.addCleanup(lambda: [s.close() for s in slow])
        for s in slow:
            s.setblocking(False)
        stop = threading.Event()

        def trickle():
            at = 0
            while not stop.is_set():
                for i, s in enumerate(slow):
                    try:
                        s.send(text[(at + i) % len(text):][:1])
                        s.recv(4096)
                    except OSError:
                        pass
                    if i % 100 == 99:
                        time.sleep(0.01)
                at += 1

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        times = []
        with connect(self.post.port(587)) as s:
            s.recv(4096)
            end = time.monotonic() + 4
            while time.monotonic() < end:
                start = time.monotonic()
                s.sendall(b"NOOP\r\n")
                self.assertTrue(s.recv(4096).startswith(b"250"))
                times.append(time.monotonic() - start)
                time.sleep(0.002)
        stop.set()
        thread.join()
        self.assertGreater(len(times), 100)
        p99 = statistics.quantiles(times, n=100)[98]
        self.assertLess(p99, 0.25)  # the goal of 50 ms is measured on the release build: ./dev bench slow

    def test_too_many_errors_end_the_connection(self):
        with connect(self.post.port(25)) as s:
            s.sendall(b"BOGUS\r\n" * 100)
            got, closed = drain(s, 20)
            self.assertTrue(closed)
            self.assertIn(b"\r\n421 ", got)
            self.assertLess(got.count(b"\r\n500 "), 50)


class WrongUsage(unittest.TestCase):
    """One line on standard error that says what to do; exit 2 for wrong usage, 1 for what failed."""

    @classmethod
    def setUpClass(cls):
        cls.post = Post("north.test")
        cls.addClassCleanup(cls.post.close)

    def assert_one_line(self, done, code, *words):
        self.assertEqual(code, done.returncode, done.stderr)
        self.assertEqual(1, len(done.stderr.strip().splitlines()), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_busy_port(self):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", self.post.port(110)))
            s.listen()
            self.assert_one_line(self.post.run("serve", check=False, seconds=30), 1, str(self.post.port(110)))

    def test_no_directory(self):
        done = self.post.run("queue", "list", check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        home, self.post.home = self.post.home, self.post.home + "-not-there"
        try:
            for words in (["serve"], ["queue", "list"], ["user", "list"], ["check"]):
                self.assert_one_line(self.post.run(*words, check=False), 1, self.post.home)
        finally:
            self.post.home = home

    def test_bad_config_line(self):
        path = os.path.join(self.post.home, "yizhan.conf")
        with open(path) as f:
            good = f.read()
        try:
            with open(path, "a") as f:
                f.write("[queue]\nlifetime = soon\n")
            line = str(len(good.splitlines()) + 2)
            self.assert_one_line(self.post.run("serve", check=False, seconds=30), 1, "yizhan.conf", line)
        finally:
            with open(path, "w") as f:
                f.write(good)

    def test_wrong_words(self):
        for words in (["frobnicate"], ["queue", "frobnicate"], ["user", "add"], ["queue", "recall"]):
            self.assertEqual(2, self.post.run(*words, check=False).returncode, words)

    def test_unknown_id(self):
        self.assert_one_line(self.post.run("queue", "show", "0000000000000", check=False), 1)
        self.assert_one_line(self.post.run("queue", "recall", "not-an-id", check=False), 1)


if __name__ == "__main__":
    unittest.main()
