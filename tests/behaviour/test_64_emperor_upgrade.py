# SPDX-License-Identifier: MIT
"""An Emperor becomes the program that is on the disk now, and keeps its vassals."""
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import threading

import pytest

from harness import proc, programs, says, stats
from harness.foreign import VASSAL, became, said, start_one
from harness.load import Load

DONE = r"the upgrade is done: (\d+) vassals go on"


@pytest.fixture
def release(folder):
    """A copy of the program, which tests replace. -> its path"""
    (folder / "bin").mkdir()
    return shutil.copy2(programs.LIEGE, folder / "bin" / "liege")


@pytest.fixture
def govern_copy(start, vassals, folder, release):
    """govern_copy(*arguments): an Emperor from that copy, whose vassals are apps/foreign/vassal."""
    def run(*arguments, binary=VASSAL, **kw):
        server = start("--emperor", vassals.directory, "--emperor-stats", folder / "stats.sock",
                       "--binary-path", binary, *arguments, program=release, **kw)
        server.stats = str(folder / "stats.sock")
        server.wait_line(says.EMPEROR_READY)
        return server
    return run


def install(release, change=lambda data: data):
    """Puts another program in its place, as a package manager does it."""
    new = release.with_suffix(".new")
    new.write_bytes(change(programs.LIEGE.read_bytes()))
    new.chmod(0o755)
    new.rename(release)


def upgrade(server, **kw):
    after = server.log.mark()
    server.kill(signal.SIGUSR2)
    found = server.wait_line(DONE, after=after, **kw)
    assert server.log.find("the upgrade failed", after=after) == []
    return found


def pids(server):
    return {v["id"]: v["pid"] for v in stats.read(server.stats)["vassals"]}


def test_vassals_do_not_notice(govern_copy, vassals, release):
    server = govern_copy()
    start_one(server, vassals, "a.ini")
    start_one(server, vassals, "b.ini")
    before = stats.read(server.stats)["vassals"]
    was = os.readlink(f"/proc/{server.pid}/exe")
    install(release)
    assert upgrade(server).group(1) == "2"
    server.wait_line(says.EMPEROR_READY, count=2)
    assert os.readlink(f"/proc/{server.pid}/exe") == was  # by name, not the deleted one
    after = stats.read(server.stats)["vassals"]
    assert sorted(after, key=lambda v: v["id"]) == sorted(before, key=lambda v: v["id"])
    assert server.log.find('"event": "(reloaded|stop|lost)"') == []

    vassals.touch("a.ini")  # it hears and is heard
    said(server, "a.ini", "reloaded")
    became(server, "a.ini", "ready", count=2)
    os.kill(before[0]["pid"], signal.SIGKILL)
    became(server, before[0]["id"], "starting", count=2)
    vassals.remove("b.ini")
    became(server, "b.ini", "gone")
    assert server.stop() == 0


def test_configurations_that_are_touched_meanwhile_are_not_gone(govern_copy, vassals):
    server = govern_copy()
    names = [f"{n}.ini" for n in range(20)]
    for name in names:
        start_one(server, vassals, name)
    before = pids(server)
    done = threading.Event()

    def touch():
        while not done.is_set():
            for name in names:
                os.utime(vassals.path(name))

    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        for _ in range(4):
            after = server.log.mark()
            upgrade(server)
            for name in names:
                said(server, name, "reloaded", after=after)
    finally:
        done.set()
        toucher.join()
    assert pids(server) == before
    assert server.log.find("its configuration is gone") == []


def test_what_changed_meanwhile_is_seen(govern_copy, vassals):
    """The directory is changed while no program looks: all of it between two system calls."""
    server = govern_copy()
    for name in "abc":
        start_one(server, vassals, f"{name}.ini")
    os.kill(server.pid, signal.SIGSTOP)
    server.kill(signal.SIGUSR2)
    vassals.write("a.ini", "loyal\nnew yes\n")
    vassals.remove("b.ini")
    vassals.write("d.ini", "loyal\n")
    os.kill(server.pid, signal.SIGCONT)
    server.wait_line(DONE)
    assert server.log.find("the upgrade failed") == []
    said(server, "a.ini", "reloaded")
    became(server, "b.ini", "gone")
    became(server, "d.ini", "ready")
    assert len(server.log.find('c.ini", "event": "(reloaded|started)"')) == 1


def test_what_a_configuration_includes_is_still_watched(govern_copy, vassals, folder):
    common = folder / "common.ini"
    common.write_text("")
    server = govern_copy()
    start_one(server, vassals, text=f"loyal\nfile {common}\n")
    upgrade(server)
    server.wait_line(says.EMPEROR_READY, count=2)
    common.write_text("changed\n")
    said(server, "a.ini", "reloaded")


