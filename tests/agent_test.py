"""
The terminal user agent as a person uses it: yizhan send and yizhan fetch against two posts, over TLS.
"""
import email
import email.policy
import hashlib
import json
import mailbox
import os
import pty
import socket
import subprocess
import threading
import time
import unittest

from posts import Post, program, wait_until

CHINESE = "驿站：第一封信 ✉"


def checksum(data):
    return hashlib.sha256(data).hexdigest()


class AgentCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.north, cls.south = Post("north.test"), Post("south.test")
        cls.addClassCleanup(cls.north.close)
        cls.addClassCleanup(cls.south.close)
        for post, address in ((cls.north, "one@north.test"), (cls.south, "two@south.test"),
                              (cls.south, "three@south.test")):
            post.user(address)
            with open(cls.secret(post, address), "w") as f:
                f.write(post.passwords[address] + "\n")
        cls.north.route("south.test", cls.south)
        cls.south.route("north.test", cls.north)
        cls.north.start()
        cls.south.start()

    @staticmethod
    def secret(post, address):
        return os.path.join(post.dir, address + ".secret")

    def tearDown(self):
        self.assertEqual([], self.north.faults() + self.south.faults())

    def yizhan(self, *words, text=None, env=None):
        return subprocess.run([program(), *words], input=text, capture_output=True, timeout=120,
                              env={**os.environ, "LC_ALL": "C", **(env or {})})

    def send(self, *words, text=None, code=0, user="one@north.test"):
        done = self.yizhan("send", "--dir", self.north.home, "--user", user, "--password-file",
                           self.secret(self.north, user), *words, text=text)
        self.assertEqual(code, done.returncode, done.stderr.decode())
        return done

    def fetch(self, *words, code=0, user="two@south.test"):
        done = self.yizhan("fetch", "--dir", self.south.home, "--user", user, "--password-file",
                           self.secret(self.south, user), *words)
        self.assertEqual(code, done.returncode, done.stderr.decode())
        return done

    def one_line(self, done, code, *words):
        text = done.stderr.decode()
        self.assertEqual(code, done.returncode, text)
        self.assertEqual(1, text.count("\n"), text)
        for word in words:
            self.assertIn(word, text)

    def place(self, name):
        return os.path.join(self.south.dir, self.id() + "-" + name)

    def mails(self, place):
        found = []
        for name in sorted(os.listdir(place)):
            if name.endswith(".eml"):
                with open(os.path.join(place, name), "rb") as f:
                    found.append(email.message_from_bytes(f.read(), policy=email.policy.default))
        return found

    def wait_for(self, count, user="two@south.test"):
        """Until the maildrop holds that many."""
        def there():
            done = self.yizhan("fetch", "--dir", self.south.home, "--user", user, "--password-file",
                               self.secret(self.south, user), "--keep", "--print", "--json", env={
                                   "XDG_STATE_HOME": os.path.join(self.south.dir, f"state-{time.monotonic_ns()}")})
            self.assertEqual(0, done.returncode, done.stderr.decode())
            return done.stdout.count(b'"uidl"') >= count
        wait_until(there, 60, f"{count} mails", 0.2)

    def empty(self, user="two@south.test"):
        self.fetch("--delete", "--out", self.place("emptied"), user=user)


