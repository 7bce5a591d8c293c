"""
Random mail in every charset, encoding and structure, from a seed.  Used by message_test.py; alone it
writes messages into a folder:  python3 tests/message/generate.py SEED COUNT FOLDER
"""
import base64
import os
import quopri
import random
import sys

# Charset label (as mail has it), Python's codec, and words of a language that uses it.
CHINESE = "驿站 你好 世界 中文 邮件 测试 北京 上海 我们 今天 天气 很好 附件 请查收 谢谢"
TRADITIONAL = "驛站 你好 世界 中文 郵件 測試 臺北 香港 我們 今天 天氣 很好 附件 請查收 謝謝"
JAPANESE = "こんにちは 世界 日本語 メール テスト 東京 今日は よい 天気 です 添付 ファイル"
KOREAN = "안녕하세요 세계 한국어 메일 시험 서울 오늘 날씨 좋습니다 첨부 파일 감사합니다"
RUSSIAN = "Привет мир почта проверка Москва сегодня хорошая погода вложение спасибо"
UKRAINIAN = RUSSIAN + " їжак Київ ґанок"
GREEK = "Γειά σου κόσμε αλληλογραφία δοκιμή Αθήνα σήμερα καλός καιρός"
LATIN1 = "Grüße aus Köln café naïve señor Århus façade"
LATIN2 = "Příliš žluťoučký kůň úpěl ďábelské ódy zażółć gęślą jaźń"
TURKISH = "Günaydın İstanbul şehir ığdır çöp ağaç"
HEBREW = "שלום עולם דואר בדיקה ירושלים"
ARABIC = "مرحبا العالم بريد اختبار القاهرة"
BALTIC = "Labas pasauli ąžuolas žąsis šešėlis ėjo"
VIETNAMESE = "Xin chào thế giới thư điện tử"
THAI = "สวัสดี ชาวโลก จดหมาย ทดสอบ"
ASCII = "hello world mail test north south letter station rider today fine weather"

CHARSETS = [
    ("us-ascii", "ascii", ASCII), ("utf-8", "utf-8", CHINESE + " " + LATIN1 + " 😀 𠮷"), ("UTF-8", "utf-8", RUSSIAN),
    ("gb2312", "gb2312", CHINESE), ("GBK", "gbk", CHINESE), ("gb18030", "gb18030", CHINESE + " 𠮷"),
    ("hz-gb-2312", "hz", CHINESE), ("big5", "big5", TRADITIONAL), ("big5-hkscs", "big5hkscs", TRADITIONAL),
    ("shift_jis", "shift_jis", JAPANESE), ("euc-jp", "euc_jp", JAPANESE), ("iso-2022-jp", "iso2022_jp", JAPANESE),
    ("euc-kr", "euc_kr", KOREAN), ("ks_c_5601-1987", "euc_kr", KOREAN), ("iso-2022-kr", "iso2022_kr", KOREAN),
    ("koi8-r", "koi8_r", RUSSIAN), ("koi8-u", "koi8_u", UKRAINIAN), ("windows-1251", "cp1251", UKRAINIAN),
    ("iso-8859-5", "iso8859_5", RUSSIAN), ("iso-8859-1", "latin_1", LATIN1), ("windows-1252", "cp1252", LATIN1 + " €"),
    ("iso-8859-15", "iso8859_15", LATIN1 + " €"), ("iso-8859-2", "iso8859_2", LATIN2), ("windows-1250", "cp1250", LATIN2),
    ("iso-8859-7", "iso8859_7", GREEK), ("windows-1253", "cp1253", GREEK), ("iso-8859-9", "iso8859_9", TURKISH),
    ("windows-1254", "cp1254", TURKISH), ("iso-8859-8", "iso8859_8", HEBREW), ("windows-1255", "cp1255", HEBREW),
    ("iso-8859-6", "iso8859_6", ARABIC), ("windows-1256", "cp1256", ARABIC), ("iso-8859-13", "iso8859_13", BALTIC),
    ("windows-1257", "cp1257", BALTIC), ("tis-620", "tis_620", THAI), ("utf-7", "utf_7", CHINESE + " a+b"),
    ("utf-16", "utf_16", CHINESE), ("utf-16be", "utf_16_be", RUSSIAN), ("utf-16le", "utf_16_le", GREEK),
]
WIDE = ("utf-16", "utf-16be", "utf-16le")
STATEFUL = ("utf-7", "hz-gb-2312", "iso-2022-jp", "iso-2022-kr")