def test_every_state_goes_through_it(govern_copy, vassals, folder):
    sockets = folder / "sockets"
    sockets.mkdir()
    server = govern_copy("--emperor-on-demand-extension", ".at", "--emperor-throttle", 60000)
    (vassals.directory / "asleep.ini.at").write_text(f"{sockets}/x\n")
    vassals.write("asleep.ini", "loyal\nserve 1\n")
    became(server, "asleep.ini", "asleep")
    start_one(server, vassals, "ready.ini")
    vassals.write("resting.ini", "exit 26\n")
    became(server, "resting.ini", "resting")
    vassals.write("backoff.ini", "exit 1\n")
    became(server, "backoff.ini", "backoff")
    vassals.write("starting.ini", "unready\n")
    said(server, "starting.ini", "started")
    start_one(server, vassals, "deaf.ini", "loyal\ndeaf\n")
    vassals.remove("deaf.ini")
    said(server, "deaf.ini", "stop")
    inode = os.stat(sockets / "x").st_ino
    before = {v["id"]: (v["state"], v["pid"], v["reason"]) for v in stats.read(server.stats)["vassals"]}
    assert {state for state, _, _ in before.values()} == {
        "asleep", "ready", "resting", "backoff", "starting", "stopping"}
    upgrade(server)
    after = {v["id"]: (v["state"], v["pid"], v["reason"]) for v in stats.read(server.stats)["vassals"]}
    after["backoff.ini"] = before["backoff.ini"] if after["backoff.ini"][0] == "starting" \
        else after["backoff.ini"]  # its time may be over just now
    assert after == before
    assert os.stat(sockets / "x").st_ino == inode
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{sockets}/x")
        became(server, "asleep.ini", "starting")
    proc.kill_all([before["deaf.ini"][1]])
    became(server, "deaf.ini", "gone")


def test_a_program_that_refuses_the_configuration_is_not_trusted(govern_copy, vassals, release):
    server = govern_copy()
    start_one(server, vassals)
    install(release, lambda data: b"#!/bin/sh\necho I do not know that >&2\nexit 1\n")
    server.kill(signal.SIGUSR2)
    server.wait_line("I do not know that")
    server.wait_line("upgrade: .*liege --check exited with code 1, this program goes on")
    vassals.touch("a.ini")
    said(server, "a.ini", "reloaded")


def test_a_program_that_cannot_be_run_is_not_become(govern_copy, vassals, release):
    server = govern_copy()
    start_one(server, vassals)
    release.unlink()
    server.kill(signal.SIGUSR2)
    server.wait_line("this program goes on")
    vassals.touch("a.ini")
    said(server, "a.ini", "reloaded")


def test_a_program_that_does_not_understand_the_state_gives_way(govern_copy, vassals, release):
    """Seen too late for a trial: the program of before comes back."""
    server = govern_copy()
    start_one(server, vassals)
    before = pids(server)
    install(release, lambda data: data.replace(b"state_version", b"state_Version"))
    server.kill(signal.SIGUSR2)
    server.wait_line("the upgrade failed, the program of before goes on")
    server.wait_line(DONE)
    assert pids(server) == before
    vassals.touch("a.ini")
    said(server, "a.ini", "reloaded")
    install(release)
    upgrade(server)
    assert pids(server) == before
    assert server.stop() == 0


def test_what_it_writes_down_is_called_as_in_all_releases(govern_copy, vassals, folder, release):
    """Else a vassal would be nobody that has served, to the release that comes after this one."""
    server = govern_copy()
    start_one(server, vassals)
    stats.wait(server.stats, "a.ini", lambda v: v["loyal"])
    state, fd = folder / "state", "$LIEGE_EMPEROR_STATE_FD"
    install(release, lambda _: f'#!/bin/sh\n[ -z "{fd}" ] || cat /proc/self/fd/{fd} > {state}\n'
                               f'exec {programs.LIEGE} "$@"\n'.encode())
    upgrade(server)
    written = state.read_bytes()
    length, = struct.unpack_from("=Q", written)
    record, = json.loads(written[8:8 + length])["vassals"]
    assert {"ready_mono_us", "asked_mono_us", "generation", "workers", "accepting", "loyal",
            "speaks", "kept", "complaint", "last_end", "adopted"} <= record.keys()
    assert record["loyal"] and record["ready_mono_us"] > 0
    assert server.stop() == 0


@pytest.mark.needs_root
def test_without_privileges_as_well(govern_copy, vassals, folder):
    folder.chmod(0o755)
    pidfile = folder / "pid"
    server = govern_copy("--uid", "nobody", "--gid", "nogroup", "--emperor-pidfile", pidfile)
    start_one(server, vassals)
    before = pids(server)
    upgrade(server)
    assert pids(server) == before
    assert pidfile.read_text() == f"{server.pid}\n"
    assert server.stop() == 0
    assert pidfile.read_text() == ""


