# SPDX-License-Identifier: MIT
"""Vassals that are started by the first connection to their socket, which the Emperor keeps for
them. The vassals are apps/foreign; what an instance of liege does in that place is tested elsewhere."""
import os
import signal
import socket
import stat
import threading

import pytest

from harness import address, proc, stats
from harness.foreign import became, said, start_one
from harness.programs import PATIENCE


def ask(at):
    """The pid of who answers a connection to @at."""
    target = address.parse(at)
    with socket.socket(address.family(target), socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        s.connect(target)
        s.sendall(b"?")  # a TCP socket wakes nobody before that
        return int(s.makefile().read())


@pytest.fixture
def sockets(folder):
    (folder / "sockets").mkdir()
    return folder / "sockets"


@pytest.fixture
def sleeper(govern, vassals, sockets):
    """sleeper(text): an Emperor with one vassal, a.ini, that sleeps. -> (server, its socket)"""
    def run(text, *arguments):
        vassals.write("a.ini", text)
        server = govern("--emperor-on-demand-directory", sockets, *arguments)
        became(server, "a.ini", "asleep")
        return server, sockets / "a.socket"
    return run


def test_it_runs_from_the_first_connection_until_it_asks_to_stop(sleeper):
    server, at = sleeper("loyal\nserve 2\n")
    assert server.log.find('"event": "started"') == []
    entry = stats.vassal(server.stats, "a.ini")
    assert (entry["state"], entry["pid"], entry["on_demand"]) == ("asleep", -1, str(at))
    pid = ask(at)
    assert ask(at) == pid
    assert said(server, "a.ini", "stop")["byte"] == 2  # it may have a request that it did not see
    became(server, "a.ini", "asleep", count=2)
    assert not proc.alive(pid)
    assert ask(at) != pid


def test_no_connection_is_lost_while_it_comes_and_goes(sleeper):
    server, at = sleeper("loyal\nserve 3\n")
    inode = os.stat(at).st_ino
    descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
    answers, failures = [], []

    def client():
        for _ in range(60):
            try:
                answers.append(ask(at))
            except (OSError, ValueError) as e:
                failures.append(e)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == [] and len(answers) == 240
    assert len(set(answers)) >= 60
    assert server.log.find("starts again in") == []
    became(server, "a.ini", "asleep", count=len(set(answers)) + 1)
    assert os.stat(at).st_ino == inode
    assert len(os.listdir(f"/proc/{server.pid}/fd")) == descriptors


def test_a_crash_puts_it_back_to_sleep_and_the_socket_stays(sleeper):
    server, at = sleeper("loyal\ndie 1\n")
    inode = os.stat(at).st_ino
    first = ask(at)
    assert "killed by signal 9" in became(server, "a.ini", "asleep", count=2)
    assert ask(at) != first
    assert os.stat(at).st_ino == inode


def test_one_that_dies_early_waits_before_it_is_asked_again(sleeper):
    server, at = sleeper("exit 1\n", "--emperor-max-throttle", 300)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(at))
        assert "exited with code 1" in became(server, "a.ini", "backoff")
        became(server, "a.ini", "asleep", count=2)
        became(server, "a.ini", "backoff", count=2)  # the connection still waits


def test_what_changes_while_it_sleeps_wakes_nobody(sleeper, vassals):
    server, at = sleeper("loyal\nserve 1\n")
    vassals.write("a.ini", "loyal\nserve 1\nnew yes\n")
    assert "changed" in became(server, "a.ini", "asleep", count=2)
    server.kill(signal.SIGHUP)
    became(server, "a.ini", "asleep", count=3)
    assert server.log.find('"event": "started"') == []
    ask(at)


def test_removing_it_removes_the_socket(sleeper, vassals):
    server, at = sleeper("loyal\n")
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    vassals.write("b.ini", "loyal\n")  # a further round of the loop
    became(server, "b.ini", "asleep")
    assert not at.exists()
    assert server.stop() == 0


def test_the_end_of_all_takes_sleepers_along(sleeper):
    server, at = sleeper("loyal\n")
    assert server.stop() == 0
    assert not at.exists()


@pytest.mark.parametrize("kind", ["UNIX", "IPv4", "IPv6"])
def test_an_address_in_a_file(govern, vassals, folder, free_address, kind):
    port = free_address().rsplit(":", 1)[1]
    at = {"UNIX": str(folder / "x.sock"), "IPv4": free_address(), "IPv6": f"[::1]:{port}"}[kind]
    (vassals.directory / "a.ini.at").write_text(f"{at}\nmore\n")
    vassals.write("a.ini", "loyal\nserve 1\n")
    vassals.write("b.ini", "loyal\n")
    server = govern("--emperor-on-demand-extension", ".at")
    became(server, "b.ini", "ready")
    became(server, "a.ini", "asleep")
    if kind == "UNIX":
        assert stat.S_IMODE(os.stat(at).st_mode) == 0o666
    assert ask(at)
    became(server, "a.ini", "asleep", count=2)


