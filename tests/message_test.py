"""
The message parser against other people's mail and readers: the vector sets in ../shared/vectors (each
difference explained by one line of message/differences.txt, none silently) and Python's email package
on generated mail.  YIZHAN_SEED and YIZHAN_COUNT choose other mail than the default.
"""
import base64
import concurrent.futures
import email
import email.policy
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "message"))
import generate  # noqa: E402
import view  # noqa: E402

DIFFERENCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "message", "differences.txt")


def hashes(raw):
    """A body's hash with its line ends as they are, as LF and as CRLF."""
    lf = raw.replace(b"\r\n", b"\n")
    return {hashlib.sha256(b).hexdigest() for b in (raw, lf, lf.replace(b"\n", b"\r\n"))}


def known_differences():
    """{(case, what): reason} of the lines "case | what | reason"."""
    known = {}
    with open(DIFFERENCES, encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                case, what, reason = (x.strip() for x in line.split("|", 2))
                known[case, what] = reason
    return known


class Differences:
    """Collects what differs in a set; every difference must be known, and every known one be there."""

    def __init__(self, test, prefix):
        self.test, self.prefix, self.found, self.count = test, prefix, {}, 0

    def check(self, case, what, got, want):
        self.count += 1
        if got != want:
            self.found[f"{self.prefix}/{case}", what] = f"got {got!r}, they say {want!r}"

    def end(self):
        known = {key for key in known_differences() if key[0].startswith(self.prefix + "/")}
        self.test.assertTrue(self.count, "nothing was compared")
        new = [f"{' | '.join(key)}: {self.found[key]}"[:1000] for key in sorted(set(self.found) - known)]
        gone = [" | ".join(key) for key in sorted(known - set(self.found))]
        print(f"{self.prefix}: {self.count} comparisons, {len(self.found)} known differences")
        self.test.assertEqual((new, gone), ([], []), "(differences not explained, explanations not needed)")


def addresses(header):
    return [(a.display_name, a.addr_spec) for a in header.addresses] if header is not None else []


def squeezed(pairs):
    """Names without white space: Python puts some between adjacent encoded words of a name."""
    return [("".join(name.split()), spec) for name, spec in pairs]


def python_leaves(message):
    """(type, body) of all parts; those Python makes of a report's text count as the one part they are."""
    kind = message.get_content_type()
    if message.is_multipart() and kind not in ("message/delivery-status", "message/external-body"):
        return [leaf for part in message.get_payload() for leaf in python_leaves(part)]
    if message.is_multipart():
        return [(kind, None)]
    if message.get_content_maintype() == "multipart":  # without parts: we read it as text
        kind = "text/plain"
    return [(kind, message.get_payload(decode=True) or b"")]


def our_people(message, key):
    return [(a["name"], a["email"]) for a in message[key]]


@unittest.skipUnless(os.path.isdir(view.VECTORS), "../shared/vectors is not here")
class MessageVectors(unittest.TestCase):
    maxDiff = None

    def path(self, *parts):
        return os.path.join(view.VECTORS, *parts)

    def test_mime4j(self):
        d = Differences(self, "mime4j-testmsgs")
        base = self.path("mime4j-testmsgs", "resources")
        paths = sorted(glob.glob(base + "/*/*.msg"))
        for path, ours in zip(paths, view.view_files(paths)):
            case = os.path.basename(path)
            with open(path[:-4] + "_decoded.xml", "rb") as f:
                names = re.findall(r'<(?:text|binary)-body name="([^"]+)"', f.read().decode("latin-1"))
            leaves = view.leaves(ours)
            d.check(case, "parts", len(leaves), len(names))
            for name, leaf in zip(names, leaves) if len(names) == len(leaves) else []:
                with open(os.path.join(os.path.dirname(path), name), "rb") as f:
                    d.check(case, f"body {leaf['part']}", leaf["sha256"] in hashes(f.read()), True)
        d.end()

    def python_set(self, prefix, pattern):
        d = Differences(self, prefix)
        paths = sorted(p for p in glob.glob(self.path(prefix, pattern), recursive=True) if os.path.isfile(p))
        for path, ours in zip(paths, view.view_files(paths)):
            case = os.path.basename(path)
            with open(path, "rb") as f:
                theirs = email.message_from_bytes(f.read(), policy=email.policy.default)
            leaves, want = view.leaves(ours), python_leaves(theirs)
            d.check(case, "types", [p["type"] for p in leaves], [kind for kind, _ in want])
            for leaf, (_, body) in zip(leaves, want) if len(leaves) == len(want) else []:
                if body is not None:
                    d.check(case, f"body {leaf['part']}", leaf["sha256"] in hashes(body), True)
            d.check(case, "subject", ours["subject"], str(theirs["subject"] or "").strip())
            for key in ("from", "to", "cc"):
                got, say = squeezed(our_people(ours, key)), squeezed(addresses(theirs[key]))
                if len(got) == len(say):  # a name in a comment, which Python leaves out
                    got = [("", g[1]) if not s[0] and "(" in str(theirs[key]) else g for g, s in zip(got, say)]
                d.check(case, key, got, say)
            date = theirs["date"].datetime if theirs["date"] is not None else None
            if date is not None:
                d.check(case, "date", ours["date"], date.isoformat() + ("" if date.tzinfo else "+00:00"))
        d.end()

    def test_mikel_mail(self):
        self.python_set("mikel-mail", "fixtures/**/*.eml")

    def test_python_email(self):
        self.python_set("python-email", "data/msg_*.txt")

    def test_postal_mime(self):
        self.python_set("postal-mime-fixtures", "fixtures/*.eml")

    def load(self, name):
        with open(self.path("mail-parser-eml", name), encoding="utf-8") as f:
            return json.load(f)

    def fields_as_mail(self, name, field):
        """Cases of one field, each put into a message; (number, our view, what they expect)."""
        cases = self.load(name)
        made = [f"{field}: {c['header']}".encode("utf-8", "surrogateescape") + b"\n\n" for c in cases]
        return [(i, ours, c["expected"]) for i, (ours, c) in enumerate(zip(view.view(made), cases))]

    def test_dates(self):
        d = Differences(self, "mail-parser-eml/date")
        for i, ours, want in self.fields_as_mail("date.json", "Date"):
            say = want and "%04d-%02d-%02dT%02d:%02d:%02d%s%02d:%02d" % (
                want["year"], want["month"], want["day"], want["hour"], want["minute"], want["second"],
                "-" if want["tz_before_gmt"] else "+", want["tz_hour"], want["tz_minute"])
            d.check(str(i), "date", ours["date"], say)
        d.end()

    def test_ids(self):
        d = Differences(self, "mail-parser-eml/id")
        for i, ours, want in self.fields_as_mail("id.json", "Message-ID"):
            d.check(str(i), "ids", ours["messageId"], want or [])
        d.end()

    def test_unstructured(self):
        d = Differences(self, "mail-parser-eml/unstructured")
        for i, ours, want in self.fields_as_mail("unstructured.json", "Subject"):
            d.check(str(i), "text", ours["subject"].split(), (want or "").split())  # they fold spaces into one
        d.end()

    def test_addresses(self):
        d = Differences(self, "mail-parser-eml/address")
        for i, ours, want in self.fields_as_mail("address.json", "To"):
            members = (want or {}).get("List") or [a for g in (want or {}).get("Group", []) for a in g["addresses"]]
            d.check(str(i), "addresses", our_people(ours, "to"),
                    [(a["name"] or "", a["address"] or "") for a in members])
        d.end()

    def test_content_types(self):
        d = Differences(self, "mail-parser-eml/content_type")
        cases = [c for c in self.load("content_type.json") if "\0" not in c["header"]]
        for i, (got, c) in enumerate(zip(view.fields("type", [c["header"] for c in cases]), cases)):
            want = c["expected"] or {"c_type": "", "c_subtype": None, "attributes": None}
            say = want["c_type"] + ("/" + want["c_subtype"] if want.get("c_subtype") else "")
            d.check(str(i), "type", got["value"], say.lower())
            attributes = {k.lower().rstrip("*"): v for k, v in want.get("attributes") or []}
            d.check(str(i), "parameters", {k[6:]: v for k, v in got.items() if k.startswith("param:")}, attributes)
        d.end()

    def test_received(self):
        d = Differences(self, "mail-parser-eml/received")
        cases = self.load("received.json")
        for i, (got, c) in enumerate(zip(view.fields("received", [c["header"] for c in cases]), cases)):
            want = c["expected"] or {}
            for key, theirs in (("from", "from"), ("by", "by"), ("ip", "from_ip"), ("id", "id"), ("for", "for_")):
                say = want.get(theirs) or ""
                say = next(iter(say.values())) if isinstance(say, dict) else say
                if say:  # they leave out what they do not know
                    d.check(str(i), key, got[key].strip("[]"), say)
        d.end()

    def test_messages(self):
        """Whole messages, bodies by their offsets; message/rfc822 is a tree of its own there."""
        d = Differences(self, "mail-parser-eml/eml")
        for path in sorted(glob.glob(self.path("mail-parser-eml", "eml", "rfc", "*.eml"))):
            with open(path, "rb") as f:
                lf = f.read()
            for suffix, raw in ((".json", lf), (".crlf.json", lf.replace(b"\n", b"\r\n"))):
                with open(path[:-4] + suffix, encoding="utf-8") as f:
                    theirs = json.load(f)
                say = []

                def walk(message, say=say):
                    for part in message["parts"]:
                        if "Message" in part["body"]:
                            walk(part["body"]["Message"])
                        elif "Multipart" not in part["body"]:
                            say.append((part["offset_body"], part["offset_end"]))

                walk(theirs)
                got = [(p["offset"], p["offset"] + p["length"]) for p in view.leaves(view.view([raw])[0])]
                d.check(os.path.basename(path)[:-4] + suffix, "offsets", got, say)
        d.end()

    def test_isemail(self):
        d = Differences(self, "isemail")
        for name in ("tests.xml", "tests-original.xml"):
            cases = []
            for t in xml.etree.ElementTree.parse(self.path("isemail", name)).getroot().iter("test"):
                address = "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2421 else c
                                  for c in t.findtext("address") or "")
                category = t.findtext("category") or ""
                if "\0" not in address:
                    cases.append((t.get("id"), address, category))
            for (number, address, category), got in zip(cases, view.fields("mailbox", [c[1] for c in cases])):
                accept = category in ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321")
                d.check(f"{name}-{number}", "accepts", got["valid"], accept)
        d.end()


