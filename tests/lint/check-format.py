#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Names the C files that clang-format would change, and fails if there are any; with --fix it does
change them.

usage: check-format.py [--fix]"""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["include", "src", "plugins", "tests", "tools", "bench"]


def main():
    files = sorted(str(p.relative_to(ROOT)) for f in FOLDERS for p in (ROOT / f).rglob("*.[ch]"))
    if "--fix" in sys.argv[1:]:
        return subprocess.run(["clang-format", "-i", *files], cwd=ROOT).returncode
    run = subprocess.run(["clang-format", "--dry-run", *files], cwd=ROOT, stderr=subprocess.PIPE,
                         text=True)
    changed = sorted({line.partition(":")[0] for line in run.stderr.splitlines()
                      if "[-Wclang-format-violations]" in line})
    for name in changed:
        print(f"{name}: not as clang-format writes it; run: make format")
    return bool(changed) or run.returncode


sys.exit(main())
