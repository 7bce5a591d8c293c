#!/usr/bin/env python3
"""Writes charset_models.c: how often each character of a language occurs, as costs.

Beside the high bytes of a single-byte charset there is a row for the words they stand in: how often
a-z occur in such words, and whether a high letter ends its word, both relative to the mean of the
Latin languages (so that these costs may be negative, and a-z simply cost something where words are in another script).

Reads the translations installed in /usr/share/locale (any Debian desktop has them); only letter
counts go into the result.  Every second file is left out with --half, to measure on the others.
Usage: charset_models.py [--half] > charset_models.c
"""
import collections
import glob
import math
import re
import struct
import sys

SINGLE = {  # charset: (Python codec, languages)
    "windows-1252": ("cp1252", "fr de es pt it nl sv da nb fi is ca gl ga af"),
    "windows-1250": ("cp1250", "pl cs sk hu ro hr sl"),
    "windows-1251": ("cp1251", "ru uk bg be sr mk"),
    "windows-1253": ("cp1253", "el"),
    "windows-1254": ("cp1254", "tr"),
    "windows-1255": ("cp1255", "he"),
    "windows-1256": ("cp1256", "ar fa"),
    "windows-1257": ("cp1257", "lt lv et"),
    "windows-1258": ("cp1258", "vi"),
    "KOI8-R": ("koi8-r", "ru bg"),
}
LATIN = ["windows-1252", "windows-1250", "windows-1254", "windows-1257", "windows-1258"]
DOUBLE = {  # charset: (codec, language, characters kept)
    "GB18030": ("gb18030", "zh_CN", 900),
    "Big5-HKSCS": ("big5hkscs", "zh_TW", 900),
    "Shift_JIS": ("cp932", "ja", 700),
    "EUC-JP": ("euc_jp", "ja", 700),
    "EUC-KR": ("cp949", "ko", 700),
}
PUNCTUATION = "\u201c\u201d\u2018\u2019\u2013\u2014\u2026\u00ab\u00bb\u201e\u201a\u2022\u00b0\u00a7\u00a9\u00ae\u20ac\u00a0"
# General text has other frequent characters than software has: these get a floor of their own.
COMMON = {
    "zh_CN": "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学么之都好看起发当没成只如事把还用第样道想作种开美总从无情己面最女但现前些所同日手又行意动方期它头经长儿回位分爱老因很给名法间斯知世什两次使身者被高已亲其进此话常与活正感",
    "zh_TW": "的一是了我不人在他有這個上們來到時大地為子中你說生國年著就那和要她出也得裡後自以會家可下而過天去能對小多然於心學麼之都好看起發當沒成只如事把還用第樣道想作種開美總從無情己面最女但現前些所同日手又行意動方期它頭經長兒回位分愛老因很給名法間斯知世什兩次使身者被高已親其進此話常與活正感",
    "ja": "のにをはがでとたしていなるれさもかこらまっすきうくあえおけせそちつどばみよりわんだじげごずびべぼめやゆろ人日大年私今何時行見出会来本中気思子上前手分国間生自月一二三",
    "ko": "이다는에을의가를고하한은로지사자기어나도리대인시아서그정보있들게만부해전일수라면제여안과것요우니오상서습",
}
SCALE = 8  # costs are SCALE * -ln(p)


def translations(name):
    """The translated texts of a .mo file, without its header."""
    with open(name, "rb") as f:
        data = f.read()
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, _, table = struct.unpack(order + "III", data[8:20])
    for i in range(1, count):
        length, start = struct.unpack(order + "II", data[table + 8 * i:table + 8 * i + 8])
        text = data[start:start + length]
        yield text.decode("utf-8", "ignore")


CACHE = {}


def corpus(language, half):
    """Counts of characters, and of (a-z, "end", "inside") in words with letters beyond ASCII."""
    if language not in CACHE:
        CACHE[language] = read_corpus(language, half)
    return CACHE[language]


def read_corpus(language, half):
    counts, words = collections.Counter(), collections.Counter()
    names = sorted(glob.glob("/usr/share/locale/%s/LC_MESSAGES/*.mo" % language))
    if language == "pt":
        names += sorted(glob.glob("/usr/share/locale/pt_BR/LC_MESSAGES/*.mo"))
    for name in names[:: 2 if half else 1]:
        one = collections.Counter()
        for text in translations(name):
            one.update(text)
            for word in re.findall(r"[^\W\d_]+", text.lower()):
                if not word.isascii():
                    words.update(c for c in word if c.isascii())
                    for i, c in enumerate(word):
                        if not c.isascii():
                            words["end" if i + 1 == len(word) else "inside"] += 1
        total = sum(one.values())
        for c, n in one.items():  # no file counts more than 20,000 characters
            counts[c] += n * min(1, 20000 / total)
    return counts, words


def word_row(words):
    """Probabilities of a-z and of a high letter that ends its word, smoothed."""
    letters = sum(words[chr(c)] for c in range(97, 123)) + 26
    row = [(words[chr(c)] + 1) / letters for c in range(97, 123)]
    high = words["end"] + words["inside"] + 2
    return row + [(words["end"] + 1) / high, (words["inside"] + 1) / high]