def read_imap(text, at=0):
    """The list, string, literal or atom at text[at] (bytes), and where it ends."""
    if text[at:at + 1] == b"(":
        items, at = [], at + 1
        while text[at:at + 1] != b")":
            item, at = read_imap(text, at)
            items.append(item)
            at += text[at:at + 1] == b" "
        return items, at + 1
    if text[at:at + 1] == b'"':
        m = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"').match(text, at)
        return re.sub(rb"\\(.)", rb"\1", m.group(1)), m.end()
    m = re.compile(rb"\{(\d+)\}\r\n").match(text, at)
    if m:
        end = m.end() + int(m.group(1))
        return text[m.end():end], end
    m = re.compile(rb"[A-Za-z0-9]+").match(text, at)
    return m.group().decode(), m.end()


def imap_parts(node, prefix="", first=True):
    """[(number, type, octets)] of a BODYSTRUCTURE, as our view numbers parts."""
    def number(i):
        return f"{prefix}.{i}" if prefix else str(i)

    if isinstance(node[0], list):
        children = next(i for i, item in enumerate(node) if not isinstance(item, list))
        own = (prefix + ".TEXT" if prefix else "TEXT") if first else prefix
        found = [(own, "multipart/" + node[children].decode().lower(), None)]
        for i, child in enumerate(node[:children], 1):
            found += imap_parts(child, number(i), False)
        return found
    own = number(1) if first else prefix
    found = [(own, (node[0] + b"/" + node[1]).decode().lower(), int(node[6]))]
    if node[0].lower() == b"message" and node[1].lower() in (b"rfc822", b"global"):
        found += imap_parts(node[8], own, True)
    return found


