# SPDX-License-Identifier: MIT
"""Zerg: instances that serve on the sockets of another one, and come and go without a client
noticing."""
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

import pytest

from harness import client, gateway, proc, says
from harness.client import Connection, request_bytes
from harness.load import Load
from harness.meeting import Meeting
from harness.programs import PATIENCE

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.fixture
def zerg_path(folder):
    return folder / "zerg.sock"


@pytest.fixture
def first(instance):
    """first(settings): the instance that has the sockets."""
    return lambda settings="", **kw: instance(
        WEB + "zerg-server = {folder}/zerg.sock\n" + settings, **kw)


@pytest.fixture
def zerg(instance):
    """zerg(settings): an instance that serves beside it; it names the same HTTP socket."""
    return lambda settings="", **kw: instance(WEB + settings, name="zerg.ini", arguments=(
        "--zerg", "zerg.sock"), **kw)


def masters(server, n=5):
    """The masters whose workers answer."""
    return {proc.parent(int(client.get(server.address, "/pid").body)) for _ in range(n)}


def wait_for_answer_of(load, helper):
    """Waits until a worker of @helper has answered a request for /pid of @load."""
    deadline = time.monotonic() + PATIENCE
    while not {str(p).encode() for p in helper.children()} & set(load.bodies):
        assert time.monotonic() < deadline, load.bodies
        load.wait_for(20)


def same(server):
    """The setting that names the same socket as @server."""
    return f"http-socket = {server.address}\n"


@pytest.mark.plain
@pytest.mark.parametrize("tcp", [False, True])
def test_both_serve_and_no_request_is_lost_when_one_goes(first, zerg, free_address, tcp):
    address = free_address()
    here = f"http-socket = {address}\n" if tcp else ""
    settings = "processes = 2\ndisable-logging = yes\n"
    server = first(settings + here)
    if tcp:
        server.address = address
    with Load(server.address, target="/pid", keep_alive=8, per_request=8) as load:
        load.wait_for(200)
        helper = zerg(settings + same(server))
        wait_for_answer_of(load, helper)
        assert helper.stop(signal.SIGQUIT) == 0
        load.wait_for(200)
        assert masters(server) == {server.pid}
    load.assert_clean()


def test_the_zerg_may_outlive_it(first, zerg):
    server = first()
    helper = zerg(same(server))
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    assert masters(server) == {helper.pid}
    assert helper.stop() == 0


def test_what_no_option_names_speaks_uwsgi_or_protocol(first, zerg, folder):
    server = first("uwsgi-socket = {folder}/uwsgi.sock")
    helper = zerg("http-socket = {folder}/own.sock\n" + same(server))
    helper.wait_line(r"uwsgi\.sock was passed: uwsgi is spoken there")
    helper.wait_line(r"app\.ini\.sock was passed: http is spoken there")
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    with gateway.Uwsgi(str(folder / "uwsgi.sock")) as c:
        assert c.get("/").status == 200
    assert client.get(str(folder / "own.sock")).status == 200


def test_a_zerg_reloads_on_the_same_sockets(first, zerg):
    server = first()
    helper = zerg(same(server))
    helper.kill(signal.SIGHUP)
    helper.wait_line(says.serving(2))
    helper.kill(signal.SIGUSR2)
    new = int(helper.wait_line(r"the new master \(pid (\d+)\) serves").group(1))
    assert helper.stop(signal.SIGQUIT) == 0
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    assert masters(server) == {new}
    os.kill(new, signal.SIGQUIT)
    assert not proc.wait_gone([new])


def test_a_busy_instance_is_helped(first, zerg, folder):
    server = first()
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        helper = zerg(same(server))
        for _ in range(5):
            with pytest.raises(AssertionError):  # for longer than a busy worker may hold back
                server.wait_line("nothing is said", after=server.log.mark(), timeout=0.15)
            assert masters(server, 2) == {helper.pid}
        visitor.release()
        assert c.response().body == b"released"


def test_nobody_there(zerg):
    server = zerg("", wait=False)
    assert server.wait() == 1
    server.wait_line(r"zerg: cannot reach the zerg server at zerg\.sock: No such file")


def test_fallback(zerg):
    server = zerg("zerg-fallback = yes")
    server.wait_line(r"warning: .*zerg\.sock: .*: the sockets that this configuration names are used")
    assert client.get(server.address).status == 200


