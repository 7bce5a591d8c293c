"""
The processes of `yizhan serve`: parent and worker, signals, crashes, who runs as whom.
"""
import json
import os
import poplib
import pty
import signal
import smtplib
import socket
import ssl
import subprocess
import termios
import time
import unittest

from posts import Post, connect, pop3, program, wait_until


class ServeCase(unittest.TestCase):
    def setUp(self):
        self.post = Post("north.test")
        self.addCleanup(self.post.close)
        self.post.user("one@north.test")
        self.post.start()
        self.parent = self.post.process.pid

    def tearDown(self):
        self.assertEqual([], self.post.faults())

    def worker(self):
        found = [p for p in self.post.pids() if p != self.parent]
        return found[0] if len(found) == 1 else None

    def status(self, pid, key):
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return line.split()[1:]
        return None

    def banner(self):
        with connect(self.post.port(25)) as s:
            return s.recv(100)

    def ready_count(self):
        return self.post.log().count("event=serve.ready")

    def deliver(self, subject="s"):
        with smtplib.SMTP("127.0.0.1", self.post.port(25), timeout=20) as client:
            client.sendmail("a@else.test", ["one@north.test"], f"Subject: {subject}\r\n\r\nx\r\n")

    def serial(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.post.port(995)), 20) as s:
            with context.wrap_socket(s) as tls:
                return tls.getpeercert(binary_form=True)


class SignalTest(ServeCase):
    def test_stop_and_start(self):
        self.deliver()
        self.assertEqual(0, self.post.stop())
        self.assertEqual([], self.post.pids())
        self.assertFalse(os.path.exists(os.path.join(self.post.home, "run", "control.sock")))
        self.post.run("check")
        self.assertIn("one@north.test", self.post.run("user", "list").stdout)
        self.post.start()
        self.assertEqual(0, self.post.stop())

    def test_stop_tells_open_sessions(self):
        with connect(self.post.port(25)) as s:
            self.assertTrue(s.recv(100).startswith(b"220 "))
            self.post.process.terminate()
            s.settimeout(20)
            self.assertTrue(s.recv(1000).startswith(b"421 "))
        self.assertEqual(0, self.post.stop())

    def test_stop_under_stuck_control_client(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(self.post.home, "run", "control.sock"))
            s.sendall(b'{"op":"queue.l')
            start = time.monotonic()
            self.assertEqual(0, self.post.stop())
            self.assertLess(time.monotonic() - start, 15)

    def test_reload_certificate(self):
        """SIGHUP: the next hand-shake has the new certificate; the worker is the same."""
        before, worker = self.serial(), self.worker()
        other = Post("other.test")
        self.addCleanup(other.close)
        for name in ("cert.pem", "key.pem"):
            with open(os.path.join(other.home, "tls", name), "rb") as f:
                content = f.read()
            with open(os.path.join(self.post.home, "tls", name), "wb") as f:
                f.write(content)
        self.post.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.serial() != before, 20, "the new certificate")
        self.assertEqual(worker, self.worker())

    def test_reload_broken_certificate(self):
        before = self.serial()
        with open(os.path.join(self.post.home, "tls", "cert.pem"), "w") as f:
            f.write("garbage\n")
        self.post.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "event=serve.reload error=" in self.post.log(), 20, "the error")
        self.assertEqual(before, self.serial())

    def test_reload_config(self):
        """A changed configuration: another worker, and no caller is refused meanwhile."""
        with open(os.path.join(self.post.home, "yizhan.conf")) as f:
            text = f.read()
        with open(os.path.join(self.post.home, "yizhan.conf"), "w") as f:
            f.write(text.replace("hostname = mail.north.test", "hostname = new.north.test"))
        self.post.process.send_signal(signal.SIGHUP)
        wait_until(lambda: b"220 new.north.test" in self.banner(), 20, "the new name")
        wait_until(lambda: self.ready_count() == 2, 20, "the log line")
        self.deliver()
        with open(os.path.join(self.post.home, "yizhan.conf"), "a") as f:
            f.write("[node\n")
        self.post.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "event=serve.reload error=" in self.post.log(), 20, "the error")
        self.assertIn(b"220 new.north.test", self.banner())


class CrashTest(ServeCase):
    def test_worker_killed(self):
        """The parent starts another worker; the ports stay bound, so a caller waits and is served."""
        self.deliver("before")
        for _ in range(3):
            worker, count = self.worker(), self.ready_count()
            os.kill(worker, signal.SIGKILL)
            self.assertTrue(self.banner().startswith(b"220 "))
            wait_until(lambda: self.ready_count() == count + 1, 30, "the next worker")
            self.assertNotEqual(worker, self.worker())
        self.deliver("after")
        self.assertEqual(0, self.post.stop())
        self.post.run("check")

    def test_parent_killed(self):
        """Without its parent the worker stops, cleanly."""
        os.kill(self.parent, signal.SIGKILL)
        self.post.process.wait()
        wait_until(lambda: not self.post.pids(), 20, "the worker to stop")
        self.assertIn("event=serve.stop", self.post.log())
        self.post.kill()
        self.post.start()

    def test_second_server(self):
        """Two servers on one directory: the second says why not."""
        done = self.post.run("serve", check=False)
        self.assertEqual(1, done.returncode)
        self.assertEqual(1, done.stderr.count("\n"), done.stderr)