def test_a_new_address_in_the_file(govern, vassals, folder):
    where = vassals.directory / "a.ini.at"
    first, second = folder / "1.sock", folder / "2.sock"
    where.write_text(f"{first}\n")
    vassals.write("a.ini", "loyal\nserve 1000\n")
    server = govern("--emperor-on-demand-extension", ".at")
    became(server, "a.ini", "asleep")
    pid = ask(first)
    where.write_text(f"{second}\n")
    vassals.touch("a.ini")
    became(server, "a.ini", "restarting")
    became(server, "a.ini", "asleep", count=2)
    assert not first.exists()
    assert ask(second) != pid
    where.unlink()
    vassals.touch("a.ini")
    became(server, "a.ini", "restarting", count=2)
    became(server, "a.ini", "ready", count=3)  # it is not on demand any more
    assert not second.exists()


def test_an_address_from_a_command(govern, vassals, folder):
    """The command gets the name as it is, whatever a shell would make of it."""
    name = '$(touch x) "; touch y; .ini'
    script = folder / "where"
    script.write_text(f'#!/bin/sh\n[ "$1" = b.ini ] && exit 1\n'
                      f'case "$1" in *.ini) echo {folder}/c.sock;; esac\n')
    script.chmod(0o755)
    vassals.write(name, "loyal\nserve 1\n")
    server = govern("--emperor-on-demand-exec", script)
    became(server, name, "asleep")
    assert ask(folder / "c.sock")
    assert sorted(os.listdir(vassals.directory)) == [name]
    start_one(server, vassals, "b.ini")
    server.wait_line(r"vassal b\.ini: emperor-on-demand-exec exited with code 1")


def test_a_command_that_hangs_holds_up_nobody(govern, vassals, folder):
    script = folder / "where"
    script.write_text('#!/bin/sh\n[ "$1" = a.ini ] && exec sleep 1000\nexit 0\n')
    script.chmod(0o755)
    vassals.write("a.ini", "loyal\n")
    server = govern("--emperor-on-demand-exec", script)
    start_one(server, vassals, "b.ini")
    assert stats.vassal(server.stats, "a.ini")["state"] == "new"
    assert server.stop() == 0


def test_a_file_of_an_address_that_is_none_holds_up_nobody(govern, vassals):
    """A FIFO would be waited for."""
    os.mkfifo(vassals.directory / "a.ini.at")
    server = govern("--emperor-on-demand-extension", ".at")
    vassals.write("a.ini", "loyal\n")
    server.wait_line(r"error: vassal a\.ini: cannot read .*a\.ini\.at: it is no regular file")
    start_one(server, vassals, "b.ini")


def test_vassals_of_one_file_have_a_socket_each(govern, vassals, sockets):
    server = govern("--emperor-on-demand-directory", sockets)
    vassals.write("a.ini", "[vassal:x]\nserve = 1\n[vassal:y]\nserve = 1\n")
    for name in "a.ini:x", "a.ini:y":
        became(server, name, "asleep")
    assert sorted(os.listdir(sockets)) == ["a:x.socket", "a:y.socket"]


def test_two_vassals_cannot_have_one_socket(govern, vassals, sockets):
    server = govern("--emperor-on-demand-directory", sockets, "--emperor-extra-extension", ".b")
    vassals.write("a.ini", "loyal\nserve 1\n")
    became(server, "a.ini", "asleep")
    vassals.write("a.b", "loyal\n")
    server.wait_line(r"vassal a\.b: .* is the socket of vassal a\.ini")
    became(server, "a.b", "backoff")
    assert ask(sockets / "a.socket")


@pytest.mark.parametrize("kind", ["UNIX", "IPv4"])
def test_a_vassal_that_shuts_its_socket_down_does_no_harm(govern, vassals, folder, free_address, kind):
    """The Emperor does not turn in circles over it, and has a new one when the vassal has ended."""
    at = {"UNIX": str(folder / "x.sock"), "IPv4": free_address()}[kind]
    (vassals.directory / "a.ini.at").write_text(f"{at}\n")
    vassals.write("a.ini", "loyal\nserve 1\nshut\nstay\n")
    server = govern("--emperor-on-demand-extension", ".at")
    became(server, "a.ini", "asleep")
    pid = ask(at)
    said(server, "a.ini", "shut")
    before = proc.cpu_seconds([server.pid])
    with pytest.raises(AssertionError):
        server.wait_line("nothing is said", timeout=0.5)
    assert proc.cpu_seconds([server.pid]) - before < 0.2

    os.kill(pid, signal.SIGKILL)
    server.wait_line(r"warning: vassal a\.ini: it has shut down its socket, .*, which is bound anew")
    became(server, "a.ini", "asleep", count=3)
    assert ask(at) != pid


@pytest.mark.parametrize("text, arguments", [
    ("exit 1\n", ["--emperor-no-blacklist"]),
    ("says 1 22\n", ["--emperor-no-blacklist"]),
    ("loyal\nlive 0\n", []),
])
def test_one_that_always_breaks_off_is_not_started_without_end(sleeper, text, arguments):
    server, at = sleeper(text, *arguments)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(at))
        assert "starts again in 1.0 s" in became(server, "a.ini", "waiting")


def test_one_that_asks_to_stop_and_leaves_its_connection_waits(sleeper):
    server, at = sleeper("says 1 22\n")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(at))
        became(server, "a.ini", "retiring")
        assert "starts again in 3.0 s" in became(server, "a.ini", "backoff")
