# SPDX-License-Identifier: MIT
"""The system calls that a running process makes."""
import contextlib
import subprocess

import pytest

from .programs import PATIENCE


@contextlib.contextmanager
def traced(pid, path, *options):
    """Within the block the system calls of @pid are written to @path, a line each. @options are
    strace's: "-f" for all its threads, with the thread before each line."""
    tracer = subprocess.Popen(["strace", "-o", path, *options, "-p", str(pid)],
                              stderr=subprocess.PIPE, text=True)
    try:
        for line in tracer.stderr:
            if "attached" in line:
                break
        else:
            pytest.skip("strace may not attach here")
        yield
    finally:
        tracer.terminate()
        tracer.communicate(timeout=PATIENCE)