class SendAndFetchTest(AgentCase):
    def test_journey_of_ten_attachments(self):
        """Chinese subject, ten attachments of any kind, submission, queue, port 25, POP3: every byte."""
        self.empty()
        sums, words = {}, []
        kinds = [b"", b"x", b"From me\nFrom you\n.\n..\r\n.\r\n", bytes(range(256)) * 40, "中文".encode("gb18030"),
                 b"\r\n" * 1000, b"\0" * 5000, os.urandom(1 << 20), b"long " * 20000, b"no end of line"]
        names = ["空.bin", "x", "dots.txt", "all.bin", "国标.txt", "lines.csv", "zero.dat", "图片.png", "long.html", "信.eml"]
        for name, content in zip(names, kinds):
            path = os.path.join(self.north.dir, name)
            with open(path, "wb") as f:
                f.write(content)
            sums[name] = checksum(content)
            words += ["--attach", path]
        self.send("--to", "二 <two@south.test>", "--subject", CHINESE, *words, text="正文\n.\nFrom here\n".encode())
        self.wait_for(1)
        place = self.place("mail")
        out = self.fetch("--keep", "--out", place).stdout.decode()
        self.assertIn(CHINESE[:6], out)
        (mail,) = self.mails(place)
        self.assertEqual(CHINESE, mail["Subject"])
        self.assertEqual("二 <two@south.test>", str(mail["To"]))
        self.assertEqual("正文\n.\nFrom here\n", mail.get_body(("plain",)).get_content().replace("\r\n", "\n"))
        got = {part.get_filename(): checksum(part.get_payload(decode=True)) for part in mail.iter_attachments()}
        self.assertEqual([], [name for name in sums if sums[name] != got.get(name)])
        self.assertEqual(len(sums), len(got))

    def test_keep_and_delete(self):
        self.empty()
        a, b = self.place("laptop"), self.place("phone")
        result = json.loads(self.send("--to", "two@south.test", "--subject", "s", "--text", "t", "--count", "3",
                                      "--json").stdout)
        self.assertEqual(3, len(result))
        for mail in result:
            self.assertRegex(mail["id"], "^[0-9a-z]{13}$")
            self.assertEqual(250, mail["recipients"][0]["code"])
        self.assertEqual(3, len({mail["messageId"] for mail in result}))
        self.wait_for(3)
        self.fetch("--keep", "--out", a)
        self.assertEqual(3, len(self.mails(a)))
        self.assertIn(b"No new mail (3", self.fetch("--keep", "--out", a).stdout)
        self.send("--to", "two@south.test", "--subject", "later", "--text", "t")
        self.wait_for(4)
        new = json.loads(self.fetch("--keep", "--out", a, "--json").stdout)
        self.assertEqual(["later"], [m["subject"] for m in new])
        self.fetch("--delete", "--out", b)
        self.assertEqual(4, len(self.mails(b)))
        self.assertIn(b"No new mail (0", self.fetch("--keep", "--out", self.place("tablet")).stdout)
        self.assertEqual(4, len(self.mails(a)))

    def test_one_connection(self):
        """Many mails, one connection: the server sees one session."""
        before = self.north.log().count("service=submission ")
        self.send("--to", "three@south.test", "--subject", "s", "--text", "t", "--count", "20")
        wait_until(lambda: "event=net.close" in self.north.log_tail(200))
        lines = [x for x in self.north.log().splitlines() if "event=net.accept" in x and "service=submission " in x]
        self.assertEqual(1, len(lines) - before // 2)

    def test_each_and_bcc(self):
        self.empty()
        self.empty("three@south.test")
        self.send("--to", "two@south.test", "--bcc", "three@south.test", "--subject", "secret copy", "--text", "x")
        self.wait_for(1)
        self.wait_for(1, "three@south.test")
        place = self.place("three")
        self.fetch("--delete", "--out", place, user="three@south.test")
        (mail,) = self.mails(place)
        self.assertNotIn("Bcc", mail)
        self.assertNotIn("three", str(mail["To"]))
        result = json.loads(self.send("--to", "two@south.test", "--to", "three@south.test", "--each", "--subject", "e",
                                      "--text", "x", "--json").stdout)
        self.assertEqual([1, 1], [len(m["recipients"]) for m in result])

    def test_hold_and_recall(self):
        result = json.loads(self.send("--to", "two@south.test", "--subject", "too early", "--text", "x", "--hold", "1h",
                                      "--json").stdout)
        queue_id = result[0]["id"]
        (row,) = [r for r in self.north.queue() if r["id"] == queue_id]
        self.assertEqual("held", row["state"])
        recalled = json.loads(self.north.run("queue", "recall", queue_id, "--json").stdout)
        self.assertEqual([{"address": "two@south.test", "result": "withdrawn", "reason": ""}], recalled["recipients"])

    def test_implicit_tls_and_html(self):
        self.empty()
        page = os.path.join(self.north.dir, "page.html")
        with open(page, "w") as f:
            f.write("<p>Hello <b>驿站</b></p>")
        self.send("--tls", "implicit", "--to", "two@south.test", "--subject", "html", "--html", page)
        self.wait_for(1)
        place = self.place("mail")
        self.fetch("--tls", "implicit", "--delete", "--out", place)
        (mail,) = self.mails(place)
        self.assertIn("Hello", mail.get_body(("plain",)).get_content())
        self.assertIn("<b>驿站</b>", mail.get_body(("html",)).get_content())

    def test_mbox(self):
        self.empty()
        self.send("--to", "two@south.test", "--subject", "first", "--text", "From here\n>From there\n")
        self.send("--to", "two@south.test", "--subject", "second", "--text", "x")
        self.wait_for(2)
        box = self.place("box")
        self.fetch("--delete", "--mbox", box)
        with open(box, "rb") as f:
            self.assertIn(b"\n>>From there\n", f.read())
        saved = mailbox.mbox(box)
        self.assertEqual({"first", "second"}, {m["Subject"] for m in saved})
        saved.close()

    def test_interrupted_fetch_goes_on(self):
        """The connection dies in the middle of a message: what was whole is kept, nothing is deleted, the next
        fetch takes only the rest."""
        self.empty()
        self.send("--to", "two@south.test", "--subject", "s", "--count", "6", text=b"some words\n" * 30000)
        self.wait_for(6)
        place, cut = self.place("mail"), CutProxy(self.south.port(110), 700000)
        done = self.yizhan("fetch", "--server", f"localhost:{cut.port}", "--tls", "starttls", "--ca-file",
                           self.south.certificate(), "--user", "two@south.test", "--password-file",
                           self.secret(self.south, "two@south.test"), "--delete", "--out", place)
        cut.close()
        self.assertEqual(1, done.returncode)
        whole = len(self.mails(place))
        self.assertIn(whole, range(1, 6))
        self.assertFalse(any("part" in name for name in os.listdir(place)))
        state = [n for n in os.listdir(place) if n.startswith(".fetched")]
        os.rename(os.path.join(place, state[0]),
                  os.path.join(place, state[0].replace(str(cut.port), str(self.south.port(110)))))
        new = json.loads(self.fetch("--delete", "--out", place, "--json").stdout)
        self.assertEqual(6 - whole, len(new))
        self.assertEqual(6, len(self.mails(place)))
        self.assertIn(b"No new mail (0", self.fetch("--keep", "--out", self.place("other")).stdout)


class CutProxy:
    """Passes bytes on and cuts the connection after so many from the server."""

    def __init__(self, to, after):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.to, self.after = self.listener.getsockname()[1], to, after
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.to))
        threading.Thread(target=self._up, args=(client, server), daemon=True).start()
        passed = 0
        while passed < self.after:
            data = server.recv(65536)
            if not data:
                break
            passed += len(data)
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)  # not both ways: a reset would throw away what is still unread
        server.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _up(client, server):
        try:
            while data := client.recv(65536):
                server.sendall(data)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class UndoTest(unittest.TestCase):
    def test_undo_window(self):
        """[submission] undo: every mail of a user can be recalled for a while."""
        with Post("north.test", config="[submission]\nundo = 2s") as post:
            env = dict(os.environ, YIZHAN_PASSWORD=post.user("one@north.test"))
            post.start()
            words = [program(), "send", "--dir", post.home, "--user", "one@north.test", "--to", "one@north.test",
                     "--text", "x", "--json"]
            first, second = [json.loads(subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                                                       timeout=60).stdout)[0]["id"] for _ in range(2)]
            self.assertEqual({"held"}, {row["state"] for row in post.queue()})
            recalled = json.loads(post.run("queue", "recall", second, "--json").stdout)
            self.assertEqual(["withdrawn"], [r["result"] for r in recalled["recipients"]])
            wait_until(lambda: not post.queue(), 20, "the undo window to pass", 0.1)
            shown = json.loads(post.run("queue", "show", first, "--json").stdout)
            self.assertEqual(["delivered"], [r["state"] for r in shown["recipients"]])
            self.assertEqual([], post.faults())


