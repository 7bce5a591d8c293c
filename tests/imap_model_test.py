"""
Random commands on several connections against a model of IMAP.  The model knows the truth: what lies in each mailbox.
Each client rebuilds its view from untagged responses alone, as RFC 9051 and RFC 7162 (CONDSTORE, QRESYNC) let it; when
it has asked for news, its view must be the truth, numbering included, also after it was cut off and comes back with
QRESYNC.  SEED=N repeats a run, STEPS=N makes it longer (./dev torture does).
"""
import os
import random
import sys
import time
import unittest

from imap_wire import Wire, code, items, numbers, parse
from posts import Post, wait_until

MAILBOXES = ("Red", "Green", "Blue")
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "\\Draft", "$One", "$Two")
CLIENTS = 4
USER = "model@north.test"


class Message:
    def __init__(self, text, flags, serial):
        self.text, self.flags, self.serial = text, frozenset(flags), serial
        self.unsure = False  # a STORE that changed nothing may have raised its modseq


class Mailbox:
    """The truth of one mailbox."""

    def __init__(self):
        self.uidvalidity, self.uidnext, self.messages = None, 1, {}  # by uid, ascending

    def add(self, uid, message):
        assert uid >= self.uidnext, f"UID {uid} after UIDNEXT {self.uidnext}"
        self.uidnext = uid + 1
        self.messages[uid] = message

    def truth(self):
        return [(uid, m.flags) for uid, m in self.messages.items()]


class Entry:
    """What a client knows of one message."""

    def __init__(self, uid=None, flags=None):
        self.uid, self.flags, self.modseq, self.serial = uid, flags, 0, None

    def copy(self):
        other = Entry(self.uid, self.flags)
        other.modseq, other.serial = self.modseq, self.serial
        return other


