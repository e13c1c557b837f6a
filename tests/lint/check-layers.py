#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails when a file includes a header that its folder may not know: src/LAYERS says who may include
whom in src/; include/liege/ includes nothing of ours but itself; a plugin includes include/liege/
and the files of its own folder.

usage: check-layers.py [ROOT]"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')


def read_layers():
    allowed = {}
    for line in (ROOT / "src/LAYERS").read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line:
            module, _, others = line.partition(":")
            allowed[module] = set(others.split())
    return allowed


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if m := INCLUDE.match(line):
            yield number, m.group(1)


def main():
    layers = read_layers()
    bad = []
    rules = [(f"src/{m}", others | {m, "liege"}) for m, others in layers.items()]
    rules.append(("include/liege", {"liege"}))
    rules += [(f"plugins/{p.name}", {"liege", p.name, "."})
              for p in (ROOT / "plugins").iterdir() if p.is_dir()]

    for module in {p.name for p in (ROOT / "src").iterdir() if p.is_dir()} - set(layers):
        bad.append(f"src/{module}: is not in src/LAYERS")
    for folder, allowed in rules:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            for number, header in includes(path):
                top = header.partition("/")[0] if "/" in header else "."
                if top not in allowed:
                    bad.append(f"{path.relative_to(ROOT)}:{number}: may not include {header}")
    print("\n".join(bad), end="\n" if bad else "")
    return bool(bad)


sys.exit(main())
