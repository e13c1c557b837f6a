# SPDX-License-Identifier: MIT
"""SIGUSR2: a new master from the program that is on the disk now, beside the old one, on the same
sockets. Either can be told to go, and no client notices."""
import os
import shutil
import signal

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.load import Load
from harness.meeting import Meeting
from harness.programs import APPS, BUILD

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.fixture
def program(folder):
    """A copy of the programs that can be replaced."""
    copy = folder / "bin"
    copy.mkdir()
    for name in ["liege", "liege-instance", *(p.relative_to(BUILD) for p in BUILD.glob("plugins/*/liege_*.so"))]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BUILD / name, copy / name)
    return copy


@pytest.fixture
def web(instance):
    return lambda settings="", **kw: instance(WEB + settings, **kw)


def upgrade(server, count=1):
    """Starts a new master and waits until it serves. -> its pid"""
    server.kill(signal.SIGUSR2)
    return int(server.wait_line(r"the new master \(pid (\d+)\) serves beside this one",
                                count=count).group(1))


def masters_of(server, n=60):
    """The masters whose workers answer."""
    return {proc.parent(int(client.get(server.address, "/pid").body)) for _ in range(n)}


def end(pid, sig=signal.SIGQUIT):
    os.kill(pid, sig)
    assert not proc.wait_gone([pid])


@pytest.mark.plain
@pytest.mark.parametrize("stays", ["new", "old"])
def test_no_request_is_lost_whichever_ends(web, stays):
    server = web("processes = 2\ndisable-logging = yes")
    with Load(server.address, keep_alive=16, per_request=8) as load:
        load.wait_for(200)
        new = upgrade(server)
        load.wait_for(200)
        end(server.pid if stays == "new" else new)
        load.wait_for(200)
    load.assert_clean()
    assert load.announced_ends == 0
    assert masters_of(server) == {new if stays == "new" else server.pid}
    if stays == "new":
        assert server.wait() == 0
        end(new, signal.SIGINT)


def test_both_serve_and_idle_connections_stay(web, folder):
    server = web()
    with Connection(server.address) as idle, Meeting(folder) as meeting, \
            Connection(server.address) as busy:
        first = int(idle.request("/pid").body)
        new = upgrade(server)
        assert int(idle.request("/pid").body) == first
        busy.send(request_bytes(meeting.target))  # one of the two has it, the other is free
        visitor = meeting.arrive()
        assert {proc.parent(visitor.pid), *masters_of(server, 1)} == {server.pid, new}
        visitor.release()
        busy.response()
        end(server.pid)
        answer = idle.request("/pid")
        assert proc.parent(int(answer.body)) == new and not answer.close
    end(new)


def test_a_request_that_runs_is_finished_by_the_old_master(web, folder):
    server = web()
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        new = upgrade(server)
        server.kill(signal.SIGQUIT)
        proc.wait_title(visitor.pid, "liege: worker 1 app.ini (finishing)")
        visitor.release("old")
        assert c.response().body == b"old"
        assert proc.parent(int(c.request("/pid").body)) == new
    assert server.wait() == 0
    end(new)


@pytest.mark.parametrize("broken", ["#!/bin/sh\nexit 7\n", "no program", None])
def test_a_program_that_cannot_start_changes_nothing(web, program, broken):
    server = web(program=program / "liege")
    worker = int(client.get(server.address, "/pid").body)
    instance = program / "liege-instance"
    instance.unlink()
    if broken:
        instance.write_text(broken)
        instance.chmod(0o755)
    server.kill(signal.SIGUSR2)
    server.wait_line("error: the new master exited with code (7|127) before it served: "
                     "this one goes on")
    assert int(client.get(server.address, "/pid").body) == worker
    shutil.copy(BUILD / "liege-instance", instance)
    new = upgrade(server)
    assert os.readlink(f"/proc/{new}/exe") == str(instance)
    end(server.pid)
    assert masters_of(server) == {new}
    end(new)


def test_an_application_that_does_not_load_any_more_changes_nothing(instance, folder):
    app = "def application(environ, start_response):\n" \
          "    start_response('200 OK', [])\n    return [b'here']\n"
    server = instance("module = app", {"app.py": app})
    (folder / "app.py").write_text("import nowhere\n")
    server.kill(signal.SIGUSR2)
    server.wait_line(f"the new master exited with code {says.BOOT_ERROR} before it served")
    assert client.get(server.address).body == b"here"
    assert server.stop() == 0
    assert not os.path.exists(server.address)


