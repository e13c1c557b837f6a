#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails on text that must not be in the tree: words for unfinished work, paths of the machine it
was written on, tabs and line comments in C, files without a licence line or with two jobs' worth of
lines, tests that sleep instead of waiting for an event.

usage: check-text.py [ROOT]"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
ROOT = ROOT.resolve()
LINES_MAX = 1000

# (folders, name pattern, what no line may have, why)
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
RULES = [
    ("", r".*", UNFINISHED, "unfinished work"),
    ("", r".*", re.compile(rf"(?<![\w.]){re.escape(str(ROOT))}/"), "path of this machine"),
    ("", r".*(?<!\.md)", re.compile(r"[ \t]+$"), "blanks at the end of the line"),
    ("", r".*\.[ch]", re.compile(r"\t"), "tab"),
    ("", r".*\.[ch]", re.compile(r"^\s*//|;\s+//"), "line comment"),
    ("tests/behaviour tests/conformance tests/harness", r".*\.py", re.compile(r"\btime\.sleep\("),
     "sleep: wait for the event"),
]
LICENSED = re.compile(r".*\.([ch]|py|pl|sh)|Makefile")


def tracked_files():
    """What git would commit, or every file where there is no git."""
    try:
        names = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        found = [ROOT / n for n in names.split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        found = [p for p in ROOT.rglob("*") if not re.match(r"build|\.git/", str(p.relative_to(ROOT)))]
    return [p for p in sorted(set(found)) if p.is_file() and not p.is_symlink()]


def problems_of(path):
    name = str(path.relative_to(ROOT))
    raw = path.read_bytes()
    if b"\0" in raw or "/corpus" in name or name.startswith("examples/") and raw == b"":
        return
    lines = raw.decode(errors="replace").splitlines()
    for folders, pattern, regex, why in RULES:
        if not any(name.startswith(f) for f in folders.split() or [""]):
            continue
        if not re.fullmatch(pattern, name):
            continue
        for number, line in enumerate(lines, 1):
            if regex.search(line):
                yield f"{name}:{number}: {why}: {line.strip()[:80]}"
    if raw and not raw.endswith(b"\n"):
        yield f"{name}: no newline at the end"
    if LICENSED.fullmatch(path.name) and raw and \
            not any("SPDX-License-Identifier: MIT" in line for line in lines[:3]):
        yield f"{name}: no licence line"
    if re.fullmatch(r"(src|plugins|include|tools)/.*\.[ch]", name) and len(lines) > LINES_MAX:
        yield f"{name}: {len(lines)} lines, more than {LINES_MAX}: split it by job"


def main():
    bad = [problem for path in tracked_files() for problem in problems_of(path)]
    print("\n".join(bad), end="\n" if bad else "")
    return bool(bad)


sys.exit(main())
