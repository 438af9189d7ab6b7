#!/usr/bin/env python3
"""Fills a man page's source with what a program says of itself, so that the two cannot differ.

usage: fill.py TEMPLATE PROGRAM [ARGUMENT...]

The template's line @HELP@ becomes the program's output as it is, the line @OPTIONS@ the same as a list of terms:
a line at the margin names the term, indented lines explain it.
"""
import re
import subprocess
import sys


def escape(text):
    return re.sub(r"([\\*_`#~\[\]])", r"\\\1", text)


def as_block(output):
    return "```\n" + output.rstrip("\n") + "\n```\n"


def as_terms(output):
    """The introduction ends with the first empty line; of each term, further lines go in parentheses behind the first."""
    introduction, _, options = output.partition("\n\n")
    terms = re.findall(r"^(\S.*)\n((?:[ \t]+\S.*\n?)*)", options, re.MULTILINE)
    text = "".join(escape(line) + "\n" for line in introduction.splitlines())
    for term, explained in terms:
        first, *rest = [line.strip() for line in explained.splitlines()] or [""]
        tail = f" ({' '.join(rest)})" if rest else ""
        text += f"\n*{escape(term)}*\n\t{escape(first + tail)}\n"
    return text


def main():
    template, program = sys.argv[1], sys.argv[2:]
    output = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True).stdout
    with open(template, encoding="utf-8") as file:
        for line in file:
            kind = line.strip()
            sys.stdout.write({"@HELP@": as_block, "@OPTIONS@": as_terms}.get(kind, lambda _: line)(output))


main()
