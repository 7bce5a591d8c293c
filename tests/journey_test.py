"""
The journey of a mail through two posts with clients others wrote, over real sockets with TLS, the
next hop found by MX in a real name server.  Whatever a client does, every byte must arrive.
"""
import json
import os
import poplib
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import unittest

import letters
from names import NameServer
from posts import Post, mailbox, pop3, wait_until

ONE, TWO = "one@north.test", "two@south.test"
FAST_RETRY = "[queue]\nretry = 1s\n"
ZONES = {
    "north.test": "@ IN MX 10 mail\nmail IN A 127.0.0.1\n",
    # The best MX is dead, the second one lives: RFC 5321 5.1.
    "south.test": "@ IN MX 10 dead\n@ IN MX 20 mail\ndead IN A 127.0.0.9\nmail IN A 127.0.0.2\n",
    "127.in-addr.arpa": "1.0.0 IN PTR mail.north.test.\n",
    "null.test": "@ IN MX 0 .\n",
    "implicit.test": "@ IN A 127.0.0.2\n",
}


def tool(name):
    path = shutil.which(name)
    if not path:
        raise unittest.SkipTest(f"no {name}")
    return path


def standard_ports_are_ours():
    """MX leads to port 25: only root may listen there, and nobody else must."""
    for port in (25, 587, 110):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.2", port))
            except OSError:
                return False
    return True


class TwoPosts(unittest.TestCase):
    """north.test submits, south.test receives."""

    by_mx = False

    @classmethod
    def setUpClass(cls):
        config = FAST_RETRY
        if cls.by_mx:
            if not standard_ports_are_ours():
                raise unittest.SkipTest("127.0.0.2:25 cannot be bound: run as root, with no mail server running")
            cls.names = NameServer(ZONES)
            cls.addClassCleanup(cls.names.close)
            config += cls.names.config() + "reverse = yes\n"
        cls.north = Post("north.test", config)
        cls.addClassCleanup(cls.north.close)
        cls.south = Post("south.test", config, **({"listen": "127.0.0.2", "base": 0} if cls.by_mx else {}))
        cls.addClassCleanup(cls.south.close)
        cls.north.user(ONE)
        cls.south.user(TWO)
        if not cls.by_mx:
            cls.north.route("south.test", cls.south)
            cls.south.route("north.test", cls.north)
        cls.north.start()
        cls.south.start()
        cls.work = tempfile.mkdtemp(prefix="yizhan-clients-")
        cls.addClassCleanup(shutil.rmtree, cls.work, True)

    def setUp(self):
        self.empty(self.south, TWO)
        self.empty(self.north, ONE)

    def tearDown(self):
        self.assertEqual([], self.north.faults() + self.south.faults())

    def empty(self, post, address):
        client = pop3(post, address, tls=False)
        for n in range(client.stat()[0]):
            client.dele(n + 1)
        client.quit()

    def file(self, name, content=b""):
        path = os.path.join(self.work, name)
        with open(path, "wb") as f:
            f.write(content)
        os.chmod(path, 0o600)
        return path

    def client(self, *words, text=None, ok=(0,)):
        """Runs a foreign program; its output is in the failure."""
        done = subprocess.run(words, input=text, capture_output=True, timeout=120,
                              env=dict(os.environ, HOME=self.work, LC_ALL="C.UTF-8"))
        self.assertIn(done.returncode, ok, f"{words}\n{done.stdout.decode(errors='replace')[-3000:]}"
                                           f"\n{done.stderr.decode(errors='replace')[-3000:]}")
        return done.stdout

    def arrived(self, count=1, post=None, address=TWO, seconds=60):
        post = post or self.south
        wait_until(lambda: self.count(post, address) >= count, seconds, f"{count} mails for {address}", 0.1)
        got = mailbox(post, address)
        self.assertEqual(count, len(got))
        return got

    def count(self, post, address):
        client = pop3(post, address, tls=False)
        n = client.stat()[0]
        client.quit()
        return n

    def submit(self, content, recipients=(TWO,), options=()):
        """Through smtplib with STARTTLS; the text of the last reply."""
        with smtplib.SMTP("localhost", self.north.port(587), local_hostname="laptop.test", timeout=60) as c:
            c.starttls(context=self.north.tls())
            c.login(ONE, self.north.passwords[ONE])
            c.mail(ONE, list(options))
            for r in recipients:
                code, text = c.rcpt(r)
                if code != 250:
                    raise smtplib.SMTPResponseException(code, text)
            code, text = c.data(content)
            if code != 250:
                raise smtplib.SMTPResponseException(code, text)
            return text.decode()