def test_a_killed_master_leaves_the_other_one_serving(web):
    server = web()
    new = upgrade(server)
    server.kill(signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    server.wait_line("the old master has ended")
    assert masters_of(server) == {new}
    os.kill(new, signal.SIGUSR2)
    newest = int(server.wait_line(r"the new master \(pid (\d+)\) serves", count=2).group(1))
    os.kill(newest, signal.SIGKILL)
    server.wait_line("the new master killed by signal 9 .*: this one goes on")
    assert masters_of(server) == {new}
    end(new, signal.SIGTERM)
    assert not os.path.exists(server.address)


def test_without_workers_beside_a_new_master_and_back(web):
    """The way to take a release back: WINCH to the old one, look, HUP to the old, QUIT to the new."""
    server = web("processes = 2\ndisable-logging = yes")
    with Load(server.address, keep_alive=8, per_request=4) as load:
        new = upgrade(server)
        server.kill(signal.SIGWINCH)
        assert proc.wait_children(server.pid, 1) == [new]
        load.wait_for(100)
        server.kill(signal.SIGHUP)
        server.wait_line(says.serving(2))
        end(new)
        load.wait_for(100)
    load.assert_clean()
    assert masters_of(server) == {server.pid}


def test_only_one_new_master_at_a_time(web):
    server = web()
    new = upgrade(server)
    server.kill(signal.SIGUSR2)
    server.wait_line(rf"SIGUSR2 is ignored: the new master \(pid {new}\) is there, too")
    os.kill(new, signal.SIGUSR2)
    server.wait_line(rf"SIGUSR2 is ignored: the old master \(pid {server.pid}\) is there, too")
    end(new)
    server.wait_line("the new master exited with code 0: this one goes on")
    end(upgrade(server, 2))


def test_a_vassal_is_its_emperors_to_upgrade(emperor, vassals):
    vassals.write("app.ini", f"[liege]\nhttp-socket = {vassals.directory}/s\n"
                  f"wsgi-file = {APPS}/python/web.py\n")
    server = emperor()
    server.wait_line(says.serving())
    [vassal] = proc.children(server.pid)
    os.kill(vassal, signal.SIGUSR2)
    server.wait_line("SIGUSR2 is ignored: this is a vassal")
    assert client.get(f"{vassals.directory}/s").status == 200


# Pid files

def read_pid(path):
    return int(path.read_text())


@pytest.mark.parametrize("option", ["pidfile", "pidfile2"])
def test_the_file_with_the_pid(web, folder, option):
    path, second = folder / "pid", folder / "pid.2"
    server = web(f"{option} = {path}")
    assert read_pid(path) == server.pid
    new = upgrade(server)
    assert read_pid(path) == server.pid and read_pid(second) == new
    end(new)
    assert read_pid(path) == server.pid and not second.exists()
    new = upgrade(server, 2)
    end(server.pid)
    server.wait_line("the old master has ended", count=1)
    assert client.get(server.address).status == 200
    assert read_pid(path) == new and not second.exists()
    end(new)
    assert not path.exists()


@pytest.mark.needs_root
def test_a_file_in_a_folder_that_is_not_ours_any_more(web, folder):
    """Written as root: it can be emptied and written later, not removed."""
    os.chmod(folder / "reports", 0o1777)
    path = folder / "run" / "pid"
    path.parent.mkdir(mode=0o755)
    run = folder / "s"
    run.mkdir()
    os.chown(run, 65534, 65534)
    server = web(f"pidfile = {path}\nuid = 65534\ngid = 65534\nhttp-socket = {run}/s")
    server.address = f"{run}/s"
    assert read_pid(path) == server.pid
    new = upgrade(server)
    server.log.wait("warning: pidfile: cannot write .*/pid.2: Permission denied")
    end(server.pid)
    server.wait_line("the old master has ended")
    assert client.get(server.address).status == 200
    assert read_pid(path) == new
    end(new)
    assert path.read_text() == ""


def test_a_file_that_cannot_be_written_is_an_error(web, folder):
    server = web(f"pidfile = {folder}/missing/pid", wait=False)
    assert server.wait() == 1
    server.log.wait("cannot start: pidfile: cannot write .*/missing/pid: No such file")


def test_somebody_elses_file_is_left_alone_at_the_end(web, folder):
    path = folder / "pid"
    server = web(f"pidfile = {path}")
    path.unlink()
    path.write_text("77\n")
    assert server.stop() == 0
    assert read_pid(path) == 77