def words(r, text, least, most):
    return " ".join(r.choice(text.split()) for _ in range(r.randint(least, most)))


def encoded(r, text, label, codec):
    """Text as encoded words of a charset, B or Q, cut where no character is split."""
    out, run = [], ""
    for c in text:
        if len((run + c).encode(codec)) > 30:
            out.append(run)
            run = ""
        run += c
    out.append(run)

    def word(s):
        raw = s.encode(codec)
        if r.random() < 0.5 or label in WIDE + STATEFUL:
            return "=?%s?B?%s?=" % (label, base64.b64encode(raw).decode())
        q = "".join(chr(b) if chr(b).isalnum() and b < 128 else "_" if b == 32 else "=%02X" % b for b in raw)
        return "=?%s?Q?%s?=" % (label, q)

    return "\r\n ".join(word(s) for s in out)


def subject(r):
    label, codec, text = r.choice([c for c in CHARSETS if c[0] != "utf-16"])  # a mark of byte order is for bodies
    plain = words(r, text, 1, 12)
    if label == "us-ascii":
        return plain
    if r.random() < 0.3 and label not in WIDE:
        return words(r, ASCII, 1, 3) + " " + encoded(r, plain, label, codec)
    return encoded(r, plain, label, codec)


def address(r):
    local = r.choice(["one", "two", "first.last", "a+b", "x_y-z", '"quoted local"'])
    domain = r.choice(["north.test", "south.test", "a.b.c.example"])
    spec = f"{local}@{domain}"
    kind = r.random()
    if kind < 0.2:
        return spec
    if kind < 0.4:
        return f"{words(r, ASCII, 1, 3)} <{spec}>"
    if kind < 0.6:
        return '"%s" <%s>' % (r.choice(["Last, First", "A \\\"B\\\" C", "x@y; z", "Dr. (No)"]), spec)
    label, codec, text = r.choice([c for c in CHARSETS if c[0] not in WIDE + ("us-ascii",)])
    return f"{encoded(r, words(r, text, 1, 3), label, codec)} <{spec}>"


def addresses(r):
    found = ", ".join(address(r) for _ in range(r.randint(1, 4)))
    if r.random() < 0.1:
        return f"group: {found};"
    return found.replace(", ", ",\r\n ") if r.random() < 0.3 else found