class Senders(TwoPosts):
    """Each program sends the same letter; what arrives ends with exactly its bytes."""

    def letter(self, name):
        content = letters.letter(ONE, TWO)
        return content, self.file(name + ".eml", content)

    def assert_arrived(self, content):
        got, = self.arrived()
        self.assertTrue(got.endswith(content), "the bytes changed on the way")
        self.assertEqual(letters.expected(), letters.opened(got))
        self.assertTrue(got.startswith(b"Return-Path: <" + ONE.encode() + b">\r\n"), got[:200])
        self.assertEqual(2, len(re.findall(rb"^Received: ", got[:-len(content)], re.M)))

    def curl(self, url, *words):
        content, path = self.letter("curl")
        self.client(tool("curl"), "-sS", "--url", url, "--cacert", self.north.certificate(), "--mail-from", ONE,
                    "--mail-rcpt", TWO, "--upload-file", path, "--user", f"{ONE}:{self.north.passwords[ONE]}", *words)
        self.assert_arrived(content)

    def test_curl_starttls(self):
        self.curl(f"smtp://localhost:{self.north.port(587)}/laptop.test", "--ssl-reqd")

    def test_curl_implicit_tls(self):
        self.curl(f"smtps://localhost:{self.north.port(465)}/laptop.test")

    def test_swaks(self):
        content, path = self.letter("swaks")
        self.client(tool("swaks"), "--server", "localhost", "--port", str(self.north.port(587)), "--tls", "--tls-verify",
                    "--tls-ca-path", self.north.certificate(), "--auth", "LOGIN", "--auth-user", ONE,
                    "--auth-password", self.north.passwords[ONE], "--from", ONE, "--to", TWO, "--helo", "laptop.test",
                    "--data", "@" + path, "--pipeline")
        got, = self.arrived()
        self.assertEqual(letters.expected(), letters.opened(got))

    def test_smtplib_starttls(self):
        content, _ = self.letter("smtplib")
        self.submit(content)
        self.assert_arrived(content)

    def test_smtplib_implicit_tls(self):
        content, _ = self.letter("smtplib")
        with smtplib.SMTP_SSL("localhost", self.north.port(465), context=self.north.tls(), timeout=60) as c:
            c.login(ONE, self.north.passwords[ONE])
            c.sendmail(ONE, [TWO], content)
        self.assert_arrived(content)

    def test_many_over_one_connection(self):
        contents = [letters.letter(ONE, TWO, subject=f"Nr. {i}", files=[]) for i in range(30)]
        with smtplib.SMTP("localhost", self.north.port(587), timeout=60) as c:
            c.starttls(context=self.north.tls())
            c.login(ONE, self.north.passwords[ONE])
            for content in contents:
                c.sendmail(ONE, [TWO, ONE], content)
        for post, address in ((self.south, TWO), (self.north, ONE)):
            got = self.arrived(30, post, address)
            self.assertEqual(sorted(contents), sorted(next(c for c in contents if g.endswith(c)) for g in got))

    def test_without_login_nothing_leaves(self):
        """Port 25 trusts nobody: no relay for strangers, loopback included."""
        for port in (25, 587):
            with smtplib.SMTP("localhost", self.north.port(port), timeout=60) as c:
                with self.assertRaises((smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused)):
                    c.sendmail("x@example.test", [TWO], b"Subject: x\r\n\r\nx\r\n")

    def test_a_foreign_sender_is_refused(self):
        with smtplib.SMTP("localhost", self.north.port(587), timeout=60) as c:
            c.starttls(context=self.north.tls())
            c.login(ONE, self.north.passwords[ONE])
            with self.assertRaises((smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused)):
                c.sendmail("somebody.else@north.test", [TWO], b"Subject: x\r\n\r\nx\r\n")

    def test_wrong_password(self):
        with smtplib.SMTP("localhost", self.north.port(587), timeout=60) as c:
            c.starttls(context=self.north.tls())
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                c.login(ONE, "wrong")

    def test_an_unknown_recipient_comes_back(self):
        """South refuses at RCPT; north tells its user in a report (RFC 3464)."""
        self.submit(letters.letter(ONE, "nobody@south.test", files=[]), ["nobody@south.test"])
        report, = self.arrived(1, self.north, ONE)
        self.assertTrue(report.startswith(b"Return-Path: <>\r\n"), report[:100])
        self.assertIn(b"multipart/report", report)
        self.assertIn(b"nobody@south.test", report)
        self.assertRegex(report, rb"(?im)^Status: 5\.1\.1")
        self.assertRegex(report, rb"(?im)^Action: failed")

    def test_the_same_bytes_again_make_no_second_copy(self):
        content = letters.letter(ONE, TWO, files=[])
        for _ in range(3):
            self.submit(content)
        self.north.wait_queue_empty()
        self.arrived(1)


