"""
The crash test: ten senders submit mail at north.test for accounts of both posts, and retry what was
not answered 250 with the same bytes; meanwhile processes are killed with SIGKILL at random moments
and started again.  After each round:
  1. `yizhan check` found both stores sound right after the kill;
  2. every mail answered 250 is in its mailboxes, byte for byte, none twice (rule S27);
  3. a recall that answered withdrawn or removed left no mail, one that answered tooLate left it;
  4. no sanitizer and no assertion has spoken.
./dev torture ROUNDS runs it by itself; tests/crash_test.py runs 20 rounds.
"""
import argparse
import hashlib
import json
import os
import random
import re
import smtplib
import sys
import threading
import time

from posts import Post, pop3, wait_until

SENDERS = 10
LOCAL, REMOTE = "one@north.test", "two@south.test"
CONFIG = "[queue]\nretry = 1s\n[log]\nlevel = warning\n"
SIZES = (200, 1000, 4096, 4096, 20000, 300_000, 1_200_000)
QUEUE_ID = re.compile(r"\b([0-9a-hjkmnp-tv-z]{13})\b")


class Mail:
    """One mail and what was promised about it."""

    def __init__(self, token, size, recipients, held):
        self.token, self.recipients, self.held = token, recipients, held
        lines, seed = [], hashlib.sha256(token.encode()).hexdigest()
        while sum(map(len, lines)) < size:
            lines.append((seed + f"{len(lines):06d}\r\n") * max(1, min(50, size // 80)))
        self.bytes = (f"From: <s0@north.test>\r\nTo: {', '.join(recipients)}\r\nSubject: crash {token}\r\n"
                      f"Message-ID: <{token}@crash.test>\r\nDate: Mon, 23 Nov 2026 20:00:00 +0000\r\n\r\n"
                      + "".join(lines) + ".a line with a dot\r\n").encode()
        self.accepted = False
        self.queue_id = None  # known when the first 250 was heard
        self.wants_recall = held or (len(recipients) == 1 and random.random() < 0.15)
        self.recall = None  # {address: (result, reason)}
        self.found = {r: 0 for r in recipients}


class Sender(threading.Thread):
    """Sends mail after mail while told to, then only what is still unanswered."""

    def __init__(self, test, number):
        super().__init__(daemon=True)
        self.test, self.number, self.client = test, number, None

    def connect(self):
        post = self.test.north
        self.client = smtplib.SMTP("127.0.0.1", post.port(587), local_hostname="crash.test", timeout=30)
        self.client.ehlo()
        self.client.login("s0@north.test", post.passwords["s0@north.test"])

    def try_once(self, mail):
        if not self.client:
            self.connect()
        options = " HOLDFOR=86400" if mail.held else ""
        for command in [f"MAIL FROM:<s0@north.test>{options}"] + [f"RCPT TO:<{r}>" for r in mail.recipients]:
            code, text = self.client.docmd(command)
            if code != 250:
                raise smtplib.SMTPResponseException(code, text)
        code, text = self.client.data(mail.bytes)
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)
        return text.decode()

    def send(self, mail):
        """Until 250, with the same bytes."""
        tries = 0
        while True:
            tries += 1
            try:
                text = self.try_once(mail)
            except (OSError, smtplib.SMTPException) as e:
                code = getattr(e, "smtp_code", 0)
                if 500 <= code < 600:
                    self.test.fail(f"{mail.token} was refused: {e}")
                    return
                self.drop()
                if self.test.over.wait(0.05):
                    return
                continue
            found = QUEUE_ID.search(text)
            if tries == 1 and found:
                mail.queue_id = found.group(1)
            mail.accepted = True
            return

    def drop(self):
        if self.client:
            self.client.close()
        self.client = None

    def run(self):
        try:
            while self.test.sending.is_set() and not self.test.over.is_set():
                mail = self.test.new_mail(self.number)
                self.send(mail)
                if mail.queue_id and mail.wants_recall and not self.test.over.is_set():
                    self.recall(mail)
        except Exception as e:
            self.test.fail(f"sender {self.number}: {e!r}")
        self.drop()

    def recall(self, mail):
        """Asks until there is an answer: only an answer is a promise."""
        while not self.test.over.is_set():
            with self.test.at_rest:  # on a stopped post the command would open the store itself
                self.test.at_rest.wait_for(lambda: not self.test.restarting)
                self.test.recalling += 1
            try:
                done = self.test.north.run("queue", "recall", mail.queue_id, "--json", check=False)
            finally:
                with self.test.at_rest:
                    self.test.recalling -= 1
                    self.test.at_rest.notify_all()
            if done.returncode == 0 and done.stdout.strip():
                answer = json.loads(done.stdout)
                mail.recall = {r["address"]: (r["result"], r.get("reason", "")) for r in answer["recipients"]}
                return
            if not self.test.restarting:
                self.test.recall_trouble = done.stderr.strip()
            time.sleep(0.1)


class CrashTest:
    def __init__(self, seed=None, out=print):
        self.seed = seed if seed is not None else random.randrange(1 << 30)
        self.random = random.Random(self.seed)
        self.out = out
        self.north, self.south = Post("north.test", CONFIG), Post("south.test", CONFIG)
        self.posts = (self.north, self.south)
        self.north.user("s0@north.test")
        self.north.user(LOCAL)
        self.south.user(REMOTE)
        self.north.route("south.test", self.south)
        self.mails, self.lock, self.failures = {}, threading.Lock(), []
        self.sending, self.over = threading.Event(), threading.Event()
        self.restarting, self.recalling, self.at_rest = False, 0, threading.Condition()
        self.round, self.recall_trouble = 0, ""
        self.totals = {"mails": 0, "kills": 0, "recalls": 0}
        for post in self.posts:
            post.start()

    def close(self):
        self.over.set()
        for post in self.posts:
            post.close()

    def fail(self, text):
        with self.lock:
            self.failures.append(f"round {self.round} (seed {self.seed}): {text}")

    def new_mail(self, sender):
        with self.lock:
            token = f"r{self.round}s{sender}n{len(self.mails)}x{self.random.randrange(1 << 40):x}"
            held = self.random.random() < 0.05
            recipients = [REMOTE] if held else self.random.choice([[LOCAL], [REMOTE], [REMOTE], [LOCAL, REMOTE]])
            mail = self.mails[token] = Mail(token, self.random.choice(SIZES), recipients, held)
            self.totals["mails"] += 1
            return mail

    # Killing.

    def kill_all(self):
        with self.at_rest:
            self.restarting = True
        for post in self.posts:
            post.kill()
        self.totals["kills"] += 1
        with self.at_rest:  # commands that were under way
            self.at_rest.wait_for(lambda: self.recalling == 0)
        for post in self.posts:
            done = post.run("check", check=False, seconds=300)
            if done.returncode != 0:
                self.fail(f"{post.domain} is not sound after kill -9: {done.stdout.strip()} {done.stderr.strip()}")

    def start_all(self):
        for post in self.posts:
            post.start(wait=False)
        if self.random.random() < 0.25:  # a crash while starting
            time.sleep(self.random.random() * 0.3)
            self.kill_all()
            for post in self.posts:
                post.start(wait=False)
        for post in self.posts:
            post.wait_ready()
        with self.at_rest:
            self.restarting = False
            self.at_rest.notify_all()

    # Verifying.

    def collect(self, post, address):
        """Takes all mail out of a mailbox and counts it against what was sent."""
        client = pop3(post, address, tls=False)
        for number in range(1, client.stat()[0] + 1):
            content = b"\r\n".join(client.retr(number)[1]) + b"\r\n"
            found = re.search(rb"^Message-ID: <([\w.]+)@crash\.test>", content, re.M | re.I)
            mail = self.mails.get(found.group(1).decode()) if found else None
            if not mail:
                self.fail(f"{address} has a mail nobody sent: {content[:300]!r}")
            elif address not in mail.found:
                self.fail(f"{address} has {mail.token}, which was not for it")
            else:
                mail.found[address] += 1
                if not content.endswith(mail.bytes):
                    self.fail(f"{mail.token} arrived changed at {address}")
            client.dele(number)
        client.quit()

    def verify(self):
        wait_until(lambda: all(q["state"] == "held" for post in self.posts for q in post.queue()), 120,
                   "the queues to empty", 0.2)
        self.collect(self.north, LOCAL)
        self.collect(self.south, REMOTE)
        for mail in self.mails.values():
            for address, count in mail.found.items():
                self.judge(mail, address, count)
        for post in self.posts:
            for line in post.faults():
                self.fail(f"{post.domain} said: {line}")

    def judge(self, mail, address, count):
        result, reason = (mail.recall or {}).get(address, (None, ""))
        if count > 1:
            self.fail(f"{mail.token} is {count} times in the mailbox of {address}")
        elif result in ("withdrawn", "removed"):
            if count:
                self.fail(f"{mail.token} was answered {result}, and is there")
        elif result == "tooLate":
            if not count and "may have left" not in reason:
                self.fail(f"{mail.token} was answered tooLate ({reason}), and is not there")
        elif mail.accepted and not count and not mail.held:
            self.fail(f"{mail.token} was answered 250 and is not in the mailbox of {address}")
        elif mail.held and count:
            self.fail(f"{mail.token} is held, and has arrived")

    def run_round(self):
        self.round += 1
        self.sending.set()
        senders = [Sender(self, n) for n in range(SENDERS)]
        for s in senders:
            s.start()
        time.sleep(0.1 + self.random.random() * 1.2)
        self.kill_all()
        self.start_all()
        time.sleep(self.random.random() * 0.3)
        self.sending.clear()
        for s in senders:
            s.join(180)
            if s.is_alive():
                self.fail(f"sender {s.number} never got its 250 {self.recall_trouble}")
                self.over.set()
        self.totals["recalls"] += sum(1 for m in self.mails.values() if m.recall and f"r{self.round}s" in m.token)
        if not self.failures:
            self.verify()
        if not self.failures:  # bytes of old rounds are no longer needed, their counts are
            for mail in self.mails.values():
                mail.bytes = b""
        return not self.failures

    def run(self, rounds):
        begin = time.monotonic()
        for n in range(1, rounds + 1):
            good = self.run_round()
            if n % 10 == 0 or n == rounds or not good:
                t = self.totals
                self.out(f"{n} rounds, {t['kills']} kills, {t['mails']} mails, {t['recalls']} recalls, "
                         f"{len(self.failures)} failures, {time.monotonic() - begin:.0f} s", flush=True)
            if not good:
                break
        return not self.failures


def torture(make):
    """The command line of a crash test: make(seed) makes it."""
    options = argparse.ArgumentParser(prog="./dev torture")
    options.add_argument("--rounds", type=int, default=1000)
    options.add_argument("--seed", type=int)
    options = options.parse_args()
    test = make(options.seed)
    print(f"seed {test.seed}, stores in {', '.join(p.dir for p in test.posts)}", flush=True)
    try:
        good = test.run(options.rounds)
        for f in test.failures[:20]:
            print(f)
        if not good:
            os.environ["KEEP"] = "1"
        return 0 if good else 1
    finally:
        test.close()


if __name__ == "__main__":
    sys.exit(torture(CrashTest))
