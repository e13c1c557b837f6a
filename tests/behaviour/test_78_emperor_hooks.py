# SPDX-License-Identifier: MIT
"""What an Emperor's configuration has done around the lives of its vassals."""
import os
import signal

import pytest

from harness import says, stats
from harness.foreign import became, start_one


def test_commands_before_the_start_and_after_the_end(govern, vassals, folder):
    server = govern("--vassals-start-hook", f"echo start >>{folder}/log; ls /proc/self/fd >&2; echo",
                    "--vassals-stop-hook", f"echo $UWSGI_VASSALS_DIR >>{folder}/log; echo stop >&2; echo")
    started = start_one(server, vassals, "a b.ini")
    assert started["descriptors"] == [0, 1, 2, 3, 4]  # the program's, as without a hook
    assert started["arguments"] == ["--ini", "a b.ini"]
    assert stats.vassal(server.stats, "a b.ini")["pid"] == started["pid"]
    server.wait_line("^a b.ini$")  # what the hook's last command was told
    assert server.log.find("^4$") == []  # 3 is that of ls itself
    vassals.remove("a b.ini")
    server.wait_line("^stop$")
    server.stop()
    assert (folder / "log").read_text().splitlines() == ["start", str(vassals.directory)]


def test_an_emperor_that_stops_waits_for_what_is_done_after_the_ends(govern, vassals, folder):
    gate = folder / "gate"
    os.mkfifo(gate)
    server = govern("--vassals-stop-hook", f"read x <{gate}; echo >>{folder}/done")
    for i in range(4):
        start_one(server, vassals, f"{i}.ini")
    server.kill(signal.SIGTERM)
    for i in range(4):
        became(server, f"{i}.ini", "gone")
    with pytest.raises(AssertionError):
        server.wait_line("all vassals have ended", timeout=0.3)
    with open(gate, "r+b", buffering=0) as file:
        file.write(b"\n" * 4)  # each takes one
        assert server.wait() == 0
    assert sorted((folder / "done").read_text().split()) == [f"{i}.ini" for i in range(4)]


def test_a_start_hook_that_fails_is_only_said(govern, vassals):
    server = govern("--vassals-start-hook", "exit 7; true")
    start_one(server, vassals)
    server.wait_line("vassals-start-hook exited with code 7")


def test_a_vassal_waits_for_its_hook_and_nobody_else_does(govern, vassals, folder):
    fifo = folder / "gate"
    os.mkfifo(fifo)
    server = govern("--hook-as-emperor-before-vassal",
                    f'exec:test "$UWSGI_VASSAL_CONFIG" != a.ini || read x <{fifo}',
                    "--emperor-spawn-parallel", 1)
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "waiting")
    start_one(server, vassals, "b.ini")
    assert server.log.find('a.ini", "event": "started"') == []
    fifo.write_text("go\n")
    became(server, "a.ini", "ready")


def test_a_hook_that_fails_keeps_the_vassal_from_starting(govern, vassals, folder):
    server = govern("--hook-as-emperor-before-vassal", f"exec:test -e {folder}/go",
                    "--emperor-throttle", 100)
    vassals.write("a.ini", "loyal\n")
    assert "hook-as-emperor-before-vassal exited with code 1" in became(server, "a.ini", "backoff")
    (folder / "go").touch()
    vassals.touch("a.ini")
    became(server, "a.ini", "ready")


def test_a_hook_that_is_superseded_starts_nobody(govern, vassals, folder):
    fifo = folder / "gate"
    os.mkfifo(fifo)
    server = govern("--hook-as-emperor-before-vassal", f"exec:read x <{fifo}")
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "waiting")
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    assert server.stop() == 0
    assert server.log.find('"event": "started"') == []


def test_after_the_start(govern, vassals, folder):
    server = govern("--hook-as-emperor", f"exec:echo $UWSGI_VASSAL_PID $UWSGI_VASSAL_UID >{folder}/x.new",
                    "--hook-as-emperor", "exec:echo hook $UWSGI_VASSAL_CONFIG >&2")
    started = start_one(server, vassals)
    server.wait_line("^hook a.ini$")
    assert (folder / "x.new").read_text() == f"{started['pid']} {os.getuid()}\n"


def test_of_vassals_that_sleep(govern, vassals, folder):
    server = govern("--emperor-on-demand-directory", folder, "--hook-as-on-demand-vassal",
                    "print:it sleeps", "--hook-as-on-config-vassal", "print:it changed")
    vassals.write("a.ini", "loyal\n")
    server.wait_line("it sleeps")
    vassals.write("a.ini", "loyal\nother\n")
    server.wait_line("it changed")
    server.kill(signal.SIGUSR1)
    server.wait_line("a.ini: asleep for")
    assert len(server.log.find("it sleeps")) == 1


def test_what_is_being_done_is_done_before_the_emperor_ends(govern, vassals, folder):
    os.mkfifo(folder / "go")
    server = govern("--emperor-on-demand-directory", folder, "--hook-as-on-config-vassal",
                    f"exec:echo begun; read line < {folder}/go; echo $line > {folder}/done")
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "asleep")
    vassals.touch("a.ini")
    server.wait_line("begun")
    server.kill(signal.SIGINT)
    became(server, "a.ini", "gone")
    assert not server.log.find("so does the Emperor")
    (folder / "go").write_text("all\n")
    assert server.wait() == 0
    assert (folder / "done").read_text() == "all\n"


def test_of_vassals_that_sleep_one_that_fails_keeps_it_from_that(govern, vassals, folder):
    server = govern("--emperor-on-demand-directory", folder,
                    "--hook-as-on-demand-vassal", f"exec:test -e {folder}/go",
                    "--hook-as-on-config-vassal", "exec:exit 4")
    vassals.write("a.ini", "loyal\n")
    assert "hook-as-on-demand-vassal exited with code 1" in became(server, "a.ini", "backoff")
    (folder / "go").touch()
    vassals.touch("a.ini")
    became(server, "a.ini", "asleep", count=2)
    vassals.touch("a.ini")
    assert "hook-as-on-config-vassal exited with code 1" in became(server, "a.ini", "backoff", count=2)
    assert server.log.find('"event": "started"') == []


def test_before_the_emperor(start, vassals, folder):
    server = start("--emperor", vassals.directory, "--hook-emperor-start", f"create:{folder}/made")
    server.wait_line(says.EMPEROR_READY)
    assert (folder / "made").exists()
    failing = start("--emperor", vassals.directory, "--hook-emperor-start", "exec:exit 3")
    assert failing.wait() == 1
    failing.wait_line("hook-emperor-start: ")
    unknown = start("--emperor", vassals.directory, "--hook-as-emperor", "dance:now")
    assert unknown.wait() == 1
    unknown.wait_line("hook-as-emperor.*dance")