class Receivers(TwoPosts):
    """Each program reads the same letter by POP3 over TLS, keeps it or deletes it."""

    def setUp(self):
        super().setUp()
        self.content = letters.letter(ONE, TWO)
        self.submit(self.content)
        self.arrived()

    def assert_same(self, got):
        got = re.sub(rb"\r?\n", b"\r\n", got)
        self.assertTrue(got.endswith(self.content) or got.endswith(self.content.rstrip(b"\r\n")),
                        "the bytes changed on the way")

    def test_curl_retr_list_uidl_top(self):
        def curl(what, *words):
            return self.client(tool("curl"), "-sS", "--cacert", self.south.certificate(), "--user",
                               f"{TWO}:{self.south.passwords[TWO]}", *words,
                               f"pop3s://localhost:{self.south.port(995)}/{what}")

        self.assert_same(curl("1"))
        self.assertRegex(curl("").strip(), rb"^1 \d+$")
        self.assertRegex(curl("", "-X", "UIDL").strip(), rb"^1 [\x21-\x7e]{1,70}$")
        self.assertIn(b"Subject: ", curl("", "-X", "TOP 1 0"))

    def test_curl_stls(self):
        self.assert_same(self.client(tool("curl"), "-sS", "--ssl-reqd", "--cacert", self.south.certificate(), "--user",
                                     f"{TWO}:{self.south.passwords[TWO]}",
                                     f"pop3://localhost:{self.south.port(110)}/1"))

    def mpop(self, keep, folder, auth="scram-sha-256"):
        os.makedirs(folder, exist_ok=True)
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(folder, sub), exist_ok=True)
        conf = self.file("mpoprc", (
            f"account south\nhost localhost\nport {self.south.port(995)}\ntls on\ntls_starttls off\n"
            f"tls_trust_file {self.south.certificate()}\nuser {TWO}\npassword {self.south.passwords[TWO]}\n"
            f"auth {auth}\nkeep {'on' if keep else 'off'}\ndelivery maildir {folder}\n"
            f"uidls_file {folder}/uidls\nreceived_header off\n").encode())
        self.client(tool("mpop"), "-C", conf, "-q", "south")
        new = os.path.join(folder, "new")
        return [open(os.path.join(new, f), "rb").read() for f in sorted(os.listdir(new))]

    def test_mpop_keeps_then_deletes(self):
        first, second = os.path.join(self.work, "m1"), os.path.join(self.work, "m2")
        got, = self.mpop(True, first)
        self.assert_same(got)
        self.assertEqual(1, len(self.mpop(True, first)), "the next fetch takes only what is new")
        self.submit(letters.letter(ONE, TWO, subject="the second", files=[]))
        self.arrived(2)
        self.assertEqual(2, len(self.mpop(True, first)))
        self.assertEqual(2, len(self.mpop(False, second)), "kept for a second client")
        self.assertEqual(0, self.count(self.south, TWO), "deleted for everybody")

    def test_mpop_plain(self):
        self.assert_same(self.mpop(True, os.path.join(self.work, "m3"), "plain")[0])

    def fetchmail(self, *words):
        out = os.path.join(self.work, "fetched")
        if os.path.exists(out):
            os.unlink(out)
        conf = self.file("fetchmailrc", (
            f'poll localhost service {self.south.port(995)} protocol POP3 uidl user "{TWO}" '
            f'password "{self.south.passwords[TWO]}" ssl sslcertck sslcertfile "{self.south.certificate()}" '
            f'{" ".join(words)} mda "cat >> {out}"\n').encode())
        self.client(tool("fetchmail"), "-f", conf, "--idfile", os.path.join(self.work, "ids"), "--pidfile",
                    os.path.join(self.work, "pid"), "--invisible", "--nosyslog", "-v", ok=(0, 1))
        return open(out, "rb").read() if os.path.exists(out) else b""

    def test_fetchmail_keeps_then_deletes(self):
        self.assertEqual(letters.expected(), letters.opened(self.fetchmail("keep")))
        self.assertEqual(b"", self.fetchmail("keep"), "the next fetch takes only what is new")
        self.assertEqual(1, self.count(self.south, TWO))
        self.assertEqual(letters.expected(), letters.opened(self.fetchmail("fetchall", "nokeep")))
        self.assertEqual(0, self.count(self.south, TWO))

    def test_poplib_stls_and_whole_rfc1939(self):
        c = pop3(self.south, TWO)
        self.assertIn("UIDL", c.capa())
        count, size = c.stat()
        self.assertEqual((1, size), (count, int(c.list(1).split()[2])))
        lines = c.retr(1)[1]
        self.assertEqual(size, sum(len(l) + 2 for l in lines))
        self.assert_same(b"\r\n".join(lines) + b"\r\n")
        top = c.top(1, 3)[1]
        self.assertEqual(3, len(top) - top.index(b"") - 1)
        uid = c.uidl(1).split()[2]
        c.dele(1)
        with self.assertRaises(poplib.error_proto):
            c.retr(1)
        c.rset()
        self.assertEqual(1, c.stat()[0])
        c.dele(1)
        c.close()  # no QUIT: nothing is deleted (RFC 1939 section 6)
        wait_until(lambda: self.unlocked(), 20)
        c = pop3(self.south, TWO)
        self.assertEqual(uid, c.uidl(1).split()[2])
        c.dele(1)
        c.quit()
        self.assertEqual(0, self.count(self.south, TWO))

    def unlocked(self):
        try:
            pop3(self.south, TWO).quit()
            return True
        except poplib.error_proto:
            return False

    def test_a_second_session_is_told_in_use(self):
        c = pop3(self.south, TWO)
        with self.assertRaisesRegex(poplib.error_proto, "IN-USE"):
            pop3(self.south, TWO)
        c.quit()
        pop3(self.south, TWO).quit()


