# SPDX-License-Identifier: MIT
"""A chain reload: the application is loaded anew, and workers are replaced in turn, with one process more
than usual. What cannot be loaded changes nothing."""
import os
import pathlib
import signal

import pytest

from harness import client, proc, says
from harness.load import Load

APP = """
import os


def application(environ, start_response):
    start_response("200 OK", [])
    return [f"VERSION {os.getpid()}".encode()]
"""
DONE = "generation 1: all workers are replaced"


def write(folder, version):
    new = pathlib.Path(folder / "app.py.new")
    new.write_text(APP.replace("VERSION", version))
    new.rename(folder / "app.py")


def touch(folder):
    (folder / "trigger").touch()


@pytest.fixture
def web(instance, folder):
    """web(settings) -> a server of version one, which a touch of "trigger" reloads in a chain."""
    return lambda settings: instance(
        f"module = app\ntouch-chain-reload = {folder}/trigger\nmaster-fifo = {folder}/fifo\n"
        f"stats = {folder}/stats\n{settings}",
        {"app.py": APP.replace("VERSION", "one"), "trigger": ""})


def answers(server, n=40):
    """-> ({versions}, {pids})"""
    found = [client.get(server.address).body.decode().split() for _ in range(n)]
    return {version for version, _ in found}, {int(pid) for _, pid in found}


def titles(server):
    return [t for t in map(proc.command_line, server.children()) if t and "worker" in t]


@pytest.mark.plain
@pytest.mark.parametrize("settings", ["processes = 4", "processes = 4\nlazy-apps = yes"])
def test_workers_are_replaced_in_turn(web, folder, settings):
    server = web(settings)
    before = set(server.children())
    write(folder, "two")
    with Load(server.address, keep_alive=8, per_request=4) as load:
        load.wait_for(50)
        touch(folder)
        most = 0
        while not server.log.find(DONE):
            most = max(most, len(titles(server)))
        load.wait_for(50)
    load.assert_clean()
    assert most <= 5
    assert answers(server)[0] == {"two"}
    assert not before & set(proc.wait_children(server.pid, 4 + ("lazy" not in settings)))


def test_settings_stay_as_they_are(web, folder):
    server = web("processes = 1")
    server.config.write_text(server.config.read_text() + "no-such-option = 1\nprocesses = 3\n")
    touch(folder)
    server.wait_line(DONE)
    proc.wait_titles(server.pid, ["liege: worker 1 app.ini", "liege: zygote app.ini"])
    assert not server.log.find("no-such-option")


def test_what_cannot_be_loaded_changes_nothing(web, folder):
    server = web("processes = 2")
    before = set(server.children())
    (folder / "app.py").write_text("import nowhere\n")
    touch(folder)
    server.wait_line("error: generation 1 cannot be renewed, its workers go on as they are: "
                     ".*No module named 'nowhere'")
    assert answers(server)[0] == {"one"}
    assert set(server.children()) == before
    write(folder, "two")
    (folder / "fifo").write_text("c")
    server.wait_line(DONE)
    assert answers(server)[0] == {"two"}


def test_the_next_worker_to_die_is_replaced_by_the_new_application(web, folder):
    server = web("processes = 2")
    write(folder, "two")
    touch(folder)
    server.wait_line(DONE)
    write(folder, "three")
    _, pids = answers(server)
    os.kill(pids.pop(), signal.SIGKILL)
    server.wait_line("killed by signal 9")
    proc.wait_titles(server.pid, ["liege: worker 1 app.ini", "liege: worker 2 app.ini",
                                  "liege: zygote app.ini"])
    assert answers(server)[0] == {"two"}


def test_a_reload_takes_the_place_of_a_chain_reload(web, folder):
    server = web("processes = 8")
    write(folder, "two")
    touch(folder)
    server.wait_line("chain reload: generation 1 is renewed")
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert answers(server)[0] == {"two"}
    proc.wait_titles(server.pid, [*(f"liege: worker {i} app.ini" for i in range(1, 9)),
                                  "liege: zygote app.ini"])
    with Load(server.address, keep_alive=4) as load:
        (folder / "fifo").write_text("ccc")
        server.wait_line("generation 2: all workers are replaced")
    load.assert_clean()


def test_an_end_in_the_middle_of_it(web, folder):
    server = web("processes = 8")
    touch(folder)
    server.wait_line("its workers are replaced in turn")
    assert server.stop(signal.SIGQUIT) == 0


def test_without_workers_it_is_not_needed(web, folder):
    server = web("processes = 2")
    server.kill(signal.SIGWINCH)
    assert proc.wait_children(server.pid, 0) == []
    (folder / "fifo").write_text("c")
    server.wait_line("chain reload: not needed, as there are no workers")
    write(folder, "two")
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert answers(server)[0] == {"two"}
