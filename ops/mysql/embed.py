"""Writes the migrations as a table in C, each with its SHA-256, in the order of their numbers.

usage: embed.py OUT.c NNNN_name.sql...
"""
import hashlib
import pathlib
import re
import sys


def literal(text: bytes) -> str:
    """The bytes as C string literals, a line each."""
    lines = []
    for line in text.splitlines(keepends=True):
        plain = line.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("?", "\\?")
        lines.append('     "' + "".join(c if 32 <= ord(c) < 127 else f"\\{ord(c):03o}" for c in plain) + '"')
    return "\n".join(lines)


rows = {}
for path in map(pathlib.Path, sys.argv[2:]):
    match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", path.name)
    if not match or int(match[1]) in rows:
        sys.exit(f"{path}: a migration is called NNNN_name.sql, with a number of its own")
    text = path.read_bytes()
    rows[int(match[1])] = (
        f'    {{{int(match[1])}, "{match[2]}", "{path.name}", "{hashlib.sha256(text).hexdigest()}",\n{literal(text)}}},\n'
    )

with open(sys.argv[1], "w", encoding="ascii") as out:
    out.write('#include "ops/workerctl/migrate.h"\n\n')
    out.write("const struct mr_migration mr_migrations[] = {\n")
    out.write("".join(rows[number] for number in sorted(rows)))
    out.write("};\n\n")
    out.write(f"const unsigned mr_n_migrations = {len(rows)};\n")
