"""Writes the scripts as string literals, each with its SHA1, into one C header.

usage: embed.py OUT.h SCRIPT.lua...
"""
import hashlib
import pathlib
import sys

with open(sys.argv[1], "w", encoding="ascii") as header:
    for path in map(pathlib.Path, sys.argv[2:]):
        source = path.read_text(encoding="ascii")
        name = "MR_LUA_" + path.stem.upper()
        escaped = source.replace("\\", "\\\\").replace('"', '\\"')
        lines = " \\\n".join(f'    "{line}\\n"' for line in escaped.splitlines())
        header.write(f'#define {name}_SHA1 "{hashlib.sha1(source.encode()).hexdigest()}"\n')
        header.write(f"#define {name} \\\n{lines}\n")
