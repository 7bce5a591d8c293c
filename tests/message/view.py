"""The parser under test, as Python sees it: messages and fields in, JSON out."""
import json
import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VECTORS = os.path.join(ROOT, "..", "shared", "vectors")
PROGRAM = os.path.join(ROOT, os.environ.get("YIZHAN_BUILD", "build/debug"), "src/message/message_view")


def run(arguments, **options):
    done = subprocess.run([PROGRAM] + arguments, capture_output=True, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"message_view exited {done.returncode}: {done.stderr[-3000:].decode(errors='replace')}")
    lines = done.stdout.decode("utf-8").split("\n")  # not splitlines: strings may hold U+2028
    return [json.loads(line) for line in lines if line]


def view_files(paths):
    """The JSON of each file."""
    found = []
    for at in range(0, len(paths), 100):
        found += run(paths[at:at + 100])
    return found


def view(messages):
    """The JSON of each message (bytes)."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, message in enumerate(messages):
            paths.append(os.path.join(folder, f"{i:06}"))
            with open(paths[-1], "wb") as f:
                f.write(message)
        return view_files(paths)


def fields(kind, values):
    """The JSON of each value (str) of a field: mailbox, received, type, authres."""
    return run(["--field", kind], input=b"".join(v.encode() + b"\0" for v in values))


def leaves(message):
    """The parts of a view that hold no other parts."""
    numbers = [p["part"] for p in message["parts"]]

    def holds(p):
        return p["type"].startswith("multipart/") or any(n.startswith(p["part"] + ".") for n in numbers)

    return [p for p in message["parts"] if not holds(p)]