class Client:
    """One connection and the view it has."""

    def __init__(self, model, number):
        self.model, self.number, self.cached = model, number, {}
        self.connect()

    def connect(self):
        self.wire = Wire(self.model.post.port(143))
        self.selected, self.view, self.read_only = None, [], False
        self.condstore = self.qresync = self.idling = False
        self.seen_modseq = 0
        self.ask(f"LOGIN {USER} {self.model.post.passwords[USER]}")
        if self.model.random.random() < 0.6:
            self.ask("ENABLE QRESYNC")
            self.condstore = self.qresync = True

    def note(self, text):
        self.model.log.append(f"{self.number}: {text}")

    # Untagged responses.

    def on_data(self, data, quiet=False):
        self.note("* " + data.decode("utf-8", "replace"))
        words = data.split(b" ", 2)
        if len(words) > 1 and words[0].isdigit():
            n, kind = int(words[0]), words[1].upper()
            if kind == b"EXISTS":
                assert n >= len(self.view), f"EXISTS {n} takes away from {len(self.view)}"
                self.view += [Entry() for _ in range(n - len(self.view))]
            elif kind == b"EXPUNGE":
                assert not self.qresync, "EXPUNGE after ENABLE QRESYNC (RFC 7162 3.2.10)"
                assert not self.no_expunge, "EXPUNGE during FETCH, STORE or SEARCH (RFC 9051 7.5.1)"
                self.gone(self.view.pop(n - 1))
            elif kind == b"FETCH":
                self.on_fetch(n, items(parse(words[2])[0]))
        elif words[0].upper() == b"VANISHED" and not words[1].startswith(b"("):
            assert self.qresync, "VANISHED without QRESYNC"
            assert not self.no_expunge, "VANISHED during FETCH, STORE or SEARCH"
            for uid in numbers(words[1].decode()):
                at = [i for i, e in enumerate(self.view) if e.uid == uid]
                assert len(at) == 1, f"VANISHED {uid}, which is not in the view"
                self.gone(self.view.pop(at[0]))

    def gone(self, entry):
        assert entry.uid is None or entry.uid not in self.box().messages, f"UID {entry.uid} is still there"

    def on_fetch(self, n, got):
        assert 1 <= n <= len(self.view), f"FETCH {n} of {len(self.view)}"
        e = self.view[n - 1]
        if "UID" in got:
            assert e.uid in (None, int(got["UID"])), f"number {n} was UID {e.uid}, is {got['UID']}"
            e.uid = int(got["UID"])
        elif self.qresync:
            assert "FLAGS" not in got, "FETCH without UID after ENABLE QRESYNC (RFC 7162 3.2.9)"
        if "FLAGS" in got:
            e.flags = frozenset(f for f in got["FLAGS"] if f != "\\Recent")
            self.told.add(n - 1)
        if "MODSEQ" in got:
            modseq = int(got["MODSEQ"][0])
            assert modseq >= e.modseq, f"the modseq of UID {e.uid} went back from {e.modseq} to {modseq}"
            e.modseq = modseq
            self.seen_modseq = max(self.seen_modseq, modseq)
            message = self.box().messages.get(e.uid)
            e.serial = None if not message or message.unsure else message.serial

    def ask(self, command, want="OK", no_expunge=False, on_data=None):
        self.no_expunge, self.told = no_expunge, set()
        self.note(command)
        status, text = self.wire.ask(command, on_data or self.on_data)
        self.note(f"{status} {text}")
        assert status in (want if isinstance(want, tuple) else (want,)), f"{command}: {status} {text}"
        self.status = status
        modseq = code(text, "HIGHESTMODSEQ")
        if modseq:
            self.seen_modseq = max(self.seen_modseq, int(modseq))
        return text

    def box(self):
        return self.model.boxes[self.selected]

    # The view.

    def learn(self):
        """Asks for what EXISTS announced."""
        while any(e.uid is None or e.flags is None for e in self.view):
            unknown = [i + 1 for i, e in enumerate(self.view) if e.uid is None or e.flags is None]
            self.ask(f"FETCH {unknown[0]}:{unknown[-1]} (UID FLAGS)", no_expunge=True)

    def sync(self):
        """News, and then the view is the truth."""
        if self.selected is None:
            return
        self.ask("NOOP")
        self.learn()
        self.compare("after NOOP")
        self.safe_modseq = self.seen_modseq

    def compare(self, when):
        view = [(e.uid, e.flags) for e in self.view]
        truth = self.box().truth()
        if view != truth:
            raise AssertionError(f"client {self.number} in {self.selected} {when}:\nview  {view}\ntruth {truth}")

    def select(self, name, read_only):
        """SELECT or EXAMINE, with QRESYNC when something is remembered."""
        collected, box = [], self.model.boxes[name]
        if self.selected:
            self.remember()
        self.selected, self.view, self.read_only = name, [], read_only
        old, more, known = self.cached.get(name), "", ""
        if self.qresync and old:
            uids = sorted(e.uid for e in old[2])
            known = f" {uids[0]}:{uids[-1]}" if uids and self.model.random.random() < 0.5 else ""
            more = f" (QRESYNC ({old[0]} {old[1]}{known}))"
        elif self.model.random.random() < 0.3:
            more, self.condstore = " (CONDSTORE)", True
        self.seen_modseq = 0
        self.no_expunge, self.told = False, set()
        text = self.ask(f"{'EXAMINE' if read_only else 'SELECT'} {name}{more}", on_data=collected.append)
        assert code(text, "READ-ONLY" if read_only else "READ-WRITE") is not None, text
        self.take_opening(collected, box, old if "QRESYNC" in more else None, not (old and known))
        self.learn()
        self.compare("after SELECT" + more)
        self.safe_modseq = self.seen_modseq

    def take_opening(self, collected, box, old, whole):
        facts = {}
        for data in collected:
            self.note("* " + data.decode())
            text = data.decode()
            for name in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"):
                if code(text, name):
                    facts[name] = int(code(text, name))
        assert facts["UIDVALIDITY"] == box.uidvalidity, f"UIDVALIDITY {facts} is not {box.uidvalidity}"
        assert facts["UIDNEXT"] == box.uidnext, f"UIDNEXT {facts} is not {box.uidnext}"
        assert "HIGHESTMODSEQ" in facts or not self.condstore, "no HIGHESTMODSEQ (RFC 7162 3.1.2.1)"
        self.seen_modseq = facts.get("HIGHESTMODSEQ", 0)
        fetched = False
        if old and old[0] == box.uidvalidity:
            vanished = set()
            for data in collected:
                if data.upper().startswith(b"VANISHED (EARLIER) "):
                    vanished |= set(numbers(data.split()[2].decode()))
            self.view = [e.copy() for e in old[2] if e.uid not in vanished]
            fetched = True
        for data in collected:
            words = data.split(b" ", 2)
            if len(words) > 1 and words[0].isdigit() and words[1].upper() in (b"EXISTS", b"FETCH"):
                self.on_data(data)
        if fetched and whole:  # RFC 7162 3.2.5.1: all that is new or changed has been said
            assert all(e.uid for e in self.view), "QRESYNC left messages unknown"
            self.compare("after QRESYNC, without asking")

    def remember(self):
        """What a client keeps on its disk: only what it had synchronised."""
        if self.selected and not any(e.uid is None for e in self.view) and self.view is not None:
            if [(e.uid, e.flags) for e in self.view] == self.box().truth():
                self.cached[self.selected] = (self.box().uidvalidity, self.safe_modseq, [e.copy() for e in self.view])

    def leave(self):
        self.selected, self.view = None, []


