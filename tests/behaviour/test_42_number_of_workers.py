# SPDX-License-Identifier: MIT
"""How many workers there are: by the processors, by their quota, by what they have to do."""
import contextlib
import os
import pathlib
import re
import signal

import pytest

from harness import proc
from harness.client import Connection, request_bytes
from harness.load import Load
from harness.meeting import Meeting

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


# By the work

def counts(server):
    """The numbers of workers that have been wanted, in order."""
    return [int(m) for m in re.findall(r"cheaper: (\d+) workers? ", server.log.text())]


@pytest.mark.plain
def test_workers_come_with_the_work_and_go_without_it(instance, folder):
    server = instance(WEB + "processes = 4\ncheaper = 1")
    assert len(proc.children(server.pid)) == 2
    with Meeting(folder) as meeting:
        busy = [Connection(server.address) for _ in range(4)]
        visitors = []
        for c in busy:  # each waits for a worker that is not there yet
            c.send(request_bytes(meeting.target))
        visitors = [meeting.arrive() for _ in busy]
        assert len({v.pid for v in visitors}) == 4
        assert counts(server) == [2, 3, 4]
        for v in visitors:
            v.release("done")
        for c in busy:
            assert c.response().body == b"done"
        server.wait_line(r"cheaper: \d workers? (is|are) wanted, -\d: "
                         "(were idle all the time|there is nothing left to do)")
        for c in busy:
            answer = c.request("/pid")
            assert answer.status == 200 and not answer.close
            c.close()
    server.wait_line("cheaper: 1 worker is wanted")
    proc.wait_children(server.pid, 2)


def test_the_first_number_is_another(instance):
    server = instance(WEB + "processes = 6\ncheaper = 2\ncheaper-initial = 3")
    server.wait_line("serves with 3 workers")


def test_the_number_that_the_load_has_made_stays_over_a_reload(instance, folder):
    server = instance(WEB + "processes = 3\ncheaper = 1")
    with Meeting(folder) as meeting:
        busy = [Connection(server.address) for _ in range(2)]
        for c in busy:
            c.send(request_bytes(meeting.target))
        visitors = [meeting.arrive() for _ in busy]
        server.kill(signal.SIGHUP)
        server.wait_line(r"generation 2 serves with [23] workers")
        for v in visitors:
            v.release()
        for c in busy:
            assert c.response().status == 200
            c.close()


def test_load_that_comes_and_goes_fails_no_request(instance):
    server = instance(WEB + "processes = 4\ncheaper = 1\ncheaper-step = 2\ndisable-logging = yes")
    for _ in range(2):
        with Load(server.address, keep_alive=8, per_request=4, target="/sleep?s=0.02") as load:
            server.log.wait("cheaper: 4 workers are wanted", after=server.log.mark())
            load.wait_for(50)
        load.assert_clean()
        server.log.wait("cheaper: 1 worker is wanted", after=server.log.mark())


@pytest.mark.parametrize("settings, message", [
    ("processes = 2\ncheaper = 3", r"app\.ini:\d+: cheaper: 3 is more than processes = 2"),
    ("processes = 4\ncheaper = 2\ncheaper-initial = 1",
     r"app\.ini:\d+: cheaper-initial: 1 is less than cheaper = 2"),
    ("processes = 4\ncheaper = 2\ncheaper-initial = 5",
     r"app\.ini:\d+: cheaper-initial: 5 is more than processes = 4"),
    ("processes = 4\ncheaper-initial = 2", "cheaper-initial: 2 is of no use with cheaper = 0"),
    ("cheaper-algo = manual", "'manual' is none of spare, spare2, backlog and busyness"),
])
def test_numbers_that_make_no_sense(instance, settings, message):
    server = instance(WEB + settings, wait=False)
    assert server.wait() == 1
    server.log.wait(message)


def test_as_few_as_many_is_a_fixed_number(instance):
    server = instance(WEB + "processes = 2\ncheaper = 2")
    assert len(proc.children(server.pid)) == 3
