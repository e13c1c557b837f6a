# SPDX-License-Identifier: MIT
"""daemonize: in the background, when it serves."""
import os
import signal
import time

from harness import client, proc, says

WEB = "wsgi-file = {apps}/python/web.py\n"


def pid_of(path):
    return int(path.read_text())


def start(instance, folder, settings=WEB, **kw):
    return instance(f"daemonize = {folder}/log\npidfile = {folder}/pid\n{settings}", wait=False, **kw)


def end(pid):
    os.kill(pid, signal.SIGQUIT)
    assert not proc.wait_gone([pid])


def test_it_serves_when_the_command_returns(instance, folder):
    server = start(instance, folder)
    assert server.wait() == 0
    master = pid_of(folder / "pid")
    assert client.get(server.address).status == 200
    assert os.getsid(master) == master and proc.descriptors(master)[0] == "/dev/null"
    assert "generation 1 serves with" in (folder / "log").read_text()
    assert server.log.text() == ""
    end(master)


def test_a_command_that_fails_says_so(instance, folder):
    server = start(instance, folder, "module = nowhere\n")
    assert server.wait() == says.BOOT_ERROR
    assert "No module named 'nowhere'" in (folder / "log").read_text()


def test_its_log_is_rotated_and_it_is_upgraded(instance, folder):
    server = start(instance, folder)
    assert server.wait() == 0
    master = pid_of(folder / "pid")
    os.rename(folder / "log", folder / "old")
    os.kill(master, signal.SIGUSR1)
    deadline = time.monotonic() + 30
    while not (folder / "log").exists() or "is opened anew" not in (folder / "log").read_text():
        assert time.monotonic() < deadline
    os.kill(master, signal.SIGUSR2)
    while not (folder / "pid.2").exists() or "serves beside" not in (folder / "log").read_text():
        assert time.monotonic() < deadline
    new = pid_of(folder / "pid.2")
    end(master)
    while pid_of(folder / "pid") != new:
        assert time.monotonic() < deadline
    assert client.get(server.address).status == 200
    end(new)


def test_a_vassal_must_not(emperor, vassals, folder):
    vassals.write("app.ini", f"[liege]\nhttp-socket = {folder}/s\nmodule = x\ndaemonize = {folder}/log\n")
    server = emperor()
    server.wait_line("daemonize: a vassal must not leave its Emperor")


def test_a_file_that_cannot_be_written(instance, folder):
    server = instance(f"daemonize = {folder}/missing/log\n{WEB}", wait=False)
    assert server.wait() == 1
    server.log.wait("daemonize: cannot open .*/missing/log")
