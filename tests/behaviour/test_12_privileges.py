# SPDX-License-Identifier: MIT
"""An instance that is started by root and runs as somebody else: what it gives up, when, and what
it keeps."""
import grp
import json
import os
import pwd
import signal
import stat

import pytest

from harness import client, proc, says
from harness.address import own_host
from harness.client import Connection
from harness.meeting import Meeting

pytestmark = pytest.mark.needs_root

WEB = "wsgi-file = {apps}/python/web.py\n"
NOBODY = pwd.getpwnam("nobody")
DAEMON = grp.getgrnam("daemon").gr_gid


@pytest.fixture
def home(folder):
    """A folder of the user nobody."""
    path = folder / "home"
    path.mkdir()
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    return path


def credentials(pid):
    """Real, effective, saved and file system ids, the groups, and the capabilities."""
    return (proc.status(pid, "Uid"), proc.status(pid, "Gid"), sorted(proc.status(pid, "Groups")),
            *(proc.status(pid, f"Cap{set}") for set in ("Eff", "Prm", "Amb")))


def all_of(server):
    """Master, zygote, workers."""
    pids = [server.pid, *server.descendants()]
    assert len(pids) == 4
    return pids


@pytest.mark.plain
@pytest.mark.parametrize("settings, uid, gid, groups", [
    ("uid = nobody\ngid = daemon", NOBODY.pw_uid, DAEMON,
     os.getgrouplist("nobody", DAEMON)),
    ("uid = nobody", NOBODY.pw_uid, NOBODY.pw_gid, os.getgrouplist("nobody", NOBODY.pw_gid)),
    (f"uid = {NOBODY.pw_uid}\ngid = {DAEMON}", NOBODY.pw_uid, DAEMON,
     os.getgrouplist("nobody", DAEMON)),
    ("uid = 54321\ngid = 54322", 54321, 54322, []),
])
def test_all_processes_become_the_user(instance, home, settings, uid, gid, groups):
    os.chown(home, uid, -1)
    server = instance(f"http-socket = {home}/s\nprocesses = 2\n{settings}\n{WEB}",
                      wrapper=["setpriv", "--groups=1,2,3", "--"])
    for pid in all_of(server):
        assert credentials(pid) == ([str(uid)] * 4, [str(gid)] * 4, sorted(map(str, groups)),
                                    *[["0000000000000000"]] * 3), proc.command_line(pid)


def test_the_application_sees_it_when_it_is_loaded(instance, home):
    app = """
import json, os
seen = json.dumps([os.getresuid(), os.getresgid()])
def application(environ, start_response):
    start_response("200 OK", [])
    return [seen.encode()]
"""
    for lazy in ("no", "yes"):
        server = instance(f"http-socket = {home}/{lazy}\nuid = nobody\nlazy-apps = {lazy}\n"
                          "wsgi-file = {folder}/app.py", {"app.py": app})
        seen = json.loads(client.get(home / lazy).body)
        assert seen == [[NOBODY.pw_uid] * 3, [NOBODY.pw_gid] * 3]
        assert server.stop() == 0


def test_a_low_port_is_bound_before(instance):
    """What the application could not do itself."""
    at = f"{own_host()}:80"
    server = instance(f"http-socket = {at}\nuid = nobody\n{WEB}")
    assert json.loads(client.get(at, "/identity").body)["uid"] == [NOBODY.pw_uid] * 3
    assert list(proc.listening(server.pid)) == [(own_host(), 80)]


def test_a_unix_socket_belongs_to_the_user(instance, home):
    server = instance(f"http-socket = {home}/s\nuid = nobody\nchmod-socket = 600\n{WEB}")
    info = (home / "s").stat()
    assert (info.st_uid, info.st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
    assert stat.S_IMODE(info.st_mode) == 0o600
    assert server.stop() == 0
    assert not (home / "s").exists()


def test_a_unix_socket_that_shall_belong_to_another(instance, folder, home):
    """Only root can give files away, and write where the user cannot."""
    server = instance(f"http-socket = {folder}/s\nuid = nobody\nchown-socket = daemon:daemon\n"
                      + WEB)
    info = (folder / "s").stat()
    assert (info.st_uid, info.st_gid) == (pwd.getpwnam("daemon").pw_uid, DAEMON)
    assert client.get(folder / "s").body == b"hello\n"
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert client.get(folder / "s").body == b"hello\n"


def test_a_unix_socket_where_the_user_may_not_write(instance, folder):
    server = instance(f"http-socket = {folder}/s\nuid = nobody\n{WEB}", wait=False)
    assert server.wait() == 1
    assert server.log.find(r"error: cannot start: http-socket: cannot .*/s: Permission denied")
    assert not (folder / "s").exists()


@pytest.mark.parametrize("lazy", ["no", "yes"])
def test_all_die_with_a_killed_master(instance, home, lazy):
    """The kernel forgets the death signal when the user changes: it has to be asked for after."""
    server = instance(f"http-socket = {home}/s\nuid = nobody\nprocesses = 3\nlazy-apps = {lazy}\n"
                      + WEB)
    below = server.descendants()
    os.kill(below[-1], signal.SIGSTOP)
    server.kill(signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    assert not proc.wait_gone(below)


def test_a_replaced_worker_is_the_user_too(instance, home):
    server = instance(f"http-socket = {home}/s\nuid = nobody\n{WEB}")
    first = int(client.get(home / "s", "/pid").body)
    os.kill(first, signal.SIGKILL)
    server.wait_line("worker 1 killed by signal 9")
    second = int(client.get(home / "s", "/pid").body)
    assert second != first
    assert credentials(second)[:2] == ([str(NOBODY.pw_uid)] * 4, [str(NOBODY.pw_gid)] * 4)


def test_a_reload_does_not_need_the_privileges_back(instance, home):
    at = f"{own_host()}:81"
    server = instance(f"http-socket = {at}\nhttp-socket = {home}/s\nuid = nobody\n{WEB}")
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert client.get(at).status == client.get(home / "s").status == 200


@pytest.mark.parametrize("setting, complaint", [
    ("uid = nobody-at-all", "there is no user 'nobody-at-all'"),
    ("gid = nobody-at-all", "there is no group 'nobody-at-all'"),
    ("uid = -1", "there is no user '-1'"),
    ("uid = 4294967295", "there is no user '4294967295'"),
])
def test_who_does_not_exist(instance, setting, complaint):
    server = instance(WEB + setting, wait=False)
    assert server.wait() == 1
    assert server.log.find(f"error: cannot start: .*{complaint}")


def test_who_is_not_root_cannot_become_another(instance, home):
    server = instance(f"http-socket = {home}/s\nuid = daemon\n{WEB}", wait=False,
                      wrapper=["setpriv", f"--reuid={NOBODY.pw_uid}", "--clear-groups", "--"])
    assert server.wait() == 1
    assert server.log.find("error: cannot start: cannot become (user|group) .*not permitted")


def test_requests_run_when_nothing_is_privileged(instance, home):
    """A spooled body and its temporary file as the user."""
    server = instance(f"http-socket = {home}/s\nuid = nobody\npost-buffering = 1k\n{WEB}",
                      env={"TMPDIR": home})
    with Meeting(home) as meeting, Connection(home / "s") as c:
        c.send(client.request_bytes(meeting.target, "POST", body=b"x" * 100_000))
        visitor = meeting.arrive()
        assert any(str(home) in what for what in proc.descriptors(visitor.pid).values())
        assert {p.name for p in home.iterdir()} == {"s", "meeting"}  # a file without a name
        visitor.release()
        assert c.response().status == 200
    assert server.stop() == 0
