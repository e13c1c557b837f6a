#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy over the C files of a build folder that was configured for clang (it does not
know some of gcc's flags). What passed is remembered in that folder and not looked at again until
the file, a header of ours that it includes, its flags or .clang-tidy change.

usage: check-tidy.py BUILD [FILE...]"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1]).resolve()
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
FOLDERS = ("src", "plugins", "tools", "bench")


def reachable(path, seen):
    """@path and the headers of ours that it includes, directly or not."""
    if path in seen or not path.is_file():
        return seen
    seen.add(path)
    for name in INCLUDE.findall(path.read_text()):
        for folder in (path.parent, ROOT / "src", ROOT / "include", ROOT / "plugins", ROOT / "bench"):
            if (folder / name).is_file():
                reachable((folder / name).resolve(), seen)
                break
    return seen


def digest(path, command):
    h = hashlib.sha256(command.encode() + (ROOT / ".clang-tidy").read_bytes())
    for p in sorted(reachable(path, set())):
        h.update(p.read_bytes())
    return h.hexdigest()


def check(path, command):
    """Returns what clang-tidy complains about, or None."""
    name = path.relative_to(ROOT)
    passed = BUILD / "tidy" / str(name).replace("/", "_")
    now = digest(path, command)
    if passed.is_file() and passed.read_text() == now:
        return None
    run = subprocess.run(["clang-tidy", "--quiet", "-p", BUILD, path], capture_output=True,
                         text=True)
    if run.returncode != 0:
        return f"{name}:\n{run.stdout}{run.stderr if not run.stdout else ''}"
    passed.parent.mkdir(exist_ok=True)
    passed.write_text(now)
    return None


def main():
    commands = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        path = pathlib.Path(os.path.normpath(os.path.join(entry["directory"], entry["file"])))
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in FOLDERS:
            commands[path] = entry["command"]
    if wanted := {pathlib.Path(f).resolve() for f in sys.argv[2:]}:
        commands = {p: c for p, c in commands.items() if p in wanted}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [c for c in pool.map(check, commands, commands.values()) if c]
    print("\n".join(complaints), end="\n" if complaints else "")
    return bool(complaints)


sys.exit(main())