@unittest.skipUnless(os.path.isdir(view.VECTORS), "../shared/vectors is not here")
class EveryMessage(unittest.TestCase):
    """Every message of every set: all consumers see one tree, and its parts add up to the bytes."""
    PATTERNS = ("mime4j-testmsgs/resources/*/*.msg", "mikel-mail/fixtures/**/*.eml", "python-email/data/msg_*.txt",
                "postal-mime-fixtures/fixtures/*.eml", "mail-parser-eml/eml/**/*.eml", "mail-auth-reports/**/*.eml",
                "dkim-mimekit-rfc8463/**/*.msg", "dkim-dkimpy/**/*.msg")

    def test_trees_agree(self):
        paths = sorted({p for pattern in self.PATTERNS
                        for p in glob.glob(os.path.join(view.VECTORS, pattern), recursive=True) if os.path.isfile(p)})
        self.assertGreater(len(paths), 200)
        count = 0
        for path, both in zip(paths, view.run(["--imap", *paths])):
            with self.subTest(path=os.path.relpath(path, view.VECTORS)), open(path, "rb") as f:
                raw = f.read()
                tree, end = read_imap(both["bodystructure"].encode())
                self.assertEqual(end, len(both["bodystructure"].encode()))
                parts = both["view"]["parts"]
                theirs = imap_parts(tree)
                count += len(parts)
                self.assertEqual([n for n, _, _ in theirs], [p["part"] for p in parts])
                for (_, kind, octets), p in zip(theirs, parts):
                    # A message that is not opened has no envelope: IMAP calls it a file.
                    if not (kind == "application/octet-stream" and p["type"].startswith("message/")):
                        self.assertEqual(kind, p["type"])
                    if octets is not None:
                        self.assertEqual(octets, p["length"])
                self.add_up(raw, parts)
        print(f"{len(paths)} messages, {count} parts: IMAP and JSON agree")

    def add_up(self, raw, parts):
        """Between two siblings there is a boundary and a header, and nothing of a child is outside its parent."""
        bodies = {p["part"]: (p["offset"], p["offset"] + p["length"]) for p in parts}
        for number, (start, end) in bodies.items():
            self.assertLessEqual(end, len(raw))
            head, _, last = number.rpartition(".")
            for parent in (head, head + ".TEXT" if head else "TEXT"):
                if parent in bodies and parent != number:
                    self.assertTrue(bodies[parent][0] <= start <= end <= bodies[parent][1], number)
            elder = bodies.get(f"{head}.{int(last) - 1}" if head else str(int(last) - 1)) if last.isdigit() else None
            if elder:
                self.assertRegex(raw[elder[1]:start], rb"\A(\r?\n)?--", number)