class UserTest(ServeCase):
    def test_worker_is_unprivileged(self):
        self.assertEqual(["1"], self.status(self.worker(), "NoNewPrivs"))
        if os.geteuid() != 0:
            self.skipTest("only root can drop privileges")
        self.assertNotIn("0", self.status(self.worker(), "Uid") + self.status(self.worker(), "Gid"))
        self.assertEqual(["0" * 16], self.status(self.worker(), "CapEff"))
        self.assertEqual(["0" * 16], self.status(self.worker(), "CapPrm"))
        self.assertEqual([], self.status(self.worker(), "Groups"))
        self.deliver()
        self.post.user("two@north.test")
        self.post.stop()
        self.post.user("three@north.test")
        for folder, _, files in os.walk(self.post.home):
            for name in files + ["."]:
                st = os.stat(os.path.join(folder, name))
                self.assertNotEqual(0, st.st_uid, os.path.join(folder, name))
                if "cert.pem" not in name:
                    self.assertEqual(0, st.st_mode & 0o077, os.path.join(folder, name))

    def test_closed_parent_directory(self):
        """A directory that only root may enter: the worker is in it already."""
        self.post.stop()
        os.chmod(self.post.dir, 0o700)
        self.post.start()
        self.deliver()
        self.assertIn("one@north.test", self.post.run("user", "list").stdout)


class NotifyTest(unittest.TestCase):
    def test_systemd(self):
        """sd_notify(3): READY=1 from the main process when every port answers."""
        with Post("north.test") as post, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            path = os.path.join(post.dir, "notify")
            s.bind(path)
            os.chmod(path, 0o666)
            s.settimeout(30)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            process = subprocess.Popen([program(), "serve", "--dir", post.home], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, env=dict(os.environ, NOTIFY_SOCKET=path))
            self.assertEqual(b"READY=1", s.recv(100))
            with connect(post.port(587)) as c:
                self.assertTrue(c.recv(100).startswith(b"220 "))
            process.terminate()
            self.assertEqual(b"STOPPING=1", s.recv(100))
            self.assertEqual(0, process.wait(30))
            self.assertEqual(b"ready\n", process.stdout.read())
            process.stdout.close()


class PasswordTest(unittest.TestCase):
    def ask(self, post, address, *answers):
        """yizhan user add on a terminal; exit code and what the terminal showed."""
        words = [program(), "user", "add", address, "--dir", post.home]
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ["LC_ALL"] = "C"
            os.execv(words[0], words)
        seen = b""
        for question, answer in zip((b"password: ", b"more: "), answers):
            while question not in seen:
                seen += os.read(terminal, 1000)
            wait_until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, 10, "the echo to go off", 0.01)
            os.write(terminal, answer + b"\n")
        try:
            while data := os.read(terminal, 1000):
                seen += data
        except OSError:
            pass
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen

    def test_asked_twice(self):
        with Post("north.test") as post:
            self.assertEqual(1, self.ask(post, "one@north.test", b"hush-hush", b"hush-hash")[0])
            self.assertNotIn("one@north.test", post.run("user", "list").stdout)
            code, seen = self.ask(post, "one@north.test", b"hush-hush", b"hush-hush")
            self.assertEqual(0, code, seen)
            self.assertNotIn(b"hush", seen)
            post.passwords["one@north.test"] = "hush-hush"
            post.start()
            pop3(post, "one@north.test").quit()

    def test_app_password(self):
        with Post("north.test") as post:
            post.user("one@north.test")
            post.start()
            made = post.run("user", "app-add", "one@north.test", "phone", "--scope", "pop3").stdout.strip()
            normal, post.passwords["one@north.test"] = post.passwords["one@north.test"], made
            pop3(post, "one@north.test").quit()
            (row,) = json.loads(post.run("user", "app-list", "one@north.test", "--json").stdout)
            self.assertEqual(("phone", "pop3"), (row["name"], row["scope"]))
            with smtplib.SMTP("127.0.0.1", post.port(587), timeout=20) as client:
                client.starttls(context=ssl._create_unverified_context())
                with self.assertRaises(smtplib.SMTPAuthenticationError):
                    client.login("one@north.test", made)
            post.run("user", "app-remove", "one@north.test", str(row["id"]))
            with self.assertRaises(poplib.error_proto):
                pop3(post, "one@north.test")
            post.passwords["one@north.test"] = normal
            pop3(post, "one@north.test").quit()


class CommandsTest(unittest.TestCase):
    """Operations answer the same with and without a running server."""

    def test_same_answers(self):
        with Post("north.test") as post:
            stopped = self.play(post, "zulu1")
            post.start()
            running = self.play(post, "zulu2")
            self.assertEqual(stopped, running)
            self.assertEqual([], post.faults())

    def play(self, post, name):
        seen = []

        def run(*words, text=None):
            done = post.run(*words, text=text, check=False)
            seen.append([done.returncode, done.stdout.replace(name, "X"), done.stderr.replace(name, "X")])
        user, alias = name + "@north.test", name + ".alias@north.test"
        run("user", "add", user, text="secret\n")
        run("user", "add", user, text="secret\n")
        run("user", "show", user)
        run("user", "show", user, "--json")
        run("user", "quota", user, "5M")
        run("user", "password", user, text="other\n")
        run("user", "password", user, text="\n")
        run("alias", "add", alias, user, "x@else.test")
        run("alias", "show", alias, "--json")
        run("alias", "remove", alias)
        run("route", "add", "south.test", "127.0.0.1:2025")
        run("route", "list", "--json")
        run("route", "remove", "south.test")
        run("domain", "add", "second.test")
        run("domain", "list")
        run("domain", "remove", "second.test")
        run("queue", "list", "--json")
        run("queue", "recall", "0000000000001")
        run("trace", "0000000000001")
        run("check")
        run("user", "remove", user)
        return seen


if __name__ == "__main__":
    unittest.main()
