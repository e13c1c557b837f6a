# SPDX-License-Identifier: MIT
"""The kernel's merging of memory with the same content (Documentation/admin-guide/mm/ksm.rst), which is one
for the whole machine: it is switched on for a measurement, and is then as before."""
import contextlib
import pathlib

from . import BenchError, empire

KERNEL = pathlib.Path("/sys/kernel/mm/ksm")
RUN, PAGES, SLEEP, SCANS = (KERNEL / n for n in ("run", "pages_to_scan", "sleep_millisecs", "full_scans"))
FAST = {PAGES: "20000", SLEEP: "20"}  # a machine that only does this
FIRST_SCANS = 2  # notes a page, sees that it stays; then it is merged


@contextlib.contextmanager
def merging():
    try:
        before = {path: path.read_text() for path in [*FAST, RUN]}
        for path, text in {**FAST, RUN: "1"}.items():
            path.write_text(text)
    except OSError as e:
        raise BenchError(f"the kernel's merging of memory cannot be switched on: {e}") from e
    try:
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


def _scans(n, limit):
    until = int(SCANS.read_text()) + n
    empire.patiently(lambda: int(SCANS.read_text()) >= until, limit, "the kernel does not scan", pause=0.2)


def settled(measure, limit):
    """Waits until what @measure returns falls by less than 1 % in a scan of all memory. -> that"""
    _scans(FIRST_SCANS, limit)
    before = measure()
    while True:
        _scans(1, limit)
        now = measure()
        if now > 0.99 * before:
            return now
        before = now