class ErrorsTest(AgentCase):
    """What happened and what to do, in one line."""

    def test_wrong_password(self):
        wrong = os.path.join(self.north.dir, "wrong")
        with open(wrong, "w") as f:
            f.write("wrong\n")
        base = ["--dir", self.north.home, "--user", "one@north.test", "--password-file", wrong]
        self.one_line(self.yizhan("send", *base, "--to", "a@b.test", "--text", "x"), 1, "password")
        self.one_line(self.yizhan("fetch", *base, "--keep", "--out", self.place("x")), 1, "password")

    def test_certificate_not_trusted(self):
        base = ["--user", "one@north.test", "--password-file", self.secret(self.north, "one@north.test")]
        send = ["send", "--server", f"localhost:{self.north.port(587)}", *base, "--to", "one@north.test", "--text", "x"]
        fetch = ["fetch", "--server", f"localhost:{self.north.port(995)}", *base, "--keep", "--out", self.place("x")]
        self.one_line(self.yizhan(*send), 1, "certificate", "--ca-file")
        self.one_line(self.yizhan(*fetch), 1, "certificate", "--ca-file")
        self.assertEqual(0, self.yizhan(*send, "--insecure").returncode)
        self.assertEqual(0, self.yizhan(*send, "--ca-file", self.north.certificate()).returncode)
        self.assertEqual(0, self.yizhan(*fetch, "--ca-file", self.north.certificate()).returncode)

    def test_nobody_there(self):
        base = ["--server", "127.0.0.1:1", "--user", "one@north.test", "--password-file",
                self.secret(self.north, "one@north.test")]
        self.one_line(self.yizhan("send", *base, "--to", "a@b.test", "--text", "x"), 1, "127.0.0.1:1", "refused")
        self.one_line(self.yizhan("fetch", *base, "--keep", "--out", self.place("x")), 1, "127.0.0.1:1", "refused")

    def test_refused_receiver(self):
        done = self.send("--to", "one@north.test", "--to", "nobody@north.test", "--text", "x", code=1)
        self.one_line(done, 1, "1 of 2")
        self.assertIn(b"accepted", done.stdout)
        self.assertIn(b"550", done.stdout)

    def test_other_sender(self):
        self.one_line(self.send("--from", "two@south.test", "--to", "one@north.test", "--text", "x", code=1), 1)

    def test_missing_attachment(self):
        self.one_line(self.send("--to", "one@north.test", "--text", "x", "--attach", "/not/there", code=1), 1,
                      "/not/there", "No such file")

    def test_usage(self):
        for words, says in ((["send"], "--server"), (["fetch", "--dir", self.north.home], "--user"),
                            (["send", "--dir", self.north.home, "--user", "one@north.test"], "--to"),
                            (["fetch", "--dir", self.north.home, "--user", "one@north.test"], "--keep"),
                            (["fetch", "--dir", self.north.home, "--user", "x@y.test", "--keep", "--delete"], "--keep"),
                            (["fetch", "--dir", self.north.home, "--user", "x@y.test", "--delete", "--print"], "--out"),
                            (["send", "--dir", self.north.home, "--user", "x@y.test", "--to", "a@b.test",
                              "--hold-until", "yesterday"], "--hold-until")):
            self.one_line(self.yizhan(*words, text=b""), 2, says)

    def test_full_disk(self):
        """A place that cannot be written: one line, nothing is deleted on the server."""
        self.empty()
        self.send("--to", "two@south.test", "--subject", "keep me", "--text", "x")
        self.wait_for(1)
        self.one_line(self.fetch("--delete", "--mbox", "/dev/full", code=1), 1, "/dev/full")
        place = self.place("mail")
        self.fetch("--delete", "--out", place)
        self.assertEqual(["keep me"], [m["Subject"] for m in self.mails(place)])