@unittest.skipUnless(os.path.isdir(view.VECTORS), "../shared/vectors is not here")
class HtmlVectors(unittest.TestCase):
    """The tokenizer tests of html5lib: text, tags and attributes as the HTML standard reads them."""
    maxDiff = None
    RAW = {"RCDATA state": ("title", "textarea"), "RAWTEXT state": ("style", "xmp", "iframe", "noembed", "noframes"),
           "Script data state": ("script",)}

    def cases(self):
        """(name, open raw element, input, their tokens) of every test that our reader can be asked."""
        for path in sorted(glob.glob(os.path.join(view.VECTORS, "html5lib*", "tokenizer", "*.test"))):
            with open(path, encoding="utf-8") as f:
                tests = json.load(f).get("tests", [])
            for i, test in enumerate(tests):
                text, output = test["input"], test["output"]
                if test.get("doubleEscaped"):
                    text, output = (json.loads(json.dumps(x).replace("\\\\u", "\\u")) for x in (text, output))
                for state in test.get("initialStates", ["Data state"]):
                    open_element = test.get("lastStartTag", "")
                    if state == "Data state":
                        open_element = ""
                    elif open_element not in self.RAW.get(state, ()):
                        open_element = self.RAW[state][0] if not open_element and state in self.RAW else None
                    yield f"{os.path.basename(path)[:-5]}/{i}", open_element, text, output

    @staticmethod
    def theirs(output):
        """Without comments and declarations, which nobody reads; adjacent text as one."""
        tokens = []
        for kind, *rest in output:
            if kind == "Character" and tokens and tokens[-1][0] == "text":
                tokens[-1][1] += rest[0]
            elif kind == "Character":
                tokens.append(["text", rest[0]])
            elif kind in ("StartTag", "EndTag"):
                attributes = sorted(rest[1].items()) if kind == "StartTag" else []
                tokens.append([kind[:-3].lower(), rest[0][:15], attributes])
        return tokens

    @staticmethod
    def ours(found):
        tokens = []
        for kind, text, *attributes in found["tokens"]:
            if kind == "text" and tokens and tokens[-1][0] == "text":
                tokens[-1][1] += text
            elif kind == "text":
                tokens.append([kind, text])
            else:
                pairs = {}
                for name, value in attributes:  # the first of a name counts
                    pairs.setdefault("".join(c.lower() if c.isascii() else c for c in name), value)
                tokens.append([kind, text, sorted(pairs.items()) if kind == "start" else []])
        return tokens

    def test_tokens(self):
        d = Differences(self, "html5lib-tokenizer")
        asked, left_out = [], 0
        for name, element, text, output in self.cases():
            if element is None or "\0" in text or any(0xd800 <= ord(c) < 0xe000 for c in text):
                left_out += 1  # no such state, no NUL (charset.c drops it) and no surrogate comes here
            else:
                asked.append((name, element, text, output))
        found = view.fields("html", [f"{element}\n{text}".replace("\r\n", "\n").replace("\r", "\n")
                                     for _, element, text, _ in asked])
        for (name, _, text, output), got in zip(asked, found):
            d.check(name, "tokens", self.ours(got), self.theirs(output))
        print(f"html5lib-tokenizer: {left_out} cases do not concern a reader of mail (NUL, surrogates, plaintext, CDATA)")
        d.end()


    def test_charset_of_a_page(self):
        """What <meta> says; windows-1252 stands for nothing there, which charset.c then detects."""
        d = Differences(self, "html5lib-encoding")
        for path in sorted(glob.glob(os.path.join(view.VECTORS, "html5lib*", "encoding", "*.dat"))):
            with open(path, encoding="utf-8", errors="replace", newline="") as f:
                cases = re.findall(r"#data\n(.*?)\n#encoding\n(\S+)", f.read(), re.S)
            for i, (got, (_, want)) in enumerate(zip(view.fields("page-charset", [c[0] for c in cases]), cases)):
                d.check(f"{os.path.basename(path)[:-4]}/{i}", "charset", got["charset"].lower() or "windows-1252",
                        want.lower())
        d.end()


