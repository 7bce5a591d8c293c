"""The Chinese README has the sections and commands of the English one; links in documents lead somewhere."""
import os
import re

import tree


def shape(name):
    """The levels of the headings, and the lines of the code blocks that are commands."""
    heads, commands, inside = [], [], False
    for line in tree.lines(name):
        if line.startswith("```"):
            inside = not inside
        elif inside and line.startswith("$ "):
            commands.append(line)
        elif not inside and re.match(r"#+ ", line):
            heads.append(line.split(" ")[0])
    return heads, commands


def findings():
    for name in ("README.md", "README.zh-CN.md"):
        if not os.path.exists(name):
            yield f"{name}: is missing"
            return
    (heads, commands), (zh_heads, zh_commands) = shape("README.md"), shape("README.zh-CN.md")
    if heads != zh_heads:
        yield f"README.zh-CN.md: its headings are {' '.join(zh_heads)}, those of README.md {' '.join(heads)}"
    if commands != zh_commands:
        yield "README.zh-CN.md: its commands are not those of README.md"
    for name in tree.files(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)", tree.read(name)):
            if not re.match(r"[a-z]+:", target) and not os.path.exists(
                    os.path.join(os.path.dirname(name), target)):
                yield f"{name}: the link to {target} leads nowhere"


tree.finish("readme", list(findings()))