def test_a_pipe_that_was_closed_just_before_is_not_forgotten(govern_copy, vassals):
    server = govern_copy("--emperor-curse-tolerance", 0.1)
    vassals.write("a.ini", "loyal\nhang-up\n")
    said(server, "a.ini", "started")
    os.kill(server.pid, signal.SIGSTOP)
    server.kill(signal.SIGUSR2)
    os.kill(server.pid, signal.SIGCONT)
    server.wait_line(DONE)
    became(server, "a.ini", "lost")
    said(server, "a.ini", "started", count=2)


@pytest.mark.parametrize("count, upgrades", [
    (3, 5), pytest.param(50, 20, marks=pytest.mark.soak)])
def test_no_request_fails(start, vassals, folder, release, count, upgrades):
    """Applications of liege, whose requests the Emperor has nothing to do with. While there are clients
    it is upgraded again and again."""
    instance = programs.LIEGE.parent / "liege-instance"
    names = [f"{i}.ini" for i in range(count)]
    for name in names:
        vassals.write(name, f"[liege]\nhttp-socket = {folder}/{name}.sock\n"
                            f"wsgi-file = {programs.APPS}/python/web.py\n")
    server = start("--emperor", vassals.directory, "--emperor-stats", folder / "stats.sock",
                   "--binary-path", instance, program=release)
    server.stats = str(folder / "stats.sock")
    for name in names:
        became(server, name, "ready")
    before = pids(server)
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Load(folder / f"{name}.sock", keep_alive=1, per_request=1,
                                          target="/pid", pause=0.01)) for name in names]
        for _ in range(upgrades):
            install(release)
            upgrade(server)
            for load in loads:
                load.wait_for(2)
    assert [load.failures for load in loads if load.failures] == []
    assert [len(load.bodies) for load in loads] == [1] * count  # the same worker
    assert pids(server) == before


def test_the_last_lines_go_along(start, vassals, folder, release):
    control = folder / "control.sock"
    server = start("--emperor", vassals.directory, "--emperor-control", control, "--binary-path",
                   VASSAL, program=release)
    start_one(server, vassals)
    upgrade(server)
    server.wait_line(says.EMPEROR_READY, count=2)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(control))
        s.sendall(b'{"v": 1, "command": "log", "vassal": "a.ini"}\n')
        assert b'started' in s.makefile("rb").readline()


@pytest.fixture
def two_sources(start, folder, release):
    """two_sources(text): an Emperor whose sources, folder/v and folder/w, stand in a file; w.ini is
    @text. -> (server, write(*sources): has others than the second one)"""
    def write(*sources):
        lines = "".join(f"emperor = {source}\n" for source in (folder / "v", *sources))
        (folder / "emperor.ini").write_text(
            f"[liege]\n{lines}emperor-stats = {folder}/stats.sock\nbinary-path = {VASSAL}\n")

    def run(text="loyal\n"):
        for name in "vw":
            (folder / name).mkdir()
            (folder / name / f"{name}.ini").write_text(text if name == "w" else "loyal\n")
        write(folder / "w")
        server = start("--ini", folder / "emperor.ini", program=release)
        server.stats = str(folder / "stats.sock")
        for name in "vw":
            became(server, f"{name}.ini", "ready")
        return server, write
    return run


def test_a_source_that_is_spelled_otherwise_is_the_same(two_sources, folder):
    server, write = two_sources()
    before = pids(server)
    write(f"dir://{folder}/w")
    upgrade(server)
    (folder / "w" / "w.ini").write_text("loyal\nnew yes\n")
    said(server, "w.ini", "reloaded")
    assert pids(server) == before


def test_a_source_that_is_left_out_loses_its_vassals(two_sources):
    server, write = two_sources()
    write()
    upgrade(server)
    became(server, "w.ini", "gone")
    assert list(pids(server)) == ["v.ini"]


def test_a_source_that_comes_back_while_its_vassal_stops(two_sources, folder):
    server, write = two_sources("loyal\ndeaf\n")
    write()
    upgrade(server)
    said(server, "w.ini", "stop")
    deaf = pids(server)["w.ini"]
    (folder / "w" / "w.ini").write_text("loyal\n")
    write(folder / "w")
    server.kill(signal.SIGUSR2)
    server.wait_line(DONE, count=2)
    server.wait_line("vassal w.ini: .*its configuration is back")
    proc.kill_all([deaf])
    said(server, "w.ini", "started", count=2)