def test_the_file_is_for_the_owner_alone(first, zerg_path):
    server = first()
    assert stat.S_IMODE(zerg_path.stat().st_mode) == 0o600
    assert server.stop() == 0
    assert not zerg_path.exists()


def test_uwsgis_own_greeting(first, zerg_path):
    first("uwsgi-socket = {folder}/uwsgi.sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(zerg_path))
        data, fds, _, _ = socket.recv_fds(s, 64, 10)
        assert data == b"uwsgi-zerg" + struct.pack("i", 2)
        assert len(fds) == 2 and s.recv(1) == b""
    for fd in fds:
        with socket.socket(fileno=fd) as listener:
            assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def test_what_is_no_listening_socket_is_left(zerg, folder):
    """A server that passes a file, a datagram socket and one that listens."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as good, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bad, open("/dev/null") as null:
        server.bind(str(folder / "zerg.sock"))
        server.listen()
        good.bind(str(folder / "good.sock"))
        good.listen()
        helper = zerg("protocol = http", wait=False)
        s, _ = server.accept()
        with s:
            socket.send_fds(s, [b"uwsgi-zerg" + struct.pack("i", 3)],
                            [null.fileno(), bad.fileno(), good.fileno()])
        helper.wait_line(says.serving())
        assert len(helper.log.find(r"warning: zerg = zerg\.sock: a socket that was passed")) == 2
        assert client.get(str(folder / "good.sock")).status == 200


# Pools

@pytest.fixture
def pool(start, configure, folder):
    """An instance that has two sockets and serves neither."""
    def run(value="{folder}/zerg.sock:{folder}/a.sock,{folder}/b.sock", wait=True):
        server = start(configure("pool.ini", f"[liege]\nneed-app = no\nzerg-pool = {value}\n"))
        if wait:
            server.wait_line(says.serving())
        return server
    return run


@pytest.mark.plain
def test_the_sockets_of_a_pool_outlive_who_serves_them(pool, start, configure, folder):
    pool()
    served = configure("a.ini", "[liege]\n" + WEB + "zerg = {folder}/zerg.sock\nprotocol = http\n")
    first = start(served)
    first.wait_line(says.serving())
    assert masters_at(folder / "a.sock") == masters_at(folder / "b.sock") == first.pid
    assert first.stop(signal.SIGQUIT) == 0
    with Connection(str(folder / "a.sock")) as c:
        c.send(request_bytes("/"))
        second = start(served)
        assert c.response().status == 200
    assert masters_at(folder / "b.sock") == second.pid


def masters_at(path):
    return proc.parent(int(client.get(str(path), "/pid").body))


def test_a_pool_reloads_and_cleans_up(pool, folder):
    server = pool()
    before = (folder / "a.sock").stat().st_ino
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert (folder / "a.sock").stat().st_ino == before
    server.kill(signal.SIGUSR2)
    server.wait_line("SIGUSR2 is ignored: a new master could not have the sockets of zerg-pool")
    assert server.stop() == 0
    assert list(folder.glob("*.sock")) == []


@pytest.mark.parametrize("value, complaint", [
    ("/x", r"pool\.ini:3: zerg-pool.*'/x' is no PATH:ADDRESS,ADDRESS"),
    ("/x:", "is no PATH:ADDRESS,ADDRESS"),
    (":/a", "is no PATH:ADDRESS,ADDRESS"),
    ("/x:/a,,/b", "is no PATH:ADDRESS,ADDRESS"),
    ("{folder}/x:example.org:80", r"zerg-pool = .*: 'example\.org:80' is not an address"),
])
def test_pools_that_are_refused(pool, value, complaint):
    server = pool(value, wait=False)
    assert server.wait() == 1
    server.wait_line(complaint)


@pytest.mark.needs_root
def test_other_users_get_nothing(first, zerg_path, folder):
    server = first()
    zerg_path.chmod(0o666)
    ask = (f"import socket, os; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
           f"s.connect('{zerg_path}'); print(socket.recv_fds(s, 64, 10))")
    run = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True)
    assert run.stdout.startswith("(b'', [],")
    server.wait_line(r"zerg-server: process \d+ of user 65534 is refused")
