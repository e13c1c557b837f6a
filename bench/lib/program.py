# SPDX-License-Identifier: MIT
"""What every program of bench/ does: reads its options, prints tables, and notes the few figures that
matter for the summary of bench/all."""
import argparse
import contextlib
import json
import math
import pathlib
import statistics
import sys

from . import ROOT, BenchError

_figures = []


def parser(description, rounds=None, seconds=None, peers=()):
    p = argparse.ArgumentParser(description=description,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=lambda p: pathlib.Path(p).resolve(), default=ROOT / "build",
                   help="folder with liege's programs and the load generator")
    if rounds is not None:
        p.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
    if seconds is not None:
        p.add_argument("--seconds", type=float, default=seconds,
                       help=f"of each measurement; default {seconds:g}")
    if peers:
        p.add_argument("--peers", default=",".join(peers), metavar="A,B",
                       type=lambda text: [name.strip() for name in text.split(",")],
                       help=f"which of: {', '.join(peers)}; default: all")
    p.add_argument("--json", type=pathlib.Path, help="append the summary's figures to this file")
    return p


def median(values):
    """The median of what could be measured."""
    known = [v for v in values if not math.isnan(v)]
    return statistics.median(known) if known else math.nan


def spread(values, digits=0):
    """"median [least .. most]" for a table."""
    known = [v for v in values if not math.isnan(v)]
    if not known:
        return "-"
    return f"{statistics.median(known):,.{digits}f} [{min(known):,.{digits}f} .. " \
           f"{max(known):,.{digits}f}]"


def counts(counter):
    """A counter for a table: "3 timeout, 1 reset", or 0."""
    return ", ".join(f"{n:,} {what}" for what, n in sorted(counter.items()) if n) or "0"


def table(title, columns, rows):
    """Prints a table; the first column is text, the others are right-aligned."""
    cells = [list(map(str, row)) for row in (columns, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]

    def line(row):
        return "| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w)
                                 for i, (c, w) in enumerate(zip(row, widths))) + " |"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":")
                          for i, w in enumerate(widths)) + "|"
    print(f"\n{title}\n", line(cells[0]), rule, *map(line, cells[1:]), sep="\n", flush=True)


def figure(what, found):
    """A figure for the summary: what it is, and {server: what was found}, liege first."""
    _figures.append((what, found))


def run(main, options):
    """Runs main(options) and ends the program: 1 if what should have been measured was not."""
    code = 0
    try:
        main(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    if options.json:
        with contextlib.closing(options.json.open("a")) as f:
            for row in _figures:
                f.write(json.dumps(row) + "\n")
    sys.exit(code)
