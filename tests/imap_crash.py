"""
The crash test of IMAP: workers, each with an account of its own, APPEND (large ones, several in one command), STORE,
MOVE, COPY and EXPUNGE messages and CREATE, RENAME, DELETE and SUBSCRIBE mailboxes at random; the server is killed with
SIGKILL at a random moment and started again.  Then, for each worker:
  1. no answered command is undone, and of the one that was not answered all or nothing has happened;
  2. a moved message lies in exactly one mailbox, a copied one in both, with the flags and the bytes it had;
  3. a UID means the message it always meant, UIDNEXT, HIGHESTMODSEQ and the modseq of a message never go back;
  4. a renamed mailbox keeps its UIDVALIDITY, a new one has a larger one than any before, whatever its name (rules I5,
     I16, I22);
  5. the quota in use is the sum of the sizes;
  6. `yizhan check` found the store sound, and no sanitizer and no assertion has spoken.
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
LEVELS = ("Red", "Blue", "Deep", "&XfJT0ZAB-")
DEFAULT = ("Archive", "Drafts", "Junk", "Recoverable", "Sent", "Trash")  # nobody touches them
MOST_BOXES = 9
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "$Work")
SIZES = (0, 300, 300, 4000, 4000, 70_000, 300_000, 1_200_000)  # in memory, as a file, a segment of its own


class State:
    """An account.  boxes: {name: {subject: (uid, flags)}}, uid None when it was not told; validity: {name: UIDVALIDITY},
    None when it was not told, then it is larger than above[name]."""

    def __init__(self, boxes, validity, above, subscribed):
        self.boxes, self.validity, self.above, self.subscribed = boxes, validity, above, subscribed

    def copy(self):
        return State({n: dict(b) for n, b in self.boxes.items()}, dict(self.validity), dict(self.above), set(self.subscribed))

    def differences(self, found):
        """What found, which knows everything, has otherwise."""
        told = []
        if set(self.boxes) != set(found.boxes):
            told.append(f"mailboxes {sorted(self.boxes)} are {sorted(found.boxes)}")
        if self.subscribed != found.subscribed:
            told.append(f"subscriptions {sorted(self.subscribed)} are {sorted(found.subscribed)}")
        for name in set(self.boxes) & set(found.boxes):
            had, has = self.validity[name], found.validity[name]
            if had != has if had else has <= self.above[name]:
                told.append(f"UIDVALIDITY of {name} {had or f'above {self.above[name]}'} is {has}")
            box, there = self.boxes[name], found.boxes[name]
            for s in set(box) | set(there):
                (uid, flags), (now, flags_now) = box.get(s, (0, None)), there.get(s, (0, None))
                if uid not in (None, now) or flags != flags_now:
                    told.append(f"{s} in {name}: {(uid, flags)} is {(now, flags_now)}")
        return told

    # What the commands do to mailboxes (RFC 9051 6.3.4-6.3.6).

    def make(self, name, above):
        """With its parents."""
        parts = name.split("/")
        for n in ("/".join(parts[:i + 1]) for i in range(len(parts))):
            if n not in self.boxes:
                self.boxes[n], self.validity[n], self.above[n] = {}, None, above

    def drop(self, name):
        for d in (self.boxes, self.validity, self.above):
            del d[name]

    def rename(self, name, to, above):
        if name == "INBOX":  # it stays, its messages move
            self.make(to, above)
            self.boxes[to] = {s: (None, flags) for s, (_, flags) in self.boxes["INBOX"].items()}
            self.boxes["INBOX"] = {}
            return
        for n in [n for n in self.boxes if n == name or n.startswith(name + "/")]:
            for d in (self.boxes, self.validity, self.above):
                d[to + n[len(name):]] = d.pop(n)
        parent = to.rpartition("/")[0]
        if parent and parent not in self.boxes:
            self.make(parent, above)


class History:
    """All that an account was ever told about uids: {UIDVALIDITY: …}."""

    def __init__(self):
        self.boxes = {}

    def of(self, validity):
        return self.boxes.setdefault(validity, {"UIDNEXT": 0, "HIGHESTMODSEQ": 0, "uids": {}, "modseqs": {}})

    def top(self):
        return max(self.boxes, default=0)


class Worker(threading.Thread):
    """One client of one account.  maybe: what the state is if the last command, which nobody answered, was carried out
    after all."""

    def __init__(self, test, address, state, history, seed):
        super().__init__(daemon=True)
        self.test, self.address, self.state, self.history = test, address, state, history
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

    def ask(self, wire, command, after):
        """after: the state once it is answered OK."""
        self.maybe = after
        said = []
        status, text = wire.ask(command, lambda d: said.append(d.decode("utf-8", "replace")))
        self.maybe = None
        assert status == "OK", f"{command[:200]}: {status} {text}"
        self.state = after
        return " ".join(said + [text])

    def note(self, box, validity, uids):
        """This was told: it is never given again."""
        known = self.state.validity[box]
        if known is None:
            assert validity > self.state.above[box], f"UIDVALIDITY {validity} of {box} was above {self.state.above[box]}"
            self.state.validity[box] = validity
        else:
            assert validity == known, f"UIDVALIDITY of {box} was {known}, is {validity}"
        facts = self.history.of(validity)
        facts["UIDNEXT"] = max(facts["UIDNEXT"], *(u + 1 for u in uids))

    def select(self, wire, box):
        if self.box != box:
            status, text = wire.ask(f"SELECT {box}")
            assert status == "OK", f"SELECT {box}: {text}"
            self.box = box

    def step(self, wire):
        r, boxes = self.random, self.state.boxes
        act = r.random()
        if act < 0.15:
            return self.change_boxes(wire)
        if act < 0.42 or sum(map(len, boxes.values())) < 5:
            return self.append(wire)
        box = r.choice([b for b in boxes if boxes[b]])
        chosen = r.sample(list(boxes[box]), r.randint(1, min(len(boxes[box]), 8)))
        self.select(wire, box)
        if act < 0.62:
            return self.store(wire, box, chosen)
        if act < 0.9:
            to = r.choice([b for b in boxes if b != box] or ["INBOX"])
            return self.transfer(wire, "MOVE" if act < 0.78 else "COPY", box, chosen, to)
        return self.expunge(wire, box, chosen)

    def uids(self, box, chosen):
        """As a set; those that a RENAME of INBOX gave were not told."""
        told = {s: self.state.boxes[box][s][0] for s in chosen}
        return {s: uid for s, uid in told.items() if uid is not None}

    # Messages.

    def append(self, wire):
        """One message, or several in one command: all or none (RFC 3502)."""
        box, parts, after, new = self.random.choice(list(self.state.boxes)), [], self.state.copy(), []
        for _ in range(self.random.choice([1, 1, 1, 5])):
            flags = frozenset(self.random.sample(FLAGS, self.random.randint(0, 2)))
            subject = f"s{self.random.randrange(1 << 60):x}"
            text = self.test.text(subject, self.random.choice(SIZES))
            parts.append(f" ({' '.join(flags)}) {{{len(text)}+}}\r\n{text}")
            after.boxes[box][subject] = (None, flags)
            new.append(subject)
        answer = self.ask(wire, f"APPEND {box}{''.join(parts)}", after)
        validity, uids = code(answer, "APPENDUID").split()
        self.placed(box, int(validity), dict(zip(new, numbers(uids), strict=True)))

    def placed(self, box, validity, uids):
        for s, uid in uids.items():
            self.state.boxes[box][s] = (uid, self.state.boxes[box][s][1])
        self.note(box, validity, uids.values())

    def store(self, wire, box, chosen):
        flag, add, uids = self.random.choice(FLAGS), self.random.random() < 0.6, self.uids(box, chosen)
        if uids:
            self.flag(wire, box, uids, flag, add)

    def flag(self, wire, box, uids, flag, add):
        after = self.state.copy()
        for s, uid in uids.items():
            flags = after.boxes[box][s][1]
            after.boxes[box][s] = (uid, flags | {flag} if add else flags - {flag})
        self.ask(wire, f"UID STORE {self.set(uids)} {'+' if add else '-'}FLAGS.SILENT ({flag})", after)

    @staticmethod
    def set(uids):
        return ",".join(map(str, uids.values()))

    def transfer(self, wire, verb, box, chosen, to):
        """No message twice into one mailbox: its subject is its name here."""
        uids = {s: uid for s, uid in self.uids(box, chosen).items() if s not in self.state.boxes[to]}
        if not uids:
            return
        after = self.state.copy()
        for s in uids:
            after.boxes[to][s] = (None, after.boxes[box][s][1])
            if verb == "MOVE":
                del after.boxes[box][s]
        answer = self.ask(wire, f"UID {verb} {self.set(uids)} {to}", after)
        validity, source, into = code(answer, "COPYUID").split()
        there = dict(zip(numbers(source), numbers(into), strict=True))
        self.placed(to, int(validity), {s: there[uid] for s, uid in uids.items()})

    def expunge(self, wire, box, chosen):
        uids = self.uids(box, chosen)
        if not uids:
            return
        self.flag(wire, box, uids, "\\Deleted", True)
        after = self.state.copy()
        for s in uids:
            del after.boxes[box][s]
        self.ask(wire, f"UID EXPUNGE {self.set(uids)}", after)

    # Mailboxes.

    def change_boxes(self, wire):
        r, state, after = self.random, self.state, self.state.copy()
        name = "/".join(r.choice(LEVELS) for _ in range(r.randint(1, 3)))
        mine = [b for b in state.boxes if b != "INBOX"]
        act = r.random()
        if act < 0.2:
            on = name not in state.subscribed
            after.subscribed ^= {name}
            self.ask(wire, f"{'' if on else 'UN'}SUBSCRIBE {name}", after)
        elif mine and (len(mine) > MOST_BOXES or act < 0.4):
            name = r.choice(mine)
            after.drop(name)
            self.ask(wire, f"DELETE {name}", after)
        elif mine and act < 0.7:
            self.rename(wire, "INBOX" if r.random() < 0.15 else r.choice(mine), name, after)
        elif name not in state.boxes:
            after.make(name, self.history.top())
            self.ask(wire, f"CREATE {name}", after)
        self.box = None  # a name may mean another mailbox now

    def rename(self, wire, name, to, after):
        taken = any(b == to or b.startswith(to + "/") for b in after.boxes)
        if not taken and not to.startswith(name + "/"):
            after.rename(name, to, self.history.top())
            self.ask(wire, f"RENAME {name} {to}", after)


class ImapCrash:
    def __init__(self, seed=None, out=print):
        self.seed = random.randrange(1 << 30) if seed is None else seed
        self.random, self.out = random.Random(self.seed), out
        self.post = Post("north.test", "[log]\nlevel = warning\n")
        self.posts = [self.post]
        self.addresses = [f"w{i}@north.test" for i in range(WORKERS)]
        for address in self.addresses:
            self.post.user(address)
            self.post.run("user", "quota", address, "100G")
        self.history = {a: History() for a in self.addresses}
        self.over, self.failures, self.round, self.steps = threading.Event(), [], 0, 0
        self.post.start()
        self.states = {a: self.read(a) for a in self.addresses}

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
        """The state as the server has it, checked against all that was ever told."""
        wire, size = self.connect(address), 0
        found = State({}, {}, {}, self.names(wire, 'LIST (SUBSCRIBED) "" *'))
        for name in sorted(self.names(wire, 'LIST "" *')):
            facts, rows = self.look(wire, name)
            self.check_history(address, name, facts, rows)
            found.validity[name] = found.above[name] = facts["UIDVALIDITY"]
            box = found.boxes[name] = {}
            for row in rows:
                subject, lines = row["BODY[]"].split()[1], row["BODY[]"].count(" rides on")
                if row["BODY[]"] != self.text(subject, lines * 25):
                    self.fail(f"{address} {name} UID {row['UID']}: the bytes have changed")
                if subject in box:
                    self.fail(f"{address}: {subject} is twice in {name}")
                box[subject] = (int(row["UID"]), frozenset(row["FLAGS"]) - {"\\Recent"})
                size += len(row["BODY[]"])
        self.check_quota(address, wire, size)
        wire.close()
        return found

    @staticmethod
    def names(wire, command):
        """Of what is listed: all that is (\\NonExistent: only a level), and all that is subscribed to."""
        said, wanted = [], "\\Subscribed" if "SUBSCRIBED" in command else None
        wire.ask(command, said.append)
        rows = [parse(d[5:]) for d in said]
        return {name for flags, _, name in rows
                if name not in DEFAULT and (wanted in flags if wanted else "\\NonExistent" not in flags)}

    @staticmethod
    def look(wire, name):
        said, got = [], []
        status, text = wire.ask(f"SELECT {name} (CONDSTORE)", said.append)
        assert status == "OK", text
        facts = {n: int(code(d.decode(), n)) for d in said for n in ("UIDNEXT", "HIGHESTMODSEQ", "UIDVALIDITY")
                 if code(d.decode(), n)}
        if not any(d.split()[:2] == [b"0", b"EXISTS"] for d in said):
            status, text = wire.ask("FETCH 1:* (UID FLAGS MODSEQ BODY.PEEK[])", got.append)
            assert status == "OK", text
        return facts, [items(parse(d.split(b" ", 2)[2])[0]) for d in got if b" FETCH " in d[:20]]

    def check_history(self, address, name, facts, rows):
        known, box = self.history[address].of(facts["UIDVALIDITY"]), f"{address} {name}"
        for fact in ("UIDNEXT", "HIGHESTMODSEQ"):
            if facts.get(fact, 0) < known[fact]:
                self.fail(f"{box}: {fact} went back from {known[fact]} to {facts.get(fact)}")
            known[fact] = facts.get(fact, 0)
        for row in rows:
            uid, modseq, subject = int(row["UID"]), int(row["MODSEQ"][0]), row["BODY[]"].split()[1]
            if uid >= known["UIDNEXT"]:
                self.fail(f"{box}: UID {uid} is not below UIDNEXT {known['UIDNEXT']}")
            if known["uids"].setdefault(uid, subject) != subject:
                self.fail(f"{box}: UID {uid} was {known['uids'][uid]}, is {subject}")
            if modseq < known["modseqs"].get(uid, 0) or modseq > known["HIGHESTMODSEQ"]:
                self.fail(f"{box}: the modseq of UID {uid} went from {known['modseqs'].get(uid)} to {modseq}")
            known["modseqs"][uid] = modseq

    def check_quota(self, address, wire, size):
        said = []
        wire.ask('GETQUOTA ""', said.append)
        used = int(parse(said[0])[2][1])
        if used != (size + 1023) // 1024:
            self.fail(f"{address}: {used} KiB are in use, its messages have {size} bytes")

    def verify(self, worker):
        found = self.read(worker.address)
        if worker.error:
            self.fail(worker.error)
        differences = worker.state.differences(found)
        if differences and worker.maybe:
            differences = worker.maybe.differences(found) and differences
        if differences:
            self.fail(f"{worker.address}: of what was answered {'; '.join(differences[:10])}; under way was "
                      f"{'one command' if worker.maybe else 'nothing'}")
        self.states[worker.address] = found

    def run_round(self):
        self.round += 1
        workers = [Worker(self, a, self.states[a], self.history[a], self.random.randrange(1 << 30)) for a in self.addresses]
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
