"""
IMAP with clients others wrote, over TLS, each with an account of its own.  What a client shows, keeps or changes is
compared with what the server then says to Python's imaplib.
"""
import base64
import email
import imaplib
import json
import os
import pty
import re
import select
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
import unittest

from posts import Post, wait_until

imaplib._MAXLINE = 10 << 20
CHINESE, ENCODED = "项目", "&mHl27g-"
BUILD = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build", "imapflow")


def utf7(name):
    """A mailbox name as IMAP4rev1 spells it."""
    def shifted(match):
        text = base64.b64encode(match.group().encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
        return "&" + text + "-"
    return re.sub(r"[^\x20-\x7e]+", shifted, name.replace("&", "&-"))


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.post = Post("north.test")
        cls.addClassCleanup(cls.post.close)
        cls.users = 0
        cls.post.start()

    def setUp(self):
        type(self).users += 1
        self.user = f"user{type(self).users}@north.test"
        self.password = self.post.user(self.user)
        self.work = tempfile.mkdtemp(prefix="yizhan-imap-")
        self.addCleanup(shutil.rmtree, self.work, True)

    def tearDown(self):
        self.assertEqual([], self.post.faults())

    # The server's truth.

    def imap(self):
        client = imaplib.IMAP4_SSL("localhost", self.post.port(993), ssl_context=self.post.tls(), timeout=60)
        client.login(self.user, self.password)
        self.addCleanup(self.leave, client)
        return client

    @staticmethod
    def leave(client):
        try:
            client.logout()
        except (OSError, imaplib.IMAP4.error):
            pass

    def ok(self, answer):
        self.assertEqual("OK", answer[0], answer)
        return answer[1]

    def there(self, mailbox="INBOX"):
        """{subject: flags} of a mailbox on the server."""
        client = self.imap()
        count = int(self.ok(client.select(utf7(mailbox), readonly=True))[0])
        found, items = {}, "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"
        for part in self.ok(client.fetch("1:*", items)) if count else ():
            if isinstance(part, tuple):
                subject = email.message_from_bytes(part[1])["Subject"]
                found[subject] = {f.decode() for f in imaplib.ParseFlags(part[0])} - {"\\Recent"}
        self.leave(client)
        return found

    def folders(self):
        client = self.imap()
        names = {re.search(r'(?:"([^"]*)"|(\S+))$', line.decode()).group(1, 2) for line in self.ok(client.list())}
        self.leave(client)
        return {a or b for a, b in names}

    def deliver(self, *subjects, body="some text\r\n"):
        with smtplib.SMTP("127.0.0.1", self.post.port(25), timeout=60) as client:
            for subject in subjects:
                client.sendmail("x@example.test", self.user,
                                f"From: x@example.test\r\nTo: {self.user}\r\nSubject: {subject}\r\n"
                                f"Message-ID: <{subject}.{time.monotonic_ns()}@example.test>\r\n\r\n{body}")
        wait_until(lambda: set(subjects) <= set(self.there()), 60, "the mails to arrive", 0.1)

    def file(self, name, content):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(content)
        os.chmod(path, 0o600)
        return path

    def run_client(self, *words, ok=(0,), seconds=120, text=None):
        """Runs a foreign program; its output is in the failure.  A missing one fails, too."""
        self.assertTrue(shutil.which(words[0]), f"{words[0]} is not installed: ./dev test does that")
        done = subprocess.run(words, capture_output=True, timeout=seconds, input=text,
                              env=dict(os.environ, HOME=self.work, LC_ALL="C.UTF-8"), cwd=self.work)
        self.assertIn(done.returncode, ok, f"{words}\n{done.stdout.decode(errors='replace')[-3000:]}"
                                           f"\n{done.stderr.decode(errors='replace')[-3000:]}")
        return done.stdout.decode(errors="replace")


class Maildir:
    """One Maildir on this side."""

    def __init__(self, path):
        self.path = path

    def make(self):
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self.path, part), exist_ok=True)
        return self

    def files(self):
        return [os.path.join(self.path, part, name) for part in ("cur", "new")
                for name in os.listdir(os.path.join(self.path, part))]

    def add(self, subject, flags=""):
        name = f"{time.time_ns()}.1.laptop:2,{flags}"
        with open(os.path.join(self.path, "cur", name), "w") as f:
            f.write(f"From: me@laptop.test\nSubject: {subject}\nDate: Mon, 23 Nov 2026 20:00:00 +0000\n"
                    f"Message-ID: <{subject}.{time.monotonic_ns()}@laptop.test>\n\nwritten on the laptop\n")

    def mails(self):
        """{subject: (path, letters of the flags)}"""
        found = {}
        for path in self.files():
            with open(path, "rb") as f:
                subject = email.message_from_bytes(f.read())["Subject"]
            found[subject] = (path, path.partition(":2,")[2])
        return found

    def flag(self, subject, letters):
        path, _ = self.mails()[subject]
        base = os.path.basename(path).partition(":2,")[0]
        os.rename(path, os.path.join(self.path, "cur", f"{base}:2,{letters}"))

    def remove(self, subject):
        os.unlink(self.mails()[subject][0])


