# SPDX-License-Identifier: MIT
"""An Emperor that cannot see what happens to configurations: events are lost, the directory cannot be
read or is gone, no descriptor is left. It says so, sees everything again afterwards, and stops nobody
whose configuration may still be there."""
import os
import pathlib
import resource
import shutil
import signal

import pytest

from harness import stats
from harness.foreign import became, said, start_one

AGAIN = r"monitor .*, looking at everything again"


def states(server):
    return {v["id"]: (v["state"], v["pid"]) for v in stats.read(server.stats)["vassals"]}


def test_more_events_than_the_kernel_keeps(govern, vassals):
    most = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    server = govern()
    pids = {name: start_one(server, vassals, name)["pid"] for name in ("a.ini", "b.ini", "c.ini")}
    for name in pids:
        became(server, name, "ready")
    os.kill(server.pid, signal.SIGSTOP)
    noise = [vassals.path(f".{n}") for n in range(2)]
    for n in range(most // 2 + 10):  # two events each; the same one twice would be one
        noise[n % 2].touch()
        noise[n % 2].unlink()
    vassals.write("a.ini", "loyal\nnew yes\n")
    vassals.remove("b.ini")
    vassals.write("d.ini", "loyal\n")
    os.kill(server.pid, signal.SIGCONT)
    server.wait_line(AGAIN)
    assert said(server, "a.ini", "reloaded")["words"]["new"] == "yes"
    became(server, "b.ini", "gone")
    became(server, "d.ini", "ready")
    assert states(server)["c.ini"] == ("ready", pids["c.ini"])
    assert server.log.find('"vassal": "c.ini", "event": "(reloaded|stop)"') == []


@pytest.mark.needs_root
def test_a_directory_that_cannot_be_read_for_a_while(govern, vassals):
    vassals.directory.chmod(0o755)
    server = govern("--uid", "65534", "--gid", "65534", "--emperor-freq", "0.2")
    pid = start_one(server, vassals)["pid"]
    became(server, "a.ini", "ready")
    vassals.directory.chmod(0o700)
    server.wait_line(r"warning: monitor .*: cannot look into it, its vassals stay as they are: Permission denied")
    vassals.write("a.ini", "loyal\nnew yes\n")
    vassals.write("b.ini", "loyal\n")
    assert states(server) == {"a.ini": ("ready", pid)}
    vassals.directory.chmod(0o755)
    assert said(server, "a.ini", "reloaded")["words"]["new"] == "yes"
    became(server, "b.ini", "ready")
    assert server.log.find('"event": "stop"') == []


def test_a_directory_that_is_removed_and_made_again(govern, vassals):
    server = govern("--emperor-freq", "0.2")
    start_one(server, vassals)
    became(server, "a.ini", "ready")
    shutil.rmtree(vassals.directory)
    became(server, "a.ini", "gone")  # its file was seen to go
    server.wait_line(r"warning: monitor .*: cannot look into it, .*: No such file or directory")
    vassals.directory.mkdir()
    start_one(server, vassals, "b.ini")


def test_no_descriptor_is_left(govern, vassals):
    server = govern("--emperor-freq", "0.2")
    pid = start_one(server, vassals)["pid"]
    became(server, "a.ini", "ready")
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, limits[1]))  # of those that are new
    vassals.write("b.ini", "loyal\n")
    assert "Too many open files" in became(server, "b.ini", "backoff")
    vassals.directory.chmod(0o711)  # is looked at as a whole
    server.wait_line(r"warning: monitor .*: cannot look into it, .*: Too many open files")
    vassals.touch("a.ini")
    said(server, "a.ini", "reloaded")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
    vassals.touch("b.ini")
    became(server, "b.ini", "ready")
    vassals.write("c.ini", "loyal\n")
    became(server, "c.ini", "ready")
    assert states(server)["a.ini"] == ("ready", pid)
    assert server.log.find('"event": "stop"') == []
