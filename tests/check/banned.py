"""Functions and directives nobody uses outside the places made for them (style: banned, flags)."""
import re

import tree

PURE = ("src/base/", "src/net/", "src/message/base64.c", "src/message/qp_kernel.c", "src/store/crc32c.c", "fuzz/replay.c")
# {what, where it is allowed, why it is not elsewhere}
RULES = [
    (r"\b(malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf|vasprintf)\s*\(",
     ("src/base/", "fuzz/", "bench/"), "memory comes from arenas and base/ (mem_alloc)"),
    (r"(?<![\w.>])free\s*\(", ("src/base/", "fuzz/", "bench/"), "memory goes back through base/ (mem_free)"),
    (r"\b(strcpy|strcat|sprintf|vsprintf|strncpy|strncat|strtok|strtok_r|atoi|atol|atoll|atof|gets|alloca)\s*\(",
     (), "each of them has made a hole somewhere (base/banned.h)"),
    (r"\b(gmtime|localtime|ctime|asctime)\s*\(", (), "not safe among threads (base/banned.h)"),
    (r"\b(strtol|strtoul|strtoll|strtoull|sscanf)\s*\(", ("bench/", "src/net/inuse.c"),
     "slice_u64() checks overflow"),
    (r"\b(popen|tmpnam|mktemp|rand|srand|random)\s*\(", (), "there is a better way"),
    (r"\b(setlocale|toupper|tolower|isalpha|isdigit|isalnum|isspace|strcasecmp|strncasecmp)\s*\(", (),
     "no locale: ASCII only (base/slice.h)"),
    (r"#\s*include\s*<(ctype|locale|wctype)\.h>", (), "no locale: ASCII only (base/slice.h)"),
    (r"^\s*#\s*(if|ifdef|elif)\b", PURE, "conditions only in base/, net/ and where the processor matters"),
]


def findings():
    for name in tree.files(".c", ".h"):
        text = tree.code(tree.read(name))
        for pattern, allowed, why in RULES:
            if name.startswith(allowed) if allowed else False:
                continue
            for m in re.finditer(pattern, text, re.M):
                line = text.count("\n", 0, m.start()) + 1
                if m.group(0).lstrip().startswith("#") and "\n" in m.group(0):
                    line += m.group(0).count("\n")
                yield f"{name}:{line}: {m.group(0).strip()}: {why}"
        if name.startswith("src/") and name.endswith(".c") and not name.endswith(("_test.c", "_fuzz.c")) \
                and not re.search(r'#include "base/(banned|test)\.h"', tree.read(name)):
            yield f"{name}:1: base/banned.h is not included"


tree.finish("banned", list(findings()))
