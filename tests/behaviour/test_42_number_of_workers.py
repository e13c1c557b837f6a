# SPDX-License-Identifier: MIT
"""How many workers there are: by the processors, by their quota, by what they have to do."""
import contextlib
import os
import pathlib

import pytest

from harness import proc

WEB = "wsgi-file = {apps}/python/web.py\n"
CPU_GROUPS = pathlib.Path("/sys/fs/cgroup/cpu")  # of version 1


@contextlib.contextmanager
def group(**files):
    """A control group of version 1 -> what a child calls to enter it."""
    path = CPU_GROUPS / f"liege-{os.getpid()}"
    path.mkdir()
    try:
        for name, value in files.items():
            (path / f"cpu.{name}").write_text(str(value))
        yield lambda: (path / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        path.rmdir()


def with_group_2(folder, **files):
    """A wrapper in whose mount namespace the root group of version 2 has these files."""
    (folder / "groups").mkdir()
    for name, value in files.items():
        (folder / "groups" / f"cpu.{name}").write_text(f"{value}\n")
    return ["unshare", "--mount", "--", "sh", "-c",
            f'mount --bind {folder}/groups /sys/fs/cgroup && exec "$@"', "sh"]


def test_auto_is_two_for_each_processor_and_one(instance):
    n = len(os.sched_getaffinity(0))
    server = instance(WEB + "processes = auto")
    server.wait_line(rf"serves with {2 * n + 1} workers")
    assert len(server.log.find(rf"processes = auto: {2 * n + 1} workers, twice {n} processor")) == 1


def test_auto_on_one_processor(instance):
    one = min(os.sched_getaffinity(0))
    server = instance(WEB + "processes = auto", limits=lambda: os.sched_setaffinity(0, {one}))
    server.wait_line("serves with 3 workers")
    server.log.wait("processes = auto: 3 workers, twice 1 processor and one")


@pytest.mark.needs_root
def test_auto_keeps_to_the_quota_of_a_group_of_version_1(instance):
    if not (CPU_GROUPS / "cpu.cfs_quota_us").exists() and not list(CPU_GROUPS.glob("*/cpu.cfs_quota_us")):
        pytest.skip("no control groups of version 1 with the controller cpu")
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor only")
    with group(cfs_period_us=100000, cfs_quota_us=100000) as enter:
        server = instance(WEB + "processes = auto", limits=enter)
        server.wait_line("serves with 3 workers")
        server.log.wait("processes = auto: 3 workers, twice 1 processor by the quota of its control "
                        r"group \(1.000\) and one")
        assert server.stop() == 0


@pytest.mark.needs_root
def test_auto_keeps_to_the_quota_of_a_group_of_version_2(instance, folder):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor only")
    server = instance(WEB + "processes = auto", wrapper=with_group_2(folder, max="50000 100000"))
    server.wait_line("serves with 3 workers")
    server.log.wait("twice 1 processor by the quota of its control group")
    assert len(proc.children(server.pid)) == 4
