"""
A small IMAP client that hides nothing: every response as parsed lists, numbering exactly as the server said.
"""
import re
import socket


class Lost(Exception):
    """The server closed the connection."""


class Wire:
    def __init__(self, port, host="127.0.0.1", timeout=60):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", 1 << 16)
        self.tag = 0
        self.greeting = self.response()

    def close(self):
        self.file.close()
        self.socket.close()

    # Reading.

    def response(self):
        """One response as bytes, its literals in place, without the last CRLF."""
        whole = b""
        while True:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                raise Lost(repr(whole + line))
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            whole += line
            if not literal:
                return whole[:-2]
            whole += self.file.read(int(literal.group(1)))

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def start(self, command):
        self.tag += 1
        self.send(f"t{self.tag} {command}\r\n")

    def finish(self, on_data=None):
        """Reads to the tagged response of the last command: ("OK", "text")."""
        tag = f"t{self.tag} ".encode()
        while True:
            line = self.response()
            if line.startswith(tag):
                status, _, text = line[len(tag):].decode("utf-8", "replace").partition(" ")
                return status, text
            if line.startswith(b"* "):
                if on_data:
                    on_data(line[2:])
            else:
                raise AssertionError(f"neither untagged nor ours: {line!r}")

    def ask(self, command, on_data=None):
        self.start(command)
        return self.finish(on_data)

    def until_more(self):
        line = self.response()
        if not line.startswith(b"+"):
            raise AssertionError(f"no continuation: {line!r}")


TOKEN = re.compile(rb'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|\{(\d+)\}\r\n|((?:[^\s()\[\]]|\[[^\]]*\])+))')


def parse(data):
    """"UID 5 FLAGS (\\Seen)" as ["UID", "5", "FLAGS", ["\\Seen"]]."""
    stack, at = [[]], 0
    while at < len(data):
        m = TOKEN.match(data, at)
        if not m:
            break
        at = m.end()
        if m.group(1):
            stack.append([])
        elif m.group(2):
            inner = stack.pop()
            stack[-1].append(inner)
        elif m.group(3) is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", m.group(3)).decode("utf-8", "replace"))
        elif m.group(4):
            stack[-1].append(data[at:at + int(m.group(4))].decode("utf-8", "replace"))
            at += int(m.group(4))
        else:
            stack[-1].append(m.group(5).decode("utf-8", "replace"))
    if len(stack) != 1:
        raise AssertionError(f"brackets do not match: {data!r}")
    return stack[0]


def items(pairs):
    """["UID", "5", …] as {"UID": "5"}."""
    return {pairs[i].upper(): pairs[i + 1] for i in range(0, len(pairs) - 1, 2)}


def numbers(text):
    """"1:3,7" as [1, 2, 3, 7]."""
    found = []
    for piece in text.split(","):
        low, _, high = piece.partition(":")
        found += range(min(int(low), int(high or low)), max(int(low), int(high or low)) + 1)
    return found


def code(text, name):
    """The arguments of "[NAME …]" in a status text, or None."""
    m = re.search(r"\[" + name + r"(?: ([^\]]*))?\]", text, re.I)
    return None if not m else m.group(1) or ""