class Queue(TwoPosts):
    """What waits can be seen, held, released, recalled; a dead peer loses nothing."""

    def setUp(self):
        if not self.south.is_running():
            self.south.start()
        super().setUp()

    def recall(self, queue_id):
        return {r["address"]: r["result"] for r in
                json.loads(self.north.run("queue", "recall", queue_id, "--json").stdout)["recipients"]}

    def test_it_waits_for_a_peer_that_is_away(self):
        self.south.stop()
        content = letters.letter(ONE, TWO)
        self.submit(content)
        row, = wait_until(lambda: [q for q in self.north.queue() if q["state"] == "deferred"], 30)
        self.assertEqual((ONE, letters.SUBJECT, TWO), (row["sender"], row["subject"], row["recipients"][0]["address"]))
        self.assertTrue(row["recipients"][0]["lastReply"])
        self.north.stop()
        self.north.start()
        self.assertEqual([row["id"]], [q["id"] for q in self.north.queue()])
        self.south.start()
        self.north.run("queue", "retry", "--all")
        self.assertTrue(self.arrived()[0].endswith(content))
        self.north.wait_queue_empty()

    def test_recall_of_a_waiting_mail(self):
        self.south.stop()
        self.submit(letters.letter(ONE, TWO))
        row, = wait_until(lambda: self.north.queue(), 30)
        wait_until(lambda: [q for q in self.north.queue() if q["state"] == "deferred"], 30)
        self.assertEqual({TWO: "withdrawn"}, self.recall(row["id"]))
        self.assertEqual([], self.north.queue())
        self.assertEqual({TWO: "withdrawn"}, self.recall(row["id"]), "the answer stays true")
        self.south.start()
        self.submit(letters.letter(ONE, TWO, subject="later", files=[]))
        self.assertEqual("later", letters.opened(self.arrived()[0])[0])

    def test_hold_and_release(self):
        """FUTURERELEASE (RFC 4865): held until a person says go."""
        self.submit(letters.letter(ONE, TWO), options=["HOLDFOR=3600"])
        row, = self.north.queue()
        self.assertEqual("held", row["state"])
        self.north.run("queue", "release", row["id"])
        self.arrived()

    def test_recall_of_a_held_mail(self):
        self.submit(letters.letter(ONE, TWO), [TWO, ONE], options=["HOLDFOR=3600"])
        row, = self.north.queue()
        self.assertEqual({TWO: "withdrawn", ONE: "withdrawn"}, self.recall(row["id"]))
        self.assertEqual([], self.north.queue())

    def test_recall_of_a_delivered_mail(self):
        """Removed while neither seen nor fetched; too late afterwards, and at another server."""
        for fetch, want in ((False, "removed"), (True, "tooLate")):
            self.submit(letters.letter(ONE, ONE, subject=f"fetch {fetch}", files=[]), [ONE])
            wait_until(lambda: self.count(self.north, ONE) == 1, 30)
            if fetch:
                mailbox(self.north, ONE)
            text = self.last_id
            self.assertEqual({ONE: want}, self.recall(text))
            self.assertEqual(1 if fetch else 0, self.count(self.north, ONE))

    def submit(self, *words, **more):
        reply = super().submit(*words, **more)
        found = re.search(r"\b([0-9a-hjkmnp-tv-z]{13})\b", reply)
        self.assertTrue(found, f"the reply names no queue id: {reply}")
        self.last_id = found.group(1)
        return reply

    def test_recall_after_another_server_took_it(self):
        self.submit(letters.letter(ONE, TWO, files=[]))
        self.arrived()
        self.north.wait_queue_empty()
        self.assertEqual({TWO: "tooLate"}, self.recall(self.last_id))

    def test_trace_names_the_stops(self):
        self.submit(letters.letter(ONE, TWO, files=[]))
        self.arrived()
        self.north.wait_queue_empty()

        def told():
            text = self.north.run("trace", self.last_id).stdout
            return text if "deliver_remote" in text or "deliver.remote" in text else None

        text = wait_until(told, 10)
        for stop in ("intake", "commit", "schedule", "route", "remote"):
            self.assertIn(stop, text)

    def test_check_finds_both_sound(self):
        self.submit(letters.letter(ONE, TWO))
        self.arrived()
        for post in (self.north, self.south):
            post.run("check")
            post.stop()
            post.run("check")
            post.start()