def date(r):
    day, month = r.randint(1, 28), r.choice("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
    zone = r.choice(["+0000", "+0800", "-0330", "+0545", "-0800", "GMT", "EST", "+0100 (CET)"])
    return r.choice(["", "Mon, "]) + f"{day} {month} {r.randint(1990, 2037)} {r.randint(0, 23):02}:{r.randint(0, 59):02}" + \
        f":{r.randint(0, 59):02} {zone}"


def encode_body(r, raw, text):
    """The body and its Content-Transfer-Encoding: 7bit or 8bit only for text that allows it."""
    choices = ["base64"]
    if text:
        choices.append("quoted-printable")
        if all(b < 128 for b in raw) and b"\0" not in raw:
            choices.append("7bit")
        elif b"\0" not in raw:
            choices.append("8bit")
    encoding = r.choice(choices)
    if encoding == "base64":
        return base64.encodebytes(raw).replace(b"\n", b"\r\n"), encoding
    if encoding == "quoted-printable":
        lines = [quopri.encodestring(line).replace(b"=\n", b"=\r\n") for line in raw.split(b"\r\n")]
        return b"\r\n".join(lines), encoding
    return raw, encoding


def field(name, value):
    return f"{name}: {value}\r\n".encode("latin-1")


def text_part(r, subtype="plain", attachment=False):
    label, codec, text = r.choice(CHARSETS)
    lines = [words(r, text, 0, 8) for _ in range(r.randint(1, 12))]
    if subtype == "html":
        lines = ["<html><body>"] + [f"<p>{line}</p>" for line in lines] + ["</body></html>"]
    raw = "\r\n".join(lines)
    if r.random() < 0.8:
        raw += "\r\n"
    raw = raw.encode(codec)
    if label in WIDE:
        body, encoding = base64.encodebytes(raw).replace(b"\n", b"\r\n"), "base64"
    else:
        body, encoding = encode_body(r, raw, True)
    quoted = f'"{label}"' if r.random() < 0.5 else label
    head = field("Content-Type", f"text/{subtype}; charset={quoted}")
    if encoding != "7bit" or r.random() < 0.5:
        head += field("Content-Transfer-Encoding", r.choice([encoding, encoding.upper()]))
    if attachment:
        head += field("Content-Disposition", 'attachment; filename="notes.txt"')
    return head, body


def filename(r):
    name = r.choice(["a.bin", "report 2026.pdf", "照片.jpg", "Grüße.txt", "very long name " * 6 + ".doc"])
    kind = r.random()
    if kind < 0.4 and name.isascii():
        return f'filename="{name}"'
    if kind < 0.7:
        return "filename*=utf-8''" + "".join("%%%02X" % b for b in name.encode())
    pieces = ["".join("%%%02X" % b for b in name.encode()[i:i + 20]) for i in range(0, len(name.encode()), 20)]
    return ";\r\n ".join(f"filename*{i}*={'' if i else 'utf-8' + chr(39) * 2}{p}" for i, p in enumerate(pieces))


def binary_part(r):
    raw = r.randbytes(r.choice([0, 1, 2, 3, 57, 1000, 20000]))
    body = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    kind = r.choice(["application/octet-stream", "image/png", "application/pdf", "audio/mpeg"])
    return (field("Content-Type", kind) + field("Content-Transfer-Encoding", "base64")
            + field("Content-Disposition", "attachment; " + filename(r)), body)


def multipart(r, subtype, parts):
    boundary = r.choice(["b%d", "=_%d_=", "----=_Part_%d.%%d" % r.randint(0, 99), "a b%d"]) % r.randint(0, 10 ** 9)
    out = [b"preamble\r\n" if r.random() < 0.3 else b""]
    for head, body in parts:
        out.append(b"--" + boundary.encode() + r.choice([b"", b" "]) + b"\r\n" + head + b"\r\n" + body + b"\r\n")
    out.append(b"--" + boundary.encode() + b"--\r\n" + (b"epilogue\r\n" if r.random() < 0.3 else b""))
    return field("Content-Type", f'multipart/{subtype}; boundary="{boundary}"'), b"".join(out)


def body(r, depth=0):
    """A tree with one plain text body, perhaps HTML beside it, and attachments."""
    tree = text_part(r)
    if r.random() < 0.4:
        html = text_part(r, "html")
        if r.random() < 0.4:
            html = multipart(r, "related", [html] + [binary_part(r) for _ in range(r.randint(1, 2))])
        tree = multipart(r, "alternative", [tree, html])
    for _ in range(r.randint(0, 3) if depth < 4 else 0):
        more = []
        for _ in range(r.randint(1, 3)):
            kind = r.random()
            if kind < 0.6:
                more.append(binary_part(r))
            elif kind < 0.8:
                more.append(text_part(r, attachment=True))
            elif depth < 3:
                more.append((field("Content-Type", "message/rfc822")
                             + field("Content-Disposition", "attachment"), message(r, depth + 1)))
        tree = multipart(r, r.choice(["mixed", "mixed", "x-unknown"]), [tree] + more)
    return tree


def message(r, depth=0):
    head = field("From", address(r)) + field("To", addresses(r))
    if r.random() < 0.5:
        head += field("Cc", addresses(r))
    head += field("Subject", subject(r)) + field("Date", date(r)) + field("MIME-Version", "1.0")
    head += field("Message-ID", f"<{r.getrandbits(64):x}@north.test>")
    if r.random() < 0.3:
        head += field("References", "\r\n ".join(f"<{r.getrandbits(32):x}@south.test>" for _ in range(r.randint(1, 5))))
    more, content = body(r, depth)
    made = head + more + b"\r\n" + content
    return made.replace(b"\r\n", b"\n") if depth == 0 and b"\r" not in made.replace(b"\r\n", b"") \
        and r.random() < 0.2 else made


def messages(seed, count):
    return [message(random.Random(f"{seed}/{i}")) for i in range(count)]


if __name__ == "__main__":
    os.makedirs(sys.argv[3], exist_ok=True)
    for i, made in enumerate(messages(sys.argv[1], int(sys.argv[2]))):
        with open(os.path.join(sys.argv[3], f"{i:06}.eml"), "wb") as f:
            f.write(made)
