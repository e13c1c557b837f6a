# SPDX-License-Identifier: MIT
"""Memory with the same content is kept once: what vassals of a base have in common with it again when
nobody asks them, and by ksm whatever is the same, if the kernel is told to."""
import contextlib
import os
import pathlib
import resource

import pytest

from harness import proc
from harness.base import READY, Base
from harness.client import get

KERNEL = pathlib.Path("/sys/kernel/mm/ksm/run")
NOT_YET = "ksm: memory is not merged until 1 is in /sys/kernel/mm/ksm/run"
NOBODY = 65534
MIB = 1 << 20
APP = """
import os
import threading

words = [f"word {i}" for i in range(200_000)]
n_touched = 0
gone = threading.Event()
if "THREAD" in os.environ:
    threading.Thread(target=gone.wait, daemon=True).start()


def touch():
    global n_touched
    for word in words: # which counts a reference to each
        pass
    n_touched += 1
    words[n_touched] = n_touched
    return sum(i == n for i, n in enumerate(words))


def application(environ, start_response):
    answer = os.getpid()
    if environ["PATH_INFO"] == "/touch":
        answer = touch()
    if environ["PATH_INFO"] == "/thread":
        threading.Thread(target=gone.wait, daemon=True).start()
    if environ["PATH_INFO"] == "/short-thread":
        threading.Thread(target=gone.wait, args=[0.4]).start()
    start_response("200 OK", [])
    return [str(answer).encode()]
"""
merging = pytest.mark.skipif(not KERNEL.exists(), reason="the kernel cannot merge memory")


@pytest.fixture
def forked(folder, start):
    """Vassals of a base, with options of each; -> vassal, its address, pid of its worker."""
    with contextlib.ExitStack() as stack:
        (folder / "app.py").write_text(APP)
        folder.chmod(0o777)  # for who is somebody else
        bases = []

        def fork(of_base, of_vassal, **how):
            if not bases:
                bases.append(Base(stack, start, "--fork-server", f"{folder}/fork.socket", "--early-wsgi", "app.py",
                                  *of_base, cwd=folder, **how))
                bases[0].wait_open()
            at = f"{folder}/{len(os.listdir(folder))}.socket"
            v = bases[0].adopt("--http-socket", at, "--wsgi-file", "app.py", *of_vassal)
            v.hear(READY)
            return v, at, int(get(at).body)

        fork.base = lambda: bases[0]
        yield fork


# With the base

def private(pid):
    return proc.memory(pid)["Private_Dirty"]


def touch(at, n):
    """All that the application has in memory, for the @n-th time."""
    assert int(get(at, "/touch").body) == n


@pytest.mark.only_plain
@pytest.mark.parametrize("options", [
    pytest.param([], id="same-user"),
    pytest.param(["--uid", str(NOBODY)], id="other-user",
                 marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its user")),
    pytest.param(["--processes", "2"], id="two-workers"),
    pytest.param(["--threads", "4"], id="threads"),
])
def test_what_is_as_in_the_base_is_shared_again_when_nobody_asks(forked, options):
    _, at, worker = forked([], ["--reshare-after", "200ms", *options])
    proc.wait_private_memory(worker, 4 * MIB)
    _, always, other = forked([], ["--reshare-after", "0", "--processes", "1"])
    for n in range(1, 4):
        if "--processes" not in options:
            touch(at, n)
        touch(always, n)
        proc.wait_private_memory(worker, 4 * MIB)
        assert private(other) > 8 * MIB  # as it was in the first one, too


@pytest.mark.only_plain
def test_a_request_does_not_wait_until_all_is_shared_again(forked):
    _, at, worker = forked([], ["--reshare-after", "100ms"])
    for n in range(1, 20):
        touch(at, n)
        most = private(worker)
        if most < 8 * MIB:
            continue  # we were too slow
        while private(worker) > 0.95 * most:
            pass
        get(at)
        if private(worker) > most / 2:
            return
    raise AssertionError("each request was answered after all had been done")


@pytest.mark.only_plain
def test_a_thread_of_the_application_keeps_memory_as_it_is(forked):
    _, at, worker = forked([], ["--reshare-after", "200ms"])
    _, free, other = forked([], ["--reshare-after", "300ms"])
    get(at, "/thread")
    touch(at, 1)
    touch(free, 1)
    proc.wait_private_memory(other, 4 * MIB)
    assert private(worker) > 8 * MIB
    touch(at, 2)


@pytest.mark.only_plain
def test_a_thread_that_ends_does_so_no_longer(forked):
    _, at, worker = forked([], ["--reshare-after", "300ms"])
    get(at, "/short-thread")
    touch(at, 1)
    proc.wait_private_memory(worker, 4 * MIB)


@pytest.mark.only_plain
@pytest.mark.parametrize("environment, limit, reason", [
    ({"THREAD": "1"}, None, "Device or resource busy"),
    ({}, 1 << 30, "File too large"),
], ids=["threads", "size of files"])
def test_a_base_that_cannot_share_again_says_so(forked, environment, limit, reason):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit or before[0], before[1]))  # which all that it starts has, too
    try:
        _, at, worker = forked([], [], env=environment)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    touch(at, 1)
    [line] = forked.base().server.log.find("will not share memory again")
    assert reason in line
    assert private(worker) > 8 * MIB


# By the kernel

@merging
@pytest.mark.parametrize("ksm, lazy", [("true", "false"), ("true", "true"), ("false", "false")])
def test_memory_of_workers_is_merged_if_so_configured(instance, ksm, lazy):
    server = instance(f"wsgi-file = app.py\nprocesses = 2\nksm = {ksm}\nlazy-apps = {lazy}",
                      {"app.py": APP})
    assert proc.is_mergeable(int(get(server.address).body)) == (ksm == "true")
    is_said = bool(server.log.find(NOT_YET))
    assert is_said == (ksm == "true" and KERNEL.read_text()[0] == "0")


@merging
def test_memory_of_a_vassal_is_merged_with_that_of_its_base(forked):
    vassal, _, worker = forked(["--ksm"], [])
    assert proc.is_mergeable(vassal.pid) and proc.is_mergeable(worker)


@merging
def test_a_vassal_may_have_its_memory_merged_if_its_base_does_not(forked):
    vassal, _, worker = forked([], ["--ksm"])
    assert proc.is_mergeable(worker) and not proc.is_mergeable(vassal.pid)
