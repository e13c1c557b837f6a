#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails when the Emperor's program holds what a process that runs as root for weeks must not hold:
an HTTP parser, an interpreter, a TLS library, or the means to load code.

usage: check-program.py PROGRAM"""
import re
import subprocess
import sys

FOREIGN_LIBRARY = re.compile(r"lib(python|perl|ssl|crypto|curl|llhttp|nghttp2|dl)\b")
FOREIGN_SYMBOL = re.compile(r"\b(llhttp_\w+|dlopen|dlmopen|Py_\w+|PyObject_\w+|[Pp]erl_(alloc|construct|parse|call_\w+)|SSL_\w+|curl_\w+)(@|$)")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(program):
    bad = [f"needs {line.split()[0]}" for line in output("ldd", program).splitlines()
           if FOREIGN_LIBRARY.search(line)]
    symbols = output("nm", "--dynamic", program) + output("nm", program)
    bad += sorted({f"has {m.group(1)}" for line in symbols.splitlines()
                   if (m := FOREIGN_SYMBOL.search(line))})
    for sentence in bad:
        print(f"{program}: {sentence}")
    return bool(bad)


sys.exit(main(sys.argv[1]))
