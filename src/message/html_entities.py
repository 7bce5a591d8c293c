#!/usr/bin/env python3
"""Writes html_entities.c: the named character references of the HTML standard (13.5), which Python lists too.

Usage: html_entities.py > html_entities.c
"""
import html.entities
import unicodedata

WIDTH = 98
HEAD = '''/*
 * The named character references of the HTML standard (13.5).  Made by html_entities.py; do not
 * edit.  In a row stand several, a space between: the name, "=" or, when it may lack its ";", ":",
 * and its text.  All are in byte order of their names.
 */
#include "message/html_token.h"

#include "base/banned.h"

const char *const html_entities[] = {'''


def drawn(c):
    return c > "~" and unicodedata.category(c)[0] in "LNPS" and not unicodedata.combining(c)


def escaped(text):
    """As C: characters that draw nothing, or on others, by their bytes."""
    return "".join(c if drawn(c) or ("!" <= c <= "~" and c not in '"\\?') else
                   "".join("\\%03o" % b for b in c.encode()) for c in text)


def main():
    known = html.entities.html5
    print(HEAD)
    line = '    "'
    for name in sorted({n.rstrip(";") for n in known}):
        entry = name + (":" if name in known else "=") + escaped(known[name + ";"])
        if len(line) + 1 + len(entry) > WIDTH:
            print(line + '",')
            line = '    "'
        line += (" " if line[-1] != '"' else "") + entry
    print(line + '",')
    print("};")
    print()
    print("const size_t html_entity_rows = sizeof(html_entities) / sizeof(html_entities[0]);")


main()
