# SPDX-License-Identifier: MIT
"""What the programs in bench/ are made of: servers started on private addresses, the load generator,
what is computed from its trace, and tables. Processes, addresses and the HTTP client are those of the
tests."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
APPS = ROOT / "bench" / "apps"
sys.path.insert(0, str(ROOT / "tests"))


class BenchError(Exception):
    """A server did not start or did not answer as it should."""