class AccountTest(AgentCase):
    def test_account_file(self):
        path = os.path.join(self.north.dir, "agent.conf")
        with open(path, "w") as f:
            f.write(f"[default]\nserver = localhost:{self.north.port(587)}\n"
                    f"pop3-server = localhost:{self.north.port(995)}\nuser = one@north.test\n"
                    f"ca-file = {self.north.certificate()}\n"
                    f"password-file = {self.secret(self.north, 'one@north.test')}\n")
        env = {"YIZHAN_AGENT_CONF": path}
        sent = self.yizhan("send", "--to", "one@north.test", "--subject", "to myself", "--text", "x", env=env)
        self.assertEqual(0, sent.returncode, sent.stderr)
        got = self.yizhan("fetch", "--keep", "--out", self.place("mail"), env=env)
        self.assertEqual(0, got.returncode, got.stderr)
        self.assertIn(b"to myself", got.stdout)
        self.one_line(self.yizhan("send", "--account", "work", "--to", "a@b.test", env=env), 1, "[work]")
        with open(path, "a") as f:
            f.write("usr = x\n")
        self.one_line(self.yizhan("send", "--to", "a@b.test", env=env), 1, f"{path}:7", "usr")

    def test_password_from_environment_and_terminal(self):
        base = [program(), "send", "--dir", self.north.home, "--user", "one@north.test", "--to", "one@north.test",
                "--text", "x"]
        env = dict(os.environ, YIZHAN_PASSWORD=self.north.passwords["one@north.test"])
        self.assertEqual(0, subprocess.run(base, env=env, stdin=subprocess.DEVNULL, capture_output=True).returncode)
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(base[0], base)
        seen = b""
        while b"Password of one@north.test" not in seen:
            seen += os.read(terminal, 1000)
        time.sleep(0.2)  # the echo is switched off behind the question
        os.write(terminal, self.north.passwords["one@north.test"].encode() + b"\n")
        try:
            while data := os.read(terminal, 1000):
                seen += data
        except OSError:
            pass
        self.assertEqual(0, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen)
        self.assertNotIn(self.north.passwords["one@north.test"].encode(), seen)