class Model:
    def __init__(self, post, seed):
        self.post, self.random, self.serial = post, random.Random(seed), 0
        self.log, self.boxes, self.steps = [], {}, 0
        first = Wire(post.port(143))
        assert first.ask(f"LOGIN {USER} {post.passwords[USER]}")[0] == "OK"
        for name in MAILBOXES:
            assert first.ask(f"CREATE {name}")[0] == "OK"
            self.boxes[name] = Mailbox()
            self.learn_validity(first, name)
        first.ask("LOGOUT")
        first.close()
        self.clients = [Client(self, i) for i in range(CLIENTS)]

    def learn_validity(self, wire, name):
        got = []
        assert wire.ask(f"STATUS {name} (UIDVALIDITY UIDNEXT)", got.append)[0] == "OK"
        values = items(parse(got[0])[2])
        box = self.boxes[name]
        assert box.uidvalidity is None or int(values["UIDVALIDITY"]) > box.uidvalidity, "UIDVALIDITY did not grow"
        box.uidvalidity, box.uidnext = int(values["UIDVALIDITY"]), int(values["UIDNEXT"])

    def next_serial(self):
        self.serial += 1
        return self.serial

    def close(self):
        for c in self.clients:
            c.wire.close()

    # Choices.

    def some_flags(self, least=0):
        return self.random.sample(FLAGS, self.random.randint(least, 3))

    def some_set(self, c, uid):
        """A set for a command of client c and the UIDs it means."""
        n, r = len(c.view), self.random
        picks = sorted(r.sample(range(n), r.randint(1, min(n, 5))))
        form = r.random()
        if form < 0.2:
            low, high = picks[0], picks[-1]
            picks = list(range(low, high + 1))
            name = [str(c.view[i].uid if uid else i + 1) for i in (low, high)]
            if r.random() < 0.3:
                name.reverse()
            return ":".join(name), [c.view[i].uid for i in picks]
        if form < 0.3:
            low = picks[0]
            return f"{c.view[low].uid if uid else low + 1}:*", [e.uid for e in c.view[low:]]
        return ",".join(str(c.view[i].uid if uid else i + 1) for i in picks), [c.view[i].uid for i in picks]

    def selected_client(self, writable=False):
        found = [c for c in self.clients if c.selected and c.view and not (writable and c.read_only)]
        return self.random.choice(found) if found else None

    # Steps.

    def step(self):
        r = self.random
        rows = [(self.select, 5), (self.append, 8), (self.store, 16), (self.conditional_store, 4), (self.expunge, 4),
                (self.copy, 4), (self.move, 4), (self.close_mailbox, 2), (self.search, 5), (self.fetch, 5),
                (self.status, 3), (self.idle, 3), (self.reconnect, 3), (self.recreate, 1)]
        act = r.choices([f for f, _ in rows], [w for _, w in rows])[0]
        self.steps += 1
        act()
        for c in self.clients:
            c.learn()
            if c.selected and r.random() < 0.4:
                c.sync()

    def select(self):
        self.random.choice(self.clients).select(self.random.choice(MAILBOXES), self.random.random() < 0.15)

    def append(self):
        c, name, box = self.random.choice(self.clients), self.random.choice(MAILBOXES), None
        box, flags = self.boxes[name], self.some_flags()
        count = self.random.choice((1, 1, 1, 2, 3))
        texts = [f"Subject: m{self.next_serial()}\r\n\r\nbody\r\n" for _ in range(count)]
        messages = "".join(f" ({' '.join(flags)}) {{{len(t)}+}}\r\n{t}" for t in texts)
        text = c.ask(f"APPEND {name}{messages}")
        validity, uids = code(text, "APPENDUID").split()
        assert int(validity) == box.uidvalidity
        assert len(numbers(uids)) == count
        for uid, t in zip(numbers(uids), texts):
            box.add(uid, Message(t.split()[1], flags, self.next_serial()))

    def change(self, box, uid, how, flags):
        """STORE on the truth."""
        m = box.messages.get(uid)
        if not m:
            return
        new = self.result(m.flags, how, flags)
        if new == m.flags:
            m.unsure = True
        else:
            m.flags, m.serial, m.unsure = new, self.next_serial(), False

    @staticmethod
    def result(old, how, flags):
        return old | set(flags) if how == "+" else old - set(flags) if how == "-" else frozenset(flags)

    def store(self):
        c = self.selected_client()
        if not c:
            return
        uid, how, flags = self.random.random() < 0.5, self.random.choice("+-+- "), self.some_flags(1)
        silent = self.random.random() < 0.5
        text, uids = self.some_set(c, uid)
        assumed = {i: self.result(e.flags, how, flags) for i, e in enumerate(c.view) if e.uid in uids}
        by_uid = {c.view[i].uid: flags_then for i, flags_then in assumed.items()}
        if not c.read_only:
            for u in uids:
                self.change(c.box(), u, how, flags)
        missing = [u for u in uids if u not in c.box().messages]
        c.ask(f"{'UID ' if uid else ''}STORE {text} {how.strip()}FLAGS{'.SILENT' if silent else ''} ({' '.join(flags)})",
              want=("OK", "NO") if c.read_only or missing else "OK", no_expunge=not uid)
        if silent and c.status == "OK" and not c.read_only:
            told = {c.view[i].uid for i in c.told}
            for e in c.view:
                if e.uid in by_uid and e.uid not in told:
                    e.flags = by_uid[e.uid]

    def conditional_store(self):
        """UNCHANGEDSINCE what a client knows of one message (RFC 7162 3.1.3)."""
        c = self.selected_client(writable=True)
        known = [e for e in c.view if e.modseq and e.serial is not None and e.uid in c.box().messages] if c else []
        known = [e for e in known if not c.box().messages[e.uid].unsure]
        if not known:
            return
        e, flags = self.random.choice(known), self.some_flags(1)
        message = c.box().messages[e.uid]
        fits, uid = e.serial == message.serial, e.uid
        if fits:
            self.change(c.box(), uid, "+", flags)
        c.condstore = True
        text = c.ask(f"UID STORE {uid} (UNCHANGEDSINCE {e.modseq}) +FLAGS ({' '.join(flags)})", want=("OK", "NO"))
        modified = code(text, "MODIFIED")
        assert (modified is None) == fits, f"UNCHANGEDSINCE of UID {uid}: {text}, should {'do' if fits else 'fail'}"
        if modified:
            assert numbers(modified) == [uid], text

    def expunge(self):
        c = self.selected_client()
        if not c:
            return
        c.sync()
        if not c.view:
            return
        text, uids = self.some_set(c, True)
        by_uid = self.random.random() < 0.5
        if not c.read_only:
            for u, m in list(c.box().messages.items()):
                if "\\Deleted" in m.flags and (u in uids or not by_uid):
                    del c.box().messages[u]
        c.ask(f"UID EXPUNGE {text}" if by_uid else "EXPUNGE", want=("NO", "OK") if c.read_only else "OK")
        c.learn()
        if not c.read_only:
            c.compare("after EXPUNGE")

    def copied(self, c, answer, uids, to):
        """Checks COPYUID and puts the copies there."""
        box, target = c.box(), self.boxes[to]
        there = [u for u in uids if u in box.messages]
        if not there:
            return there
        got = code(answer, "COPYUID")
        assert got, f"no COPYUID in {answer}"
        validity, source, into = got.split()
        assert int(validity) == target.uidvalidity
        assert len(numbers(source)) == len(numbers(into))
        pairs = dict(zip(numbers(source), numbers(into)))
        assert sorted(pairs) == sorted(there), f"COPYUID {got}, but {there} were there"
        for u in sorted(there):
            m = box.messages[u]
            target.add(pairs[u], Message(m.text, m.flags, self.next_serial()))
        return there

    def copy(self):
        c, to = self.selected_client(), self.random.choice(MAILBOXES)
        if not c:
            return
        uid = self.random.random() < 0.5
        text, uids = self.some_set(c, uid)
        all_there = all(u in c.box().messages for u in uids)
        answer = c.ask(f"{'UID ' if uid else ''}COPY {text} {to}", want="OK" if all_there else ("OK", "NO"))
        if c.status == "OK":
            self.copied(c, answer, uids, to)

    def move(self):
        c, to = self.selected_client(writable=True), self.random.choice(MAILBOXES)
        if not c:
            return
        to = self.random.choice([m for m in MAILBOXES if m != c.selected])
        uid = self.random.random() < 0.5
        text, uids = self.some_set(c, uid)
        box, said = c.box(), []
        there = [u for u in uids if u in box.messages]
        moved = {u: box.messages.pop(u) for u in there}

        def on_data(data):
            if b"COPYUID" in data.upper():
                said.append(data.decode())
            c.on_data(data)
        answer = c.ask(f"{'UID ' if uid else ''}MOVE {text} {to}", want="OK" if len(there) == len(uids) else ("OK", "NO"),
                       on_data=on_data)
        box.messages.update(moved)
        box.messages = dict(sorted(box.messages.items()))
        if c.status == "OK":
            for u in self.copied(c, " ".join(said + [answer]), uids, to):
                del box.messages[u]

    def close_mailbox(self):
        c = self.selected_client()
        if not c:
            return
        c.sync()
        c.remember()
        if self.random.random() < 0.4:
            c.ask("UNSELECT")
        else:
            if not c.read_only:
                for u, m in list(c.box().messages.items()):
                    if "\\Deleted" in m.flags:
                        del c.box().messages[u]
            c.ask("CLOSE")
        c.leave()

    def search(self):
        c = self.selected_client()
        if not c:
            return
        c.sync()
        flag, uid, found = self.random.choice(FLAGS), self.random.random() < 0.5, []
        key = {"$": f"KEYWORD {flag}"}.get(flag[0], flag[1:].upper())

        def on_data(data):
            if data.upper().startswith(b"SEARCH"):
                found.extend(int(n) for n in data.split()[1:] if n.isdigit())
            else:
                c.on_data(data)
        c.ask(f"{'UID ' if uid else ''}SEARCH {key}", no_expunge=not uid, on_data=on_data)
        want = [e.uid if uid else i + 1 for i, e in enumerate(c.view) if flag in e.flags]
        assert found == want, f"SEARCH {key}: {found}, should be {want}"

    def fetch(self):
        """{mailbox, UIDVALIDITY, UID} always means the same message; also one that others expunged."""
        c = self.selected_client()
        if not c:
            return
        uid, got = self.random.random() < 0.5, {}
        text, uids = self.some_set(c, uid)

        def on_data(data):
            words = data.split(b" ", 2)
            if words[1:2] == [b"FETCH"]:
                fields = items(parse(words[2])[0])
                if "ENVELOPE" in fields:
                    got[c.view[int(words[0]) - 1].uid] = fields["ENVELOPE"][1]
            c.on_data(data)
        c.ask(f"{'UID ' if uid else ''}FETCH {text} (UID FLAGS ENVELOPE)", want=("OK", "NO"), no_expunge=not uid,
              on_data=on_data)
        for u in uids:
            if u in c.box().messages:
                assert got.get(u) == c.box().messages[u].text, f"UID {u} is {got.get(u)}"

    def status(self):
        c, name, got = self.random.choice(self.clients), self.random.choice(MAILBOXES), []

        def on_data(data):
            got.append(data) if data.upper().startswith(b"STATUS") else c.on_data(data)
        c.ask(f"STATUS {name} (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)", on_data=on_data)
        said, box = items(parse(got[0])[2]), self.boxes[name]
        want = {"MESSAGES": len(box.messages), "UIDNEXT": box.uidnext, "UIDVALIDITY": box.uidvalidity,
                "UNSEEN": sum("\\Seen" not in m.flags for m in box.messages.values())}
        assert {k: int(v) for k, v in said.items()} == want, f"STATUS {name}: {said}, should be {want}"

    def idle(self):
        """A client in IDLE is told what others do, without asking."""
        c = self.random.choice([x for x in self.clients if x.selected] or [None])
        others = [x for x in self.clients if x is not c]
        if not c:
            return
        c.sync()
        c.no_expunge, c.told = False, set()
        c.note("IDLE")
        c.wire.start("IDLE")
        while not (line := c.wire.response()).startswith(b"+"):
            c.on_data(line[2:])
        o = self.random.choice(others)
        name, flags = c.selected, self.some_flags()
        text = f"Subject: m{self.next_serial()}\r\n\r\nbody\r\n"
        answer = o.ask(f"APPEND {name} ({' '.join(flags)}) {{{len(text)}+}}\r\n{text}")
        self.boxes[name].add(numbers(code(answer, "APPENDUID").split()[1])[0],
                             Message(text.split()[1], flags, self.next_serial()))
        while len(c.view) < len(self.boxes[name].messages):
            line = c.wire.response()
            assert line.startswith(b"* "), line
            c.on_data(line[2:])
        c.wire.send("DONE\r\n")
        c.wire.finish(c.on_data)
        c.learn()
        c.compare("after IDLE")

    def reconnect(self):
        c = self.random.choice(self.clients)
        name = c.selected
        c.remember()
        c.wire.close()
        c.connect()
        if name:
            c.select(name, False)

    def recreate(self):
        """A mailbox of the same name is another one: UIDVALIDITY grows."""
        free = [m for m in MAILBOXES if all(c.selected != m for c in self.clients)]
        if not free:
            return
        name, c = self.random.choice(free), self.random.choice(self.clients)
        c.ask(f"DELETE {name}")
        c.ask(f"CREATE {name}")
        old, self.boxes[name] = self.boxes[name], Mailbox()
        self.boxes[name].uidvalidity = old.uidvalidity
        wire = Wire(self.post.port(143))
        wire.ask(f"LOGIN {USER} {self.post.passwords[USER]}")
        self.learn_validity(wire, name)
        wire.close()