class MessageOracle(unittest.TestCase):
    """Generated mail: Python's email package and we read the same."""
    maxDiff = None

    def compare(self, made, ours):
        theirs = email.message_from_bytes(made, policy=email.policy.default)
        plain, html = theirs.get_body(("plain",)), theirs.get_body(("html",))
        leaves = [(kind, hashlib.sha256(body).hexdigest()) for kind, body in python_leaves(theirs)]
        names = [p.get_filename() or "" for p in theirs.walk() if not p.is_multipart()]
        want = {"subject": str(theirs["subject"]), "date": theirs["date"].datetime.isoformat(),
                "from": squeezed(addresses(theirs["from"])), "to": squeezed(addresses(theirs["to"])),
                "cc": squeezed(addresses(theirs["cc"])), "leaves": leaves, "names": names,
                "text": plain.get_content().replace("\r\n", "\n"),
                "html": html.get_content().replace("\r\n", "\n") if html else ""}
        got = {key: ours[key] for key in ("subject", "date", "text", "html")}
        got.update({key: squeezed(our_people(ours, key)) for key in ("from", "to", "cc")})
        got["leaves"] = [(p["type"], p["sha256"]) for p in view.leaves(ours)]
        got["names"] = [p["name"] for p in view.leaves(ours)]
        self.assertEqual(got, want)
        self.assertEqual([x for x in ours["defects"] if x["code"] != "bare-lf"], [])

    def test_python_reads_the_same(self):
        seed, count = os.environ.get("YIZHAN_SEED", "1"), int(os.environ.get("YIZHAN_COUNT", "400"))
        print(f"seed {seed}, {count} messages")
        made = generate.messages(seed, count)
        for i, (message, ours) in enumerate(zip(made, view.view(made))):
            with self.subTest(seed=seed, number=i):
                self.compare(message, ours)