def relative(row, mean):
    return [max(-127, min(127, round(-SCALE * math.log(p / m)))) for p, m in zip(row, mean)]


def cost(p):
    return min(255, round(-SCALE * math.log(p)))


def decode_byte(codec, b):
    try:
        return bytes([b]).decode(codec)
    except UnicodeDecodeError:
        return None


def single(codec, counts):
    letters = collections.Counter()
    for c, n in counts.items():
        for d in c.lower():
            letters[d] += n
    if codec == "cp1258":  # precomposed letters are written as a letter and a mark
        letters = collections.Counter()
        for c, n in counts.items():
            for b in vietnamese(c.lower()):
                letters[bytes([b]).decode("cp1258")] += n
    table = [decode_byte(codec, b) for b in range(128, 256)]
    usable = sum(letters[c.lower()] for c in set(t for t in table if t and t.isalpha() or t and 0x300 <= ord(t) < 0x370)
                 if c == c.lower()) or 1
    row = []
    for c in table:
        if c is None or 0x80 <= ord(c) < 0xA0:
            row.append(SCALE * 14)
        elif c in PUNCTUATION:
            row.append(SCALE * 5)
        elif not c.isalpha() and not 0x300 <= ord(c) < 0x370 and letters[c] / usable < 0.001:
            row.append(SCALE * 10)
        else:
            upper = c != c.lower()
            p = 0.85 * letters[c.lower()] / usable + 0.0003
            row.append(cost(p * (0.08 if upper else 0.92 if c.upper() != c else 1)))
    return row


def vietnamese(c):
    import unicodedata
    try:
        return c.encode("cp1258")
    except UnicodeEncodeError:
        pass
    try:
        parts = unicodedata.normalize("NFD", c)
        base = unicodedata.normalize("NFC", parts[:-1]) if len(parts) > 1 else parts
        if len(parts) == 3:  # the tone is the mark that cp1258 has alone
            for tone in parts[1:]:
                rest = "".join(x for x in parts if x != tone)
                try:
                    return unicodedata.normalize("NFC", rest).encode("cp1258") + tone.encode("cp1258")
                except UnicodeEncodeError:
                    continue
        return base.encode("cp1258") + parts[-1].encode("cp1258")
    except UnicodeEncodeError:
        return b""


def double(codec, language, keep, counts):
    wide = collections.Counter({c: n for c, n in counts.items() if ord(c) >= 0x80})
    total = sum(wide.values()) or 1
    p = {c: 0.6 * n / total for c, n in wide.items()}
    for rank, c in enumerate(dict.fromkeys(COMMON[language])):
        p[c] = p.get(c, 0) + 0.3 * (0.02 if rank < 10 else 0.008 if rank < 50 else 0.004)
    for c in "，。、：；！？「」（）《》“”·ー々":
        p[c] = max(p.get(c, 0), 0.004)
    codes = {}
    for c, x in sorted(p.items(), key=lambda i: -i[1]):
        try:
            b = c.encode(codec)
        except UnicodeEncodeError:
            continue
        if len(b) == 2 and len(codes) < keep:
            codes[b[0] << 8 | b[1]] = cost(x)
    return sorted(codes.items())


def main():
    half = "--half" in sys.argv
    print("/* Made by charset_models.py; do not edit. */")
    print('#include "message/charset_models.h"\n\n#include "base/banned.h"\n')
    print("const struct single_model single_models[] = {")
    latin = [word_row(corpus(l, half)[1]) for c in LATIN for l in SINGLE[c][1].split()]
    mean = [sum(r[i] for r in latin) / len(latin) for i in range(28)]
    for charset, (codec, languages) in SINGLE.items():
        for language in languages.split():
            counts, words = corpus(language, half)
            row = single(codec, counts)
            near = relative(word_row(words), mean)
            if charset not in LATIN:
                near = [SCALE] * 26 + near[26:]  # words there are not mixed
            print('{"%s", "%s", {%s}, {%s}, %d, %d},' % (
                charset, language, ", ".join(map(str, row)), ", ".join(map(str, near[:26])), near[26], near[27]))
    print("};\nconst size_t single_model_count = sizeof(single_models) / sizeof(single_models[0]);\n")
    for charset, (codec, language, keep) in DOUBLE.items():
        rows = double(codec, language, keep, corpus(language, half)[0])
        name = charset.lower().replace("-", "_")
        print("static const struct code_cost %s[] = {" % name)
        print(", ".join("{0x%x, %d}" % r for r in rows) + "};\n")
    print("const struct double_model double_models[] = {")
    for charset in DOUBLE:
        name = charset.lower().replace("-", "_")
        print('{"%s", %s, sizeof(%s) / sizeof(%s[0])},' % (charset, name, name, name))
    print("};\nconst size_t double_model_count = sizeof(double_models) / sizeof(double_models[0]);")


main()
