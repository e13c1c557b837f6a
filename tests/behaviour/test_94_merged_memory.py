# SPDX-License-Identifier: MIT
"""ksm: memory with the same content is kept once, if the kernel is told to."""
import contextlib
import pathlib

import pytest

from harness import proc
from harness.base import READY, Base
from harness.client import get

KERNEL = pathlib.Path("/sys/kernel/mm/ksm/run")
NOT_YET = "ksm: memory is not merged until 1 is in /sys/kernel/mm/ksm/run"
APP = """
import os


def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""

pytestmark = pytest.mark.skipif(not KERNEL.exists(), reason="the kernel cannot merge memory")


@pytest.mark.parametrize("ksm, lazy", [("true", "false"), ("true", "true"), ("false", "false")])
def test_memory_of_workers_is_merged_if_so_configured(instance, ksm, lazy):
    server = instance(f"wsgi-file = app.py\nprocesses = 2\nksm = {ksm}\nlazy-apps = {lazy}",
                      {"app.py": APP})
    assert proc.is_mergeable(int(get(server.address).body)) == (ksm == "true")
    is_said = bool(server.log.find(NOT_YET))
    assert is_said == (ksm == "true" and KERNEL.read_text()[0] == "0")


@pytest.fixture
def forked(folder, start):
    """A vassal of a base, with options of each; -> vassal, pid of its worker."""
    with contextlib.ExitStack() as stack:
        def fork(of_base, of_vassal):
            (folder / "app.py").write_text(APP)
            base = Base(stack, start, "--fork-server", f"{folder}/fork.socket", "--early-wsgi", "app.py", *of_base,
                        cwd=folder)
            base.wait_open()
            v = base.adopt("--http-socket", f"{folder}/a.socket", "--wsgi-file", "app.py", *of_vassal)
            v.hear(READY)
            return v, int(get(f"{folder}/a.socket").body)

        yield fork


def test_memory_of_a_vassal_is_merged_with_that_of_its_base(forked):
    vassal, worker = forked(["--ksm"], [])
    assert proc.is_mergeable(vassal.pid) and proc.is_mergeable(worker)


def test_a_vassal_may_have_its_memory_merged_if_its_base_does_not(forked):
    vassal, worker = forked([], ["--ksm"])
    assert proc.is_mergeable(worker) and not proc.is_mergeable(vassal.pid)