@unittest.skipUnless(shutil.which("iconv"), "there is no iconv")
class MessageCharsets(unittest.TestCase):
    """Every label that glibc knows is read (rule M7)."""
    # Their decoder has been a hole in glibc, and no mail is in it (charset_table.c).
    LEFT_OUT = {"ISO-2022-CN-EXT", "ISO2022CNEXT"}
    TEXTS = ("Hello 123, mail", "HELLO 123", "123")  # the first the charset has

    def encoded(self, label):
        for text in self.TEXTS:
            done = subprocess.run(["iconv", "-f", "UTF-8", "-t", label], input=text.encode(), capture_output=True,
                                  timeout=60)
            if done.returncode == 0:
                return text, done.stdout
        return None, b""

    def test_labels_of_glibc(self):
        listed = subprocess.run(["iconv", "-l"], capture_output=True, check=True, timeout=60).stdout.decode()
        labels = sorted(name for name in (line.strip().rstrip("/") for line in listed.split("\n")) if name)
        self.assertGreater(len(labels), 1000)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            samples = list(pool.map(self.encoded, labels))
        made = [b"Content-Type: text/plain; charset=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n%s" %
                (label.encode(), base64.encodebytes(raw)) for label, (_, raw) in zip(labels, samples)]
        wrong = [(label, text, ours["text"], [d["code"] for d in ours["defects"]])
                 for label, (text, _), ours in zip(labels, samples, view.view(made))
                 if text and label not in self.LEFT_OUT
                 and (ours["text"] != text or any(d["code"] == "bad-charset" for d in ours["defects"]))]
        print(f"{len(labels)} labels, {sum(1 for t, _ in samples if not t)} of which write no Latin letters or digits")
        self.assertEqual(wrong, [])


class MessageParse(unittest.TestCase):
    """yizhan parse: the tree for people, JSON for programs, one part as a file."""

    MAIL = (b"From: =?utf-8?B?6am/56uZ?= <one@north.test>\r\nTo: two@south.test\r\nSubject: x\r\nDate: never\r\n"
            b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nhello\x1b[1m\r\n--a\r\n"
            b"Content-Type: image/png; name=p.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC/w==\r\n--a--\r\n")

    def parse(self, *arguments, mail=MAIL):
        program = os.path.join(view.ROOT, os.environ.get("YIZHAN_BUILD", "build/debug"), "src/yizhan")
        env = dict(os.environ, LC_ALL="C.UTF-8")
        return subprocess.run([program, "parse", *arguments], input=mail, capture_output=True, timeout=60, env=env)

    def test_tree(self):
        done = self.parse()
        text = done.stdout.decode()
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        for line in ("From     驿站 <one@north.test>", "TEXT     multipart/mixed", "  2        image/png",
                     "! bad-date: the Date field is no date: there is none", '4 B as base64, "p.png"'):
            self.assertIn(line, text)
        self.assertNotIn("\x1b", text)  # nothing a stranger wrote reaches the terminal as a command

    def test_json_is_the_view(self):
        self.assertEqual(json.loads(self.parse("--json").stdout), view.view([self.MAIL])[0])

    def test_part(self):
        self.assertEqual(self.parse("--part", "2").stdout, b"\x00\x01\x02\xff")
        done = self.parse("--part", "3")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"there is no part", done.stderr)

    def test_any_bytes(self):
        for mail in (b"", b"\0", b"\xff" * 1000, b"\n" * 1000, b":" * 1000, b"--\n" * 1000):
            done = self.parse("--json", mail=mail)
            self.assertEqual(json.loads(done.stdout)["size"], len(mail))
            self.assertEqual(self.parse(mail=mail).returncode, 0)

    def test_no_such_file(self):
        done = self.parse("/nonexistent/mail")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
