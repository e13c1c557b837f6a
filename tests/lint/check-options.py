#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails when docs/options.md is not what the option tables say; with --fix it writes that page.

usage: check-options.py [--fix] BUILD"""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "options.md"


def main(arguments):
    build = pathlib.Path(arguments[-1])
    written = subprocess.run([build / "docs" / "write-docs", "markdown"], check=True,
                             capture_output=True, text=True).stdout
    if arguments[0] == "--fix":
        PAGE.write_text(written)
        return 0
    if not PAGE.exists() or PAGE.read_text() != written:
        print("docs/options.md is not what the option tables say; run: make docs")
        return 1
    return 0


sys.exit(main(sys.argv[1:]))
