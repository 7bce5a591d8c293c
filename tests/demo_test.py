"""
What `yizhan demo --once` prints is what happened: its narration against tests/golden/demo.txt, with
times, ports, ids and sizes masked.  UPDATE=1 writes the golden file anew.
"""
import os
import re
import signal
import subprocess
import tempfile
import unittest

from posts import PortBase, program

PORTS = (25, 587, 465, 110, 995, 143, 993, 80)
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden", "demo.txt")
STEP = re.compile(r"^\d\d:\d\d:\d\d\.\d{3}  (.{1,44}?) {2,}(\S.*?) {2,}(.*)$")


class Bases:
    """Two port bases 1,000 apart."""

    def __enter__(self):
        while True:
            self.first = PortBase()
            if all(PortBase.is_free(self.first.base + 1000 + p) for p in PORTS):
                return self.first.base
            self.first.close()

    def __exit__(self, *unused):
        self.first.close()


def masked(line, base, directory):
    line = line.replace(directory, "DIR")
    for port in PORTS:  # as if the bases were 1000 and 2000
        line = re.sub(rf"\b{base + port}\b", str(1000 + port), line)
        line = re.sub(rf"\b{base + 1000 + port}\b", str(2000 + port), line)
    line = line.replace(", resumed", "")
    line = re.sub(r"\b\w{3}, \d+ \w{3} \d{4} ", "DATE ", re.sub(r"\d{4}-\d\d-\d\d (?=\d\d:\d\d  )", "DATE ", line))
    line = re.sub(r"UIDVALIDITY \d+|(APPENDUID|COPYUID) \d+", r"\1 UIDVALIDITY", line)
    line = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME", line)
    line = re.sub(r"\b\d\d:\d\d(:\d\d(\.\d+)?)?\b", "TIME", line)
    line = re.sub(r"\b[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}\b", "PASSWORD", line)
    line = re.sub(r"\b(?=[a-z]*\d)[0-9a-hjkmnp-tv-z]{13}\b", "ID", line)
    line = re.sub(r"\b127\.0\.0\.1:\d{5}\b", "127.0.0.1:PORT", line)
    line = re.sub(r"\b127\.0\.0\.1:(?:3[3-9]|[4-6]\d)\d{3}\b", "127.0.0.1:PORT", line)
    line = re.sub(r"\b(SIZE|size|batch|HOLDFOR)=\d+", r"\1=N", line)
    line = re.sub(r"EHLO (?!north\.test)\S+;", "EHLO HOST;", line)
    line = re.sub(r"(after|holds|logged in:) \d+ (message|mail)s?", r"\1 N \2s", line)
    line = re.sub(r" {2,}\d+ B\b", "  N B", line)
    line = re.sub(r"(<[^>@]{8,})@(north|south)\.test>", r"<MESSAGE-ID@\2.test>", line)
    line = re.sub(r"\b\d+([.,]\d+)? ?(octets|bytes|KiB|MiB|ms|s)\b", r"N \2", line)
    return re.sub(r"HOLDUNTIL=\S+", "HOLDUNTIL=TIME", line)


def canonical(output, base, directory):
    """
    Our own lines in their order, then what was narrated, each step once, by dialogue.  (How many
    connections a destination gets, and what overlaps, is the scheduler's business.)
    """
    own, dialogues = [], {}
    for line in output.splitlines():
        step = STEP.match(line)
        if not step:
            own.append(masked(line, base, directory).rstrip())
            continue
        who, phase, text = (masked(part, base, directory) for part in step.groups())
        dialogues.setdefault(who, {}).setdefault(f"  {phase:<14} {text}", None)
    for who in sorted(dialogues):
        own += ["", who] + list(dialogues[who])
    return "\n".join(own) + "\n"


class Demo(unittest.TestCase):
    maxDiff = None

    def test_once(self):
        with Bases() as base, tempfile.TemporaryDirectory(prefix="yizhan-demo-") as directory:
            done = subprocess.run([program(), "demo", "--once", "--dir", directory, "--port-base", str(base)],
                                  capture_output=True, text=True, timeout=180, env=dict(os.environ, LC_ALL="C.UTF-8"))
            self.assertEqual(0, done.returncode, done.stdout[-3000:] + done.stderr)
            self.assertIn("Every byte arrived.", done.stdout)
            text = canonical(done.stdout, base, os.path.realpath(directory))
        if os.environ.get("UPDATE"):
            with open(GOLDEN, "w", encoding="utf-8") as f:
                f.write(text)
        with open(GOLDEN, encoding="utf-8") as f:
            self.assertEqual(f.read(), text)

    def test_live_starts_and_stops(self):
        with Bases() as base, tempfile.TemporaryDirectory(prefix="yizhan-demo-") as directory:
            demo = subprocess.Popen([program(), "demo", "--dir", directory, "--port-base", str(base)],
                                    stdout=subprocess.PIPE, text=True, env=dict(os.environ, LC_ALL="zh_CN.UTF-8"))
            try:
                seen = []
                for line in demo.stdout:
                    seen.append(line)
                    if "Ctrl-C" in line:
                        break
                self.assertIn("one@north.test", "".join(seen))
                self.assertIn("驿站", "".join(seen))
                demo.send_signal(signal.SIGINT)
                self.assertEqual(0, demo.wait(30), "".join(seen))
            finally:
                demo.kill()
                demo.wait()
                demo.stdout.close()


if __name__ == "__main__":
    unittest.main()