class ReadTest(AgentCase):
    """yizhan read, and the copy that yizhan send files in Sent."""

    def read(self, verb, *words, code=0, user="two@south.test", env=None):
        done = self.yizhan("read", verb, "--dir", self.south.home, "--user", user, "--password-file",
                           self.secret(self.south, user), *words, env=env)
        self.assertEqual(code, done.returncode, f"{done.stdout!r} {done.stderr!r}")
        return json.loads(done.stdout) if "--json" in words and code == 0 else done

    def arrived(self, subject):
        """The UID of the mail with that subject, when it has come."""
        def there():
            return [m["uid"] for m in self.read("list", "--json") if m["subject"] == subject]
        return wait_until(there, 60, subject, 0.2)[0]

    def test_list_show_save(self):
        page, data = os.path.join(self.north.dir, "read.html"), os.path.join(self.north.dir, "表.csv")
        with open(page, "w") as f:
            f.write("<h1>标题</h1><p>see <a href='https://north.test/'>here</a></p><script>x()</script>")
        with open(data, "wb") as f:
            f.write(bytes(range(256)))
        self.send("--to", "two@south.test", "--subject", CHINESE, "--html", page, "--attach", data)
        uid = self.arrived(CHINESE)
        self.assertEqual([uid], [m["uid"] for m in self.read("list", "--json", "--unseen") if m["subject"] == CHINESE])
        self.assertEqual([uid], [m["uid"] for m in self.read("list", "--json", "--search", "驿站：第一封信")
                                 if m["subject"] == CHINESE])
        self.assertEqual([], self.read("list", "--json", "--search", "nothing like this"))
        place = self.place("saved")
        text = self.read("show", str(uid), "--save", place, "--peek").stdout.decode()
        for word in (CHINESE, "标题", "https://north.test/", "表.csv", "text/csv", "256 B"):
            self.assertIn(word, text)
        self.assertNotIn("x()", text)
        with open(os.path.join(place, "表.csv"), "rb") as f:
            self.assertEqual(bytes(range(256)), f.read())
        self.assertEqual(bytes(range(256)), self.read("show", str(uid), "--part", "2").stdout)
        raw = self.read("show", str(uid), "--raw").stdout
        self.assertEqual(CHINESE, email.message_from_bytes(raw, policy=email.policy.default)["Subject"])
        shown = self.read("show", str(uid), "--json")
        self.assertEqual((CHINESE, "表.csv", uid), (shown["subject"], shown["attachments"][0]["name"], shown["uid"]))
        self.assertTrue([m["seen"] for m in self.read("list", "--json") if m["uid"] == uid][0])
        self.assertIn("邮箱", self.read("mailboxes", env={"LC_ALL": "zh_CN.UTF-8"}).stdout.decode())

    def test_move_flag_delete(self):
        self.send("--to", "two@south.test", "--subject", "moves", "--text", "x")
        uid = self.arrived("moves")
        self.read("create", "文件夹/二")
        self.read("flag", str(uid))
        self.read("seen", str(uid))
        moved = self.read("move", str(uid), "--to", "文件夹/二", "--json")
        self.assertEqual("文件夹/二", moved["to"])
        (mail,) = self.read("list", "--mailbox", "文件夹/二", "--json")
        self.assertEqual((moved["newUids"], {"\\Seen", "\\Flagged"}), (str(mail["uid"]), set(mail["flags"]) - {"\\Recent"}))
        self.read("unflag", str(mail["uid"]), "--mailbox", "文件夹/二")
        self.read("unseen", str(mail["uid"]), "--mailbox", "文件夹/二")
        (mail,) = self.read("list", "--mailbox", "文件夹/二", "--json", "--unseen")
        self.assertNotIn("\\Flagged", mail["flags"])
        trashed = self.read("delete", str(mail["uid"]), "--mailbox", "文件夹/二", "--json")
        self.assertEqual("Trash", trashed["to"])
        self.read("delete", trashed["newUids"], "--mailbox", "Trash")
        counts = {f["name"]: f.get("messages") for f in self.read("mailboxes", "--json")}
        self.assertEqual((0, 0), (counts["文件夹/二"], counts["Trash"]))
        self.one_line(self.read("show", "999999", code=1), 1, "no message 999999")
        self.one_line(self.read("list", "--mailbox", "没有", code=1), 1, "yizhan read mailboxes")
        self.one_line(self.read("move", "x", "--to", "Trash", code=2), 2, "UID")

    def test_wait(self):
        process = subprocess.Popen([program(), "read", "wait", "--dir", self.south.home, "--user", "three@south.test",
                                    "--password-file", self.secret(self.south, "three@south.test"), "--timeout", "60s"],
                                   stdout=subprocess.PIPE, env=dict(os.environ, LC_ALL="C"))
        try:
            self.assertIn(b"Waiting", process.stdout.readline())
            self.send("--to", "three@south.test", "--subject", "pushed", "--text", "x")
            self.assertIn(b"pushed", process.communicate(timeout=60)[0])
            self.assertEqual(0, process.returncode)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        self.one_line(self.read("wait", "--timeout", "1s", code=1), 1, "no mail came")

    def sent(self):
        done = self.yizhan("read", "list", "--dir", self.north.home, "--user", "one@north.test", "--password-file",
                           self.secret(self.north, "one@north.test"), "--mailbox", "Sent", "--json")
        self.assertEqual(0, done.returncode, done.stderr.decode())
        return [m["subject"] for m in json.loads(done.stdout)]

    def test_copy_in_sent(self):
        (mail,) = json.loads(self.send("--to", "two@south.test", "--bcc", "three@south.test", "--subject", "copied",
                                       "--text", "x", "--json").stdout)
        self.assertEqual("Sent", mail["copy"])
        self.assertIn("copied", self.sent())
        self.send("--to", "two@south.test", "--subject", "not copied", "--text", "x", "--no-copy")
        self.assertNotIn("not copied", self.sent())
        done = self.send("--to", "two@south.test", "--subject", "no server", "--text", "x", "--imap", "127.0.0.1:1",
                         "--tls", "starttls")
        self.assertEqual(1, done.stderr.decode().count("\n"), done.stderr.decode())
        self.assertIn("no copy lies in Sent", done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
