"""
The crash test of IMAP: workers, each with an account of its own, APPEND, STORE, MOVE and EXPUNGE at random; the server
is killed with SIGKILL at a random moment and started again.  Then, for each worker:
  1. no answered command is undone, and of the one that was not answered all or nothing has happened;
  2. a message lies in exactly one mailbox, with the flags and the bytes it had;
  3. a UID means the message it always meant, UIDNEXT, HIGHESTMODSEQ and the modseq of a message never go back;
  4. `yizhan check` found the store sound, and no sanitizer and no assertion has spoken.
./dev torture ROUNDS runs it by itself; tests/crash_test.py runs some rounds.
"""
import random
import sys
import threading
import time

from crash import torture
from imap_wire import Lost, Wire, code, items, numbers, parse
from posts import Post

WORKERS = 6
BOXES = ("INBOX", "Red", "Blue")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "$Work")
SIZES = (0, 300, 300, 4000, 4000, 70_000, 300_000, 1_200_000)  # in memory, as a file, a segment of its own


class Worker(threading.Thread):
    """One client of one account.  truth: {subject: (box, uid, flags)}; maybe: what it is if the last command, which
    nobody answered, was carried out after all."""

    def __init__(self, test, address, truth, history, seed):
        super().__init__(daemon=True)
        self.test, self.address, self.truth, self.history = test, address, truth, history
        self.random, self.maybe, self.error, self.steps = random.Random(seed), None, None, 0

    def run(self):
        try:
            wire = self.test.connect(self.address)
            self.box = None
            while not self.test.over.is_set():
                self.step(wire)
                self.steps += 1
        except (Lost, OSError):
            pass  # killed
        except Exception as e:
            self.error = f"{self.address}: {e!r}"

    def ask(self, wire, command, after, want=("OK",)):
        """after: the truth once it is answered OK."""
        self.maybe = after
        said = []
        status, text = wire.ask(command, lambda d: said.append(d.decode("utf-8", "replace")))
        self.maybe = None
        assert status in want, f"{command[:200]}: {status} {text}"
        return " ".join(said + [text])

    def note(self, box, uid):
        """This UID was told: it is never given again."""
        known = self.history.setdefault(box, {"UIDNEXT": 0, "HIGHESTMODSEQ": 0, "uids": {}, "modseqs": {}})
        known["UIDNEXT"] = max(known["UIDNEXT"], uid + 1)

    def select(self, wire, box):
        if self.box != box:
            wire.ask(f"SELECT {box}")
            self.box = box

    def step(self, wire):
        r = self.random
        if len(self.truth) < 5 or r.random() < 0.35:
            return self.append(wire)
        box = r.choice([b for b, _, _ in self.truth.values()])
        mine = [s for s, v in self.truth.items() if v[0] == box]
        chosen = r.sample(mine, r.randint(1, min(len(mine), 8)))
        self.select(wire, box)
        uids = ",".join(str(self.truth[s][1]) for s in chosen)
        act = r.random()
        if act < 0.45:
            self.store(wire, uids, chosen)
        elif act < 0.85:
            self.move(wire, uids, chosen, r.choice([b for b in BOXES if b != box]))
        else:
            self.expunge(wire, uids, chosen)

    def append(self, wire):
        """One message, or several in one command: all or none (RFC 3502)."""
        box, parts, after, new = self.random.choice(BOXES), [], dict(self.truth), []
        for _ in range(self.random.choice([1, 1, 1, 5])):
            flags = frozenset(self.random.sample(FLAGS, self.random.randint(0, 2)))
            subject = f"s{self.random.randrange(1 << 60):x}"
            text = self.test.text(subject, self.random.choice(SIZES))
            parts.append(f" ({' '.join(flags)}) {{{len(text)}+}}\r\n{text}")
            after[subject] = (box, None, flags)
            new.append(subject)
        answer = self.ask(wire, f"APPEND {box}{''.join(parts)}", after)
        for subject, uid in zip(new, numbers(code(answer, "APPENDUID").split()[1]), strict=True):
            self.truth[subject] = (box, uid, after[subject][2])
            self.note(box, uid)

    def store(self, wire, uids, chosen):
        flag, add = self.random.choice(FLAGS), self.random.random() < 0.6
        after = dict(self.truth)
        for s in chosen:
            box, uid, flags = after[s]
            after[s] = (box, uid, flags | {flag} if add else flags - {flag})
        self.ask(wire, f"UID STORE {uids} {'+' if add else '-'}FLAGS.SILENT ({flag})", after)
        self.truth = after

    def move(self, wire, uids, chosen, to):
        after = {s: (to, None, v[2]) if s in chosen else v for s, v in self.truth.items()}
        answer = self.ask(wire, f"UID MOVE {uids} {to}", after)
        _, source, into = code(answer, "COPYUID").split()
        there = dict(zip(numbers(source), numbers(into)))
        for s in chosen:
            after[s] = (to, there[self.truth[s][1]], after[s][2])
            self.note(to, after[s][1])
        self.truth = after

    def expunge(self, wire, uids, chosen):
        marked = {s: (v[0], v[1], v[2] | {"\\Deleted"}) if s in chosen else v for s, v in self.truth.items()}
        self.ask(wire, f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)", marked)
        self.truth = marked
        after = {s: v for s, v in self.truth.items() if s not in chosen}
        self.ask(wire, f"UID EXPUNGE {uids}", after)
        self.truth = after