def run(post, seed, steps, seconds):
    """Random steps until either is used up; how many were done.  A failure shows the last commands."""
    model = Model(post, seed)
    end = time.monotonic() + seconds
    try:
        while model.steps < steps and time.monotonic() < end:
            model.step()
            del model.log[:-60]
    except Exception as e:
        raise AssertionError(f"SEED={seed} step {model.steps}: {e}\n" + "\n".join(model.log[-40:])) from e
    finally:
        model.close()
    return model.steps


class ModelTest(unittest.TestCase):
    def test_random_commands(self):
        seeds = [int(os.environ["SEED"])] if os.environ.get("SEED") else [random.randrange(1 << 30) for _ in range(3)]
        steps, seconds = int(os.environ.get("STEPS", 1500)), float(os.environ.get("SECONDS_EACH", 40))
        for seed in seeds:
            with Post("north.test", "[log]\nlevel = warning\n") as post:
                post.user(USER)
                post.start()
                start = time.monotonic()
                done = run(post, seed, steps, seconds / len(seeds))
                print(f"SEED={seed}: {done} steps, {done / (time.monotonic() - start):.0f} per s", flush=True)
                wait_until(lambda: post.is_running(), 1, "the server to live")
                self.assertEqual([], post.faults())


if __name__ == "__main__":
    unittest.main()
