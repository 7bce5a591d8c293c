"""Mails for tests: many kinds of attachments, and the proof that every byte arrived."""
import email
import email.policy
import hashlib
import random
from email.message import EmailMessage

SUBJECT = "驿站第一封信：马到成功 🐎"
TEXT = "你好，南站！\n这封信从北站出发，经过两个驿站。\n.一行以点开头\n..两点\nFrom 行首\n末行没有换行"


def attachments(seed=1):
    """Ten kinds: (file name, type, bytes)."""
    r = random.Random(seed)
    png = b"\x89PNG\r\n\x1a\n" + r.randbytes(20_000)
    return [
        ("照片.png", "image/png", png),
        ("report.pdf", "application/pdf", b"%PDF-1.7\n" + r.randbytes(150_000) + b"\n%%EOF\n"),
        ("data.csv", "text/csv", "姓名,数\r\n甲,1\r\n乙,2\r\n".encode()),
        ("empty.bin", "application/octet-stream", b""),
        ("one-byte.bin", "application/octet-stream", b"\0"),
        ("all-bytes.bin", "application/octet-stream", bytes(range(256)) * 20),
        ("long-line.txt", "application/x-text", b"x" * 5000),
        ("archive.tar.gz", "application/gzip", b"\x1f\x8b\x08\0" + r.randbytes(300_000)),
        ("a name with spaces and \"quotes\".txt", "application/x-text", b"quoted\n"),
        ("bare.bin", "application/octet-stream", b"a\rb\nc\r\nd\0.\r\n.\r\n"),
    ]


def letter(sender, recipient, subject=SUBJECT, text=TEXT, files=None, message_id=None):
    """A MIME message with attachments, as bytes with CRLF."""
    m = EmailMessage(policy=email.policy.SMTP)
    m["From"], m["To"], m["Subject"] = sender, recipient, subject
    m["Date"] = "Mon, 23 Nov 2026 20:00:00 +0000"
    m["Message-ID"] = message_id or f"<{random.randrange(1 << 60):x}@journey.test>"
    m.set_content(text, cte="base64")
    for name, kind, content in attachments() if files is None else files:
        main, sub = kind.split("/")
        m.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return m.as_bytes()


def opened(content):
    """(subject, text, [(name, sha256)]) of a message."""
    m = email.message_from_bytes(content, policy=email.policy.default)
    body = m.get_body(("plain",))
    return (m["Subject"], body.get_content().replace("\r\n", "\n").rstrip("\n") if body else None,
            [(p.get_filename(), hashlib.sha256(p.get_payload(decode=True)).hexdigest()) for p in m.iter_attachments()])


def expected(subject=SUBJECT, text=TEXT, files=None):
    return (subject, text, [(n, hashlib.sha256(c).hexdigest()) for n, _, c in (attachments() if files is None else files)])