class ImapCrash:
    def __init__(self, seed=None, out=print):
        self.seed = random.randrange(1 << 30) if seed is None else seed
        self.random, self.out = random.Random(self.seed), out
        self.post = Post("north.test", "[log]\nlevel = warning\n")
        self.posts = [self.post]
        self.addresses = [f"w{i}@north.test" for i in range(WORKERS)]
        for address in self.addresses:
            self.post.user(address)
        self.truth = {a: {} for a in self.addresses}
        self.history = {a: {} for a in self.addresses}
        self.over, self.failures, self.round, self.steps = threading.Event(), [], 0, 0
        self.post.start()
        for address in self.addresses:
            wire = self.connect(address)
            for box in BOXES[1:]:
                assert wire.ask(f"CREATE {box}")[0] == "OK"
            wire.close()

    def close(self):
        self.post.close()

    def fail(self, text):
        self.failures.append(f"round {self.round} (seed {self.seed}): {text}")

    @staticmethod
    def text(subject, size):
        return f"Subject: {subject}\r\n\r\n" + f"{subject} rides on\r\n" * (size // 25)

    def connect(self, address):
        wire = Wire(self.post.port(143))
        status, text = wire.ask(f"LOGIN {address} {self.post.passwords[address]}")
        assert status == "OK", text
        return wire

    # After the kill.

    def read(self, address):
        """What the server has: {subject: (box, uid, flags)}, checked against all that was ever seen."""
        wire, found = self.connect(address), {}
        for box in BOXES:
            said, got = [], []
            wire.ask(f"SELECT {box} (CONDSTORE)", said.append)
            facts = {n: int(code(d.decode(), n)) for d in said for n in ("UIDNEXT", "HIGHESTMODSEQ") if code(d.decode(), n)}
            if any(d.split()[:2] == [b"0", b"EXISTS"] for d in said):
                self.check_history(address, box, facts, [])
                continue
            status, text = wire.ask("FETCH 1:* (UID FLAGS MODSEQ BODY.PEEK[])", got.append)
            assert status == "OK", text
            rows = [items(parse(d.split(b" ", 2)[2])[0]) for d in got if b" FETCH " in d[:20]]
            self.check_history(address, box, facts, rows)
            for row in rows:
                subject = row["BODY[]"].split()[1]
                lines = row["BODY[]"].count(" rides on")
                if row["BODY[]"] != self.text(subject, lines * 25):
                    self.fail(f"{address} {box} UID {row['UID']}: the bytes have changed")
                if subject in found:
                    self.fail(f"{address}: {subject} lies in {found[subject][0]} and in {box}")
                found[subject] = (box, int(row["UID"]), frozenset(row["FLAGS"]) - {"\\Recent"})
        wire.close()
        return found

    def check_history(self, address, box, facts, rows):
        known = self.history[address].setdefault(box, {"UIDNEXT": 0, "HIGHESTMODSEQ": 0, "uids": {}, "modseqs": {}})
        for name in ("UIDNEXT", "HIGHESTMODSEQ"):
            if facts.get(name, 0) < known[name]:
                self.fail(f"{address} {box}: {name} went back from {known[name]} to {facts.get(name)}")
            known[name] = facts.get(name, 0)
        for row in rows:
            uid, modseq, subject = int(row["UID"]), int(row["MODSEQ"][0]), row["BODY[]"].split()[1]
            if uid >= known["UIDNEXT"]:
                self.fail(f"{address} {box}: UID {uid} is not below UIDNEXT {known['UIDNEXT']}")
            if known["uids"].setdefault(uid, subject) != subject:
                self.fail(f"{address} {box}: UID {uid} was {known['uids'][uid]}, is {subject}")
            if modseq < known["modseqs"].get(uid, 0) or modseq > known["HIGHESTMODSEQ"]:
                self.fail(f"{address} {box}: the modseq of UID {uid} went from {known['modseqs'].get(uid)} to {modseq}")
            known["modseqs"][uid] = modseq

    @staticmethod
    def same(truth, found):
        """UIDs that nobody was told may be any."""
        return set(truth) == set(found) and all(
            truth[s][0] == found[s][0] and truth[s][1] in (None, found[s][1]) and truth[s][2] == found[s][2] for s in truth)

    def verify(self, worker):
        found = self.read(worker.address)
        if worker.error:
            self.fail(worker.error)
        if not self.same(worker.truth, found) and not (worker.maybe is not None and self.same(worker.maybe, found)):
            lost = {s: v for s, v in worker.truth.items() if found.get(s) != v}
            more = {s: v for s, v in found.items() if worker.truth.get(s) != v}
            self.fail(f"{worker.address}: of what was answered {lost} is now {more}; under way was "
                      f"{'nothing' if worker.maybe is None else 'one command'}")
        self.truth[worker.address] = found
        for s, (box, uid, _) in found.items():
            self.history[worker.address][box]["uids"][uid] = s

    def run_round(self):
        self.round += 1
        workers = [Worker(self, a, self.truth[a], self.history[a], self.random.randrange(1 << 30)) for a in self.addresses]
        for w in workers:
            w.start()
        time.sleep(0.1 + self.random.random() * 1.2)
        self.post.kill()
        for w in workers:
            w.join(60)
        done = self.post.run("check", check=False, seconds=300)
        if done.returncode != 0:
            self.fail(f"the store is not sound after kill -9: {done.stdout.strip()} {done.stderr.strip()}")
        self.post.start()
        for w in workers:
            self.verify(w)
            self.steps += w.steps
        for line in self.post.faults():
            self.fail(line)
        return not self.failures

    def run(self, rounds):
        begin = time.monotonic()
        for n in range(1, rounds + 1):
            good = self.run_round()
            if n % 10 == 0 or n == rounds or not good:
                self.out(f"imap: {n} rounds, {self.steps} commands, {len(self.failures)} failures, "
                         f"{time.monotonic() - begin:.0f} s", flush=True)
            if not good:
                break
        return not self.failures


if __name__ == "__main__":
    sys.exit(torture(ImapCrash))