class TwoWay(Clients):
    """Programs that keep a copy of every folder here and there the same."""

    def two_way(self, sync, inbox, folder):
        """sync() runs the client; inbox and folder(name) are Maildirs on this side."""
        self.deliver("one", "two", "three")
        sync()
        self.assertEqual({"one", "two", "three"}, set(inbox.mails()))
        # From here to there: a flag, a removal, a new folder with a Chinese name and a mail in it.
        inbox.flag("one", "FS")
        inbox.remove("two")
        folder(ENCODED).make().add("from the laptop", "S")
        sync()
        self.assertEqual({"one": {"\\Flagged", "\\Seen"}, "three": set()}, self.there())
        self.assertIn(ENCODED, self.folders())
        self.assertEqual({"from the laptop": {"\\Seen"}}, self.there(CHINESE))
        # From there to here.
        client = self.imap()
        self.ok(client.select("INBOX"))
        self.ok(client.store("2", "+FLAGS", "(\\Answered \\Seen)"))
        self.ok(client.store("1", "+FLAGS", "(\\Deleted)"))
        self.ok(client.expunge())
        self.ok(client.create(utf7("已发送/二")))
        self.ok(client.append(utf7("已发送/二"), "(\\Flagged)", None, b"Subject: from the server\r\n\r\nx\r\n"))
        self.leave(client)
        sync()
        self.assertEqual({"three": "RS"}, {s: f for s, (_, f) in inbox.mails().items()})
        names = [name for name in (f"{utf7('已发送')}/{utf7('二')}", f"{utf7('已发送')}.{utf7('二')}")
                 if os.path.isdir(folder(name).path)]
        self.assertEqual({"from the server"}, set(folder(names[0]).mails()))
        # Nothing changes any more.
        before = (self.there(), self.there(CHINESE), sorted(inbox.files()))
        sync()
        self.assertEqual(before, (self.there(), self.there(CHINESE), sorted(inbox.files())))

    def test_mbsync(self):
        mail = os.path.join(self.work, "mail")
        os.mkdir(mail)
        config = self.file("mbsyncrc", f"""
IMAPAccount post
Host localhost
Port {self.post.port(993)}
User {self.user}
Pass {self.password}
SSLType IMAPS
CertificateFile {self.post.certificate()}

IMAPStore far
Account post

MaildirStore near
Path {mail}/
Inbox {mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")
        self.two_way(lambda: self.run_client("mbsync", "-c", config, "all"), Maildir(os.path.join(mail, "INBOX")),
                     lambda name: Maildir(os.path.join(mail, name)))

    def test_offlineimap(self):
        mail = os.path.join(self.work, "mail")
        config = self.file("offlineimaprc", f"""
[general]
accounts = post
metadata = {self.work}/metadata
ui = basic
[Account post]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {mail}
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {self.post.port(993)}
remoteuser = {self.user}
remotepass = {self.password}
ssl = yes
sslcacertfile = {self.post.certificate()}
auth_mechanisms = PLAIN
""")

        def sync():
            time.sleep(1.1)  # it tells changes of flags by seconds
            self.run_client("offlineimap", "-c", config, "-o")
        self.two_way(sync, Maildir(os.path.join(mail, "INBOX")), lambda name: Maildir(os.path.join(mail, name)))


class Readers(Clients):
    def in_terminal(self, *words, seconds=60):
        """Runs a program in a pseudo-terminal until it ends; what it printed."""
        self.assertTrue(shutil.which(words[0]), f"{words[0]} is not installed: ./dev test does that")
        pid, fd = pty.fork()
        if pid == 0:
            os.environ.update(HOME=self.work, TERM="xterm", LC_ALL="C.UTF-8")
            os.execvp(words[0], words)
        out, end = b"", time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                if not select.select([fd], [], [], 1)[0]:
                    continue
                try:
                    piece = os.read(fd, 65536)
                except OSError:
                    break
                if not piece:
                    break
                out += piece
            else:
                self.fail(f"{words[0]} does not end:\n{out[-2000:]!r}")
        finally:
            os.close(fd)
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
            _, status = os.waitpid(pid, 0)
        self.assertTrue(os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, out[-2000:])
        return out.decode(errors="replace")

    def muttrc(self, *commands):
        name, at = self.user.replace("@", "%40"), f"localhost:{self.post.port(993)}"
        return self.file("muttrc", "\n".join([
            f"set imap_user='{self.user}' imap_pass='{self.password}'",
            f"set ssl_ca_certificates_file='{self.post.certificate()}'",
            f"set certificate_file='{self.post.certificate()}' ssl_starttls=no ssl_force_tls=yes",
            f"set folder='imaps://{name}@{at}' spoolfile='imaps://{name}@{at}/INBOX'",
            "set delete=yes quit=yes move=no confirmappend=no sleep_time=0 header_cache='' record='' beep=no",
            *commands]) + "\n")

    def test_mutt_deletes_and_syncs(self):
        self.deliver("keep this", "gone", "flag this", "gone too")
        rc = self.muttrc("push '<delete-pattern>~s gone<enter><sync-mailbox><search>flag this<enter>"
                         "<flag-message><search>keep<enter><set-flag>O<sync-mailbox><quit>'")
        self.in_terminal("mutt", "-n", "-F", rc)
        self.assertEqual({"keep this", "flag this"}, set(self.there()))
        self.assertIn("\\Flagged", self.there()["flag this"])

    def test_mutt_saves_to_a_chinese_folder(self):
        self.deliver("for the project", "stays")
        self.ok(self.imap().create(ENCODED))
        rc = self.muttrc(f"push '<search>for the<enter><save-message>={CHINESE}<enter><sync-mailbox><quit>'")
        self.in_terminal("mutt", "-n", "-F", rc)
        self.assertEqual({"stays"}, set(self.there()))
        self.assertEqual({"for the project"}, set(self.there(CHINESE)))

    def test_fetchmail(self):
        self.deliver("first", "second", body="From here\r\n.\r\nlast line\r\n")
        out = os.path.join(self.work, "out")
        rc = self.file("fetchmailrc", f"""
poll localhost protocol imap port {self.post.port(993)} user "{self.user}" password "{self.password}"
  ssl sslcertck sslcertfile "{self.post.certificate()}" mda "cat >> {out}" fetchall nokeep
""")
        self.run_client("fetchmail", "-f", rc, "--nodetach", "--nosyslog", "--pidfile", os.path.join(self.work, "pid"))
        with open(out) as f:
            got = f.read()
        self.assertEqual(2, got.count("last line"), got)
        self.assertEqual({}, self.there())
        self.run_client("fetchmail", "-f", rc, "--nodetach", "--nosyslog", "--pidfile",
                        os.path.join(self.work, "pid"), ok=(1,))  # 1: no mail

    def test_imapfilter_moves(self):
        self.deliver("report 1", "lunch", "report 2")
        self.ok(self.imap().create(ENCODED))
        config = self.file("config.lua", f"""
options.timeout = 60
options.certificates = true
account = IMAP {{ server = 'localhost', port = {self.post.port(993)}, username = '{self.user}',
                 password = '{self.password}', ssl = 'auto' }}
reports = account.INBOX:contain_subject('report')
reports:mark_seen()
reports:move_messages(account['{CHINESE}'])
lunch = account.INBOX:contain_subject('lunch') * account.INBOX:is_unseen()
lunch:mark_flagged()
""")
        self.run_client("imapfilter", "-c", config, "-t", self.post.certificate())
        self.assertEqual({"lunch": {"\\Flagged"}}, self.there())
        self.assertEqual({"report 1": {"\\Seen"}, "report 2": {"\\Seen"}}, self.there(CHINESE))

    def curl(self, path, *words, **options):
        return self.run_client("curl", "-sS", "--fail", "--cacert", self.post.certificate(), "--user",
                               f"{self.user}:{self.password}", f"imaps://localhost:{self.post.port(993)}/{path}",
                               *words, **options)

    def test_curl(self):
        self.deliver("hello curl")
        self.assertIn('"/" ', self.curl(""))
        self.assertRegex(self.curl("INBOX?SUBJECT%20hello"), r"\* SEARCH 1\b")
        self.assertIn("some text", self.curl("INBOX;MAILINDEX=1"))
        self.assertRegex(self.curl("INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)"), "hello curl")
        self.curl("", "-X", "CREATE filed")
        mail = self.file("mail", "Subject: put by curl\r\n\r\nx\r\n")
        self.curl("filed", "-T", mail)
        self.assertEqual({"put by curl"}, set(self.there("filed")))
        self.curl("INBOX", "-X", "STORE 1 +Flags \\Deleted")
        self.curl("INBOX", "-X", "EXPUNGE")
        self.assertEqual({}, self.there())

    def test_starttls_and_scram_by_curl(self):
        self.deliver("x")
        out = self.run_client("curl", "-sS", "--ssl-reqd", "--cacert", self.post.certificate(), "--user",
                              f"{self.user}:{self.password}", "--login-options", "AUTH=PLAIN",
                              f"imap://localhost:{self.post.port(143)}/INBOX;MAILINDEX=1")
        self.assertIn("some text", out)

    def test_imaplib(self):
        client = self.imap()
        self.assertIn("IMAP4REV1", client.capabilities)
        self.ok(client.create("a/b"))
        self.ok(client.create(ENCODED))
        self.ok(client.rename("a/b", "a/c"))
        self.ok(client.subscribe("a/c"))
        self.assertIn(b"a/c", b"".join(self.ok(client.lsub())))
        mail = b"Subject: =?utf-8?B?6am/56uZ?=\r\nX: " + b"y" * 100 + b"\r\n\r\nbody\r\n"
        self.ok(client.append("a/c", "(\\Seen $Work)", '"17-Jul-2025 02:44:25 -0700"', mail))
        self.ok(client.append("a/c", None, None, mail))
        self.assertEqual([b"2"], self.ok(client.select("a/c")))
        self.assertEqual(mail, self.ok(client.fetch("1", "(BODY.PEEK[])"))[0][1])
        self.assertIn(b'"17-Jul-2025', self.ok(client.fetch("1", "(INTERNALDATE)"))[0])
        self.assertEqual([b"1"], self.ok(client.search(None, "KEYWORD", "$Work")))
        client.literal = "驿站".encode()
        self.assertEqual([b"1 2"], self.ok(client.search("UTF-8", "SUBJECT")))
        self.ok(client.uid("STORE", "1", "-FLAGS", "(\\Seen)"))
        self.assertEqual([b"1 2"], self.ok(client.uid("SEARCH", "UNSEEN")))
        self.ok(client.copy("1", ENCODED))
        self.ok(client.uid("MOVE", "2", ENCODED))
        self.assertEqual([b"1"], self.ok(client.search(None, "ALL")))
        self.assertRegex(self.ok(client.status(ENCODED, "(MESSAGES UIDNEXT UNSEEN)"))[0].decode(),
                         r"\(MESSAGES 2 UIDNEXT 3 UNSEEN 2\)")
        self.ok(client.store("1", "+FLAGS", "\\Deleted"))
        self.assertEqual(b"1", self.ok(client.expunge())[-1])
        self.ok(client.close())
        self.ok(client.delete("a/c"))
        self.assertEqual("NO", client.select("a/c")[0])
        self.assertEqual("NO", client.delete("INBOX")[0])
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            imaplib.IMAP4_SSL("localhost", self.post.port(993), ssl_context=self.post.tls()).login(self.user, "wrong")

    def test_imapflow(self):
        self.assertTrue(os.path.isdir(os.path.join(BUILD, "node_modules", "imapflow")),
                        "imapflow is not installed: ./dev test does that")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "imapflow", "check.js")
        process = subprocess.Popen(["node", script, str(self.post.port(993)), self.user, self.password,
                                    self.post.certificate()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=dict(os.environ, NODE_PATH=os.path.join(BUILD, "node_modules")))
        try:
            line = process.stderr.readline()
            self.assertEqual("idling\n", line, line + (process.stderr.read() if line != "idling\n" else ""))
            self.deliver("pushed")
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        self.assertEqual(0, process.returncode, errors)
        seen = json.loads(out)
        self.assertIn(["Sent", "\\Sent"], seen["folders"])
        self.assertEqual(CHINESE, seen["created"])
        self.assertEqual(("驿站", True, 0, "text/plain"), (seen["subject"], seen["same"], seen["date"], seen["type"]))
        self.assertIn("\\Flagged", seen["flags"])
        self.assertEqual(([1], 0, 1), (seen["found"], seen["unseen"], seen["moved"]))
        self.assertEqual([seen["before"], seen["before"] + 1], seen["exists"])
        self.assertEqual("pushed", seen["last"])


class Guessing(Clients):
    def test_wrong_passwords_cost_the_attacker_time(self):
        """Ten guesses cost ten full derivations, whoever guesses; meanwhile the owner, from the same address,
        logs in and reads, and none of his logins waits behind them."""
        self.deliver("mine")
        self.imap()  # the owner's password is known to be right from now on
        start, guesses = self.cpu(), 0
        attackers = []
        for _ in range(5):
            s = self.post.tls().wrap_socket(socket.create_connection(("127.0.0.1", self.post.port(993))),
                                            server_hostname="localhost")
            s.settimeout(120)
            f = s.makefile("rb")
            f.readline()
            for i in range(2):
                s.sendall(f'a{i} LOGIN {self.user} "guess {i}"\r\n'.encode())
            attackers.append((s, f))
        slowest = 0.0
        for _ in range(5):
            began = time.monotonic()
            self.assertEqual({"mine"}, set(self.there()))
            slowest = max(slowest, time.monotonic() - began)
        for s, f in attackers:
            for line in f:
                if re.match(rb"a\d NO \[AUTHENTICATIONFAILED\]", line):
                    guesses += 1
                if line.startswith(b"a1 "):
                    break
            s.close()
        self.assertEqual(10, guesses)
        self.assertGreater(self.cpu() - start, 0.1, "ten times 65,536 rounds of HMAC cost more than that")
        self.assertLess(slowest, 20, "the owner waits for the attacker")

    def cpu(self):
        """CPU seconds the post has used so far."""
        ticks = 0
        for pid in self.post.pids():
            with open(f"/proc/{pid}/stat") as f:
                ticks += sum(map(int, f.read().rpartition(")")[2].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