class ByMx(TwoPosts):
    """Next hops by MX of a real name server, south.test on the standard ports of 127.0.0.2."""

    by_mx = True

    def test_the_second_mx_when_the_first_is_dead(self):
        content = letters.letter(ONE, TWO)
        self.submit(content)
        self.assertTrue(self.arrived()[0].endswith(content))

    def test_received_has_the_name_of_the_address(self):
        """RFC 5321 4.4: the name by DNS, which leads back to the address."""
        self.submit(letters.letter(ONE, TWO, files=[]))
        got, = self.arrived()
        self.assertRegex(got, rb"(?m)^Received: from mail\.north\.test \(mail\.north\.test \[127\.0\.0\.1\]\)\r$")
        self.assertRegex(got, rb"(?m)^Received: from laptop\.test \(\[127\.0\.0\.1\]\)\r$")  # who logged in is known

    def test_null_mx_comes_back_at_once(self):
        """RFC 7505: the domain takes no mail."""
        self.assert_comes_back("x@null.test", rb"5\.1\.10|5\.1\.2|5\.7\.27")

    def test_no_such_domain_comes_back_at_once(self):
        self.assert_comes_back("x@nowhere.south.test", rb"5\.1\.2|5\.4\.4|5\.1\.10")

    def test_without_mx_the_address_is_asked(self):
        """Implicit MX (RFC 5321 5.1): 127.0.0.2 is asked for implicit.test, and does not know it."""
        self.assert_comes_back("x@implicit.test", rb"5\.7\.1|5\.1\.\d")

    def assert_comes_back(self, address, status):
        try:
            self.submit(letters.letter(ONE, address, files=[]), [address])
        except smtplib.SMTPResponseException as e:  # refused at once is as good
            self.assertRegex(e.smtp_error, status)
            return
        report, = self.arrived(1, self.north, ONE)
        self.assertRegex(report, rb"(?im)^Status: (?:%s)" % status)


if __name__ == "__main__":
    unittest.main()
