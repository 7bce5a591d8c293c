"""A folder includes only folders of earlier groups, never one of its own group."""
import re

import tree

GROUPS = """base < message net < smtp http < trust store < accounts sieve queue < deliver < intake
    < pop3 imap jmap managesieve < config < agent ops < main"""
RANK = {folder: rank for rank, group in enumerate(GROUPS.split("<")) for folder in group.split()}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def folder_of(path):
    """src/queue/batch.c and "queue/batch.h" are of queue; src/config.h of config, src/main.c of main."""
    parts = path.split("/")
    return parts[0] if len(parts) > 1 else "config" if path.startswith("config") else "main"


def findings():
    for name in tree.files(".c", ".h"):
        if not name.startswith("src/"):
            continue
        inside = name[len("src/"):]
        own = folder_of(inside)
        if own not in RANK:
            yield f"{name}:1: the folder {own} is in no group of tests/check/layers.py"
            continue
        text = tree.read(name)
        included = list(INCLUDE.finditer(text))
        for m in included:
            line = text.count("\n", 0, m.start()) + 1
            quote, what = m.groups()
            if quote == "<":
                continue
            if what.startswith(".") or ("/" not in what and what != "config.h"):
                yield f'{name}:{line}: write "folder/file.h"'
                continue
            other = folder_of(what)
            if other not in RANK:
                yield f"{name}:{line}: {what} is in no folder of ours"
            elif other != own and RANK[other] >= RANK[own]:
                yield f"{name}:{line}: {own} may not include {other} ({what})"
        header = inside[:-2] + ".h"
        mine = [m.group(2) for m in included]
        if name.endswith(".c") and header in mine and mine[0] != header:
            yield f"{name}:1: its own header comes first"
        if name.endswith(".h"):
            guard = re.sub(r"\W", "_", inside).upper()
            if f"#ifndef {guard}\n#define {guard}\n" not in text:
                yield f"{name}:1: the guard is {guard}"


tree.finish("layers", list(findings()))
