# SPDX-License-Identifier: MIT
"""Reloads: no request fails, new code and new settings serve afterwards, what cannot serve changes
nothing, and nothing is left behind."""
import os
import pathlib
import re
import signal

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.data import pattern
from harness.load import Load
from harness.meeting import Meeting
from harness.programs import sanitized

WEB = "wsgi-file = {apps}/python/web.py\n"
APP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"VERSION"]
"""


def version(n):
    return APP.replace("VERSION", str(n))


def rewrite(path, text):
    """As a deployment does it: whole, at once."""
    new = pathlib.Path(f"{path}.new")
    new.write_text(text)
    new.rename(path)


def change(server, old, new):
    rewrite(server.config, server.config.read_text().replace(old, new))


def reload_to(server, generation, replaces=None):
    """Reloads and waits until @generation serves; with @replaces also until that one has ended:
    until then it may still take a connection that the kernel has woken it for."""
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(generation))
    if replaces:
        server.wait_line(says.ended(replaces))


def reload_in_vain(server, complaint, count=1):
    server.kill(signal.SIGHUP)
    server.wait_line(f"{says.RELOAD_FAILED}: .*{complaint}", count=count)


def workers_of(server):
    """The pids of the workers that answer; more requests than workers make it likely to be all."""
    return {client.get(server.address, "/pid").body for _ in range(20)}


@pytest.fixture
def web(instance):
    return lambda settings="", **kw: instance(WEB + settings, **kw)


@pytest.fixture
def versioned(instance):
    """versioned(settings) -> a server whose answer is the version of its application."""
    return lambda settings="", **kw: instance(f"module = app\n{settings}", {"app.py": version(1)},
                                              **kw)


# Under load

@pytest.mark.plain
@pytest.mark.parametrize("where", ["unix", "tcp"])
@pytest.mark.parametrize("settings", ["processes = 3", "processes = 2\nlazy-apps = yes"])
def test_no_request_fails(versioned, folder, free_address, where, settings):
    at = free_address() if where == "tcp" else f"{folder}/s"
    server = versioned(f"http-socket = {at}\n{settings}\ndisable-logging = yes")
    with Load(at, keep_alive=64, per_request=16) as load:
        load.wait_for(500)
        for generation in range(2, 8):
            rewrite(folder / "app.py", version(generation))
            reload_to(server, generation)
            load.wait_for(500)
    load.assert_clean()
    assert set(load.bodies) == {b"%d" % n for n in range(1, 8)}
    for generation in range(1, 7):
        server.wait_line(says.ended(generation))
    assert client.get(at).body == b"7"
    assert not server.log.find("killed|Traceback|error:")
    n = 2 if "lazy" in settings else 4
    assert len(proc.wait_children(server.pid, n)) == n


@pytest.mark.plain
def test_no_answer_is_short(web):
    """Large ones, which take their time, and chunks."""
    server = web("processes = 3\ndisable-logging = yes")
    whole = pattern(300_000)
    with Load(server.address, keep_alive=16, per_request=8, target="/stream?n=300000&size=10000",
              check=whole.__eq__) as load:
        load.wait_for(50)
        for generation in range(2, 6):
            reload_to(server, generation)
            load.wait_for(100)
    load.assert_clean()


def test_requests_that_run_are_finished(web, folder):
    server = web("processes = 2")
    with Meeting(folder) as meeting:
        running = []
        for _ in range(2):
            c = Connection(server.address)
            c.send(request_bytes(meeting.target))
            running.append((c, meeting.arrive()))
        reload_to(server, 2)
        old = {v.pid for _, v in running}
        assert not old & set(map(int, workers_of(server)))
        assert all(map(proc.alive, old))
        for c, visitor in running:
            visitor.release("of the old generation")
            assert c.response().body == b"of the old generation"
            c.close()
        assert not proc.wait_gone(old)
    server.wait_line(says.ended(1))


def test_requests_that_do_not_end_are_given_up(web, folder):
    server = web("reload-mercy = 0.3")
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        reload_to(server, 2)
        server.wait_line(rf"worker 1 \(pid {visitor.pid}\) did not finish within .*killed")
        assert c.at_end()
        server.wait_line(rf"worker 1\] warning: GET {re.escape(meeting.target)} from .* "
                         r"has been running for \d\.\d s: it is given up")
        server.wait_line(r'worker 1\] error:   File ".*\.py", line \d+ in ')
        assert client.get(server.address).body == b"hello\n"


def test_an_idle_connection_is_the_next_generations(web):
    server = web()
    with Connection(server.address) as c:
        old = c.request("/pid").body
        reload_to(server, 2)
        server.wait_line(says.ended(1))
        answer = c.request("/pid")
        assert answer.body != old and not answer.close


def test_an_idle_connection_does_not_hold_up_the_end(web):
    server = web()
    with Connection(server.address) as c:
        assert c.request().status == 200
        reload_to(server, 2)
        server.kill(signal.SIGQUIT)
        assert server.wait(5) == 0
        assert c.at_end()


def test_half_a_request_over_a_reload(web):
    """A slow upload that was begun before is answered afterwards."""
    server = web()
    with Connection(server.address) as c, Connection(server.address) as head:
        c.send(request_bytes("/echo", "POST", [("Content-Length", "10")]) + b"01234")
        head.send(b"GET /query?slow HTTP/1.1\r\nHo")
        assert client.get(server.address).status == 200
        reload_to(server, 2)
        c.send(b"56789")
        head.send(b"st: a\r\n\r\n")
        for connection, body in ((c, b"0123456789"), (head, b"slow")):
            answer = connection.response()
            assert (answer.body, answer.close) == (body, False)


def test_an_answer_that_is_taken_slowly_over_a_reload(web):
    server = web()
    with Connection(server.address) as c:
        c.send(request_bytes("/bytes?n=10000000"))
        c.wait_input()
        reload_to(server, 2)
        assert c.response().body == pattern(10_000_000)


# What is new

def test_new_code_serves_and_the_old_does_not(versioned, folder):
    server = versioned("processes = 3")
    for n in range(2, 5):
        rewrite(folder / "app.py", version(n))
        reload_to(server, n, replaces=n - 1)
        assert {client.get(server.address).body for _ in range(30)} == {b"%d" % n}


def test_a_link_that_points_elsewhere_is_followed(instance, folder):
    """Deployments that switch a symbolic link; modules, templates and the directory itself."""
    app = """
import os, helper
def application(environ, start_response):
    start_response("200 OK", [])
    return [f"{helper.NAME} {open('data').read()} {os.getcwd()}".encode()]
"""
    files = {f"{n}/{name}": content for n in ("one", "two") for name, content in {
        "app.py": app, "helper.py": f"NAME = '{n}'\n", "data": n}.items()}
    (folder / "current").symlink_to("one")
    server = instance("chdir = {folder}/current\nmodule = app", files)
    assert client.get(server.address).body.decode() == f"one one {folder}/one"
    (folder / "next").symlink_to("two")
    (folder / "next").rename(folder / "current")
    reload_to(server, 2, replaces=1)
    assert client.get(server.address).body.decode() == f"two two {folder}/two"


def test_the_number_of_processes(web):
    server = web("processes = 1")
    for generation, n in enumerate((3, 2, 5, 1), 2):
        rewrite(server.config, "\n".join(
            f"processes = {n}" if line.startswith("processes") else line
            for line in server.config.read_text().splitlines()) + "\n")
        reload_to(server, generation, replaces=generation - 1)
        assert server.log.find(rf"generation {generation} serves with {n} worker")
        assert len(proc.wait_children(server.pid, n + 1)) == n + 1
        assert client.get(server.address).status == 200


def test_from_one_load_to_lazy_and_back(web):
    server = web("processes = 2\nlazy-apps = no")
    for generation, (old, new, n) in enumerate((("no", "yes", 2), ("yes", "no", 3)), 2):
        change(server, f"lazy-apps = {old}", f"lazy-apps = {new}")
        reload_to(server, generation, replaces=generation - 1)
        assert len(proc.wait_children(server.pid, n)) == n
        assert client.get(server.address).status == 200


def test_settings_that_reach_the_application(instance):
    app = """
import os, liege
def application(environ, start_response):
    start_response("200 OK", [])
    return [f"{os.environ.get('GREETING')} {liege.opt['my']}".encode()]
"""
    server = instance("module = app\nenv = GREETING=one\nmy = 1", {"app.py": app})
    assert client.get(server.address).body == b"one b'1'"
    change(server, "env = GREETING=one\nmy = 1", "my = 2")
    reload_to(server, 2, replaces=1)
    assert client.get(server.address).body == b"None b'2'"


def test_limits_and_logging(web):
    server = web("limit-post = 10")
    assert client.get(server.address, "/echo", method="POST", body=b"x" * 11).status == 413
    change(server, "limit-post = 10", "limit-post = 11\ndisable-logging = yes")
    reload_to(server, 2, replaces=1)
    after = server.log.mark()
    assert client.get(server.address, "/echo", method="POST", body=b"x" * 11).status == 200
    assert server.stop() == 0
    assert not server.log.find("POST", after=after)


def test_another_application_in_another_language(web):
    server = web()
    change(server, "wsgi-file = ", "psgi = ")
    text = server.config.read_text().replace("python/web.py", "perl/hello.psgi")
    rewrite(server.config, text)
    reload_to(server, 2, replaces=1)
    assert client.get(server.address).body.startswith(b"hello from hello.psgi")


# Sockets

@pytest.mark.plain
def test_the_sockets_that_stay_are_the_same(instance, folder, free_address):
    tcp, path, abstract = free_address(), folder / "s", f"@{folder}/s"
    server = instance("".join(f"http-socket = {a}\n" for a in (tcp, path, abstract)) + WEB)
    inode, sockets, listening = path.stat().st_ino, proc.sockets(server.pid), \
        proc.listening(server.pid)
    for generation in range(2, 5):
        reload_to(server, generation, replaces=generation - 1)
        assert path.stat().st_ino == inode
        assert proc.listening(server.pid) == listening
        assert len(proc.sockets(server.pid) & sockets) >= 3
        for at in (tcp, path, abstract):
            assert client.get(at).body == b"hello\n"


def test_sockets_that_come_and_go(instance, folder, free_address):
    tcp = free_address()
    server = instance(f"http-socket = {folder}/one\nhttp-socket = {tcp}\n{WEB}")
    change(server, f"http-socket = {folder}/one", f"http-socket = {folder}/two")
    with Load(tcp, keep_alive=4, per_request=4) as load:
        load.wait_for(20)
        reload_to(server, 2, replaces=1)
        load.wait_for(20)
    load.assert_clean()
    assert client.get(folder / "two").body == b"hello\n"
    assert not (folder / "one").exists()

    change(server, f"http-socket = {tcp}\n", "")
    reload_to(server, 3, replaces=2)
    with pytest.raises(ConnectionRefusedError):
        client.get(tcp)
    assert client.get(folder / "two").body == b"hello\n"


def test_a_mode_and_a_queue_that_change(instance, folder):
    server = instance(f"http-socket = {folder}/s\nchmod-socket = 600\n{WEB}")
    change(server, "chmod-socket = 600", "chmod-socket = 660\nlisten = 10")
    inode = (folder / "s").stat().st_ino
    reload_to(server, 2)
    assert (folder / "s").stat().st_mode & 0o777 == 0o660
    assert (folder / "s").stat().st_ino == inode


# What cannot be

@pytest.mark.plain
@pytest.mark.parametrize("lazy", ["no", "yes"])
@pytest.mark.parametrize("code, complaint", [
    ("def application(:\n    pass\n", r"app\.py:1: SyntaxError"),
    ("import nowhere_to_be_found\n", r"app\.py:1: ModuleNotFoundError.*'nowhere_to_be_found'"),
    ("nothing = 1\n", r"app\.py: module app has no attribute 'application'"),
    ("raise SystemExit(3)\n", r"app\.py:1: SystemExit: 3"),
    ("import os\nos._exit(7)\n", r"exited with code 7"),
    ("import liege\napplication = len\nliege.post_fork_hook = lambda: 1 / 0\n",
     r"post_fork_hook failed"),
    ("import liege, os\napplication = len\nliege.post_fork_hook = lambda: os._exit(8)\n",
     r"exited with code 8"),
])
def test_broken_code_changes_nothing(versioned, folder, code, complaint, lazy):
    server = versioned(f"processes = 2\nlazy-apps = {lazy}")
    before, n_descriptors = proc.children(server.pid), len(proc.descriptors(server.pid))
    with Load(server.address, keep_alive=4, per_request=4) as load:
        load.wait_for(20)
        rewrite(folder / "app.py", code)
        for n in (1, 2):
            reload_in_vain(server, complaint, count=n)
            load.wait_for(20)
    load.assert_clean()
    assert set(load.bodies) == {b"1"}
    rewrite(folder / "app.py", version(2))
    reload_to(server, 4, replaces=1)
    assert client.get(server.address).body == b"2"
    for failed in (2, 3):
        server.wait_line(says.ended(failed))
    assert len(proc.wait_children(server.pid, len(before))) == len(before)
    assert len(proc.descriptors(server.pid)) <= n_descriptors


@pytest.mark.parametrize("old, new, complaint", [
    ("processes = 2", "processes = two", r"app\.ini:\d: processes: 'two' is not a whole number"),
    ("processes = 2", "processes = 2\nstrict = yes\nprocesess = 3", r"unknown option 'procesess'"),
    ("http-socket = ", "http-socket = /nowhere/at/all/", r"http-socket: .*No such file"),
    ("module = app", "module = other", "No module named 'other'"),
    ("[liege]", "liege", r"app\.ini"),
    ("processes = 2", "uid = nobody",
     "uid changed from '' to 'nobody': that needs a stop and a start"),
    ("processes = 2", "gid = nogroup", "gid changed from '' to 'nogroup'"),
    ("processes = 2", "chdir = {folder}/missing", "chdir: .*/missing: No such file"),
])
def test_settings_that_cannot_be_change_nothing(versioned, folder, old, new, complaint):
    server = versioned("processes = 2")
    inode, children = (folder / "app.ini.sock").stat().st_ino, proc.children(server.pid)
    sound = server.config.read_text()
    change(server, old, new.format(folder=folder))
    reload_in_vain(server, complaint)
    assert client.get(server.address).body == b"1"
    assert proc.children(server.pid) == children
    assert (folder / "app.ini.sock").stat().st_ino == inode
    rewrite(server.config, sound)
    rewrite(folder / "app.py", version(2))
    server.kill(signal.SIGHUP)
    server.wait_line(says.ended(1))
    assert client.get(server.address).body == b"2"


def test_a_configuration_that_is_gone(versioned):
    server = versioned()
    server.config.unlink()
    reload_in_vain(server, r"app\.ini.*No such file")
    assert client.get(server.address).body == b"1"


def test_a_socket_that_somebody_else_has(instance, folder, free_address):
    taken = free_address()
    other = instance(f"http-socket = {taken}\n{WEB}", name="other.ini")
    server = instance(f"http-socket = {folder}/s\n{WEB}")
    change(server, "http-socket", f"http-socket = {folder}/new\nhttp-socket = {taken}\nhttp-socket")
    reload_in_vain(server, f"http-socket: somebody else listens on {taken}")
    assert not (folder / "new").exists()
    assert client.get(folder / "s").status == client.get(taken).status == 200
    assert other.stop() == 0


def test_a_load_without_end_is_given_up(versioned, folder):
    server = versioned("start-timeout = 1")
    rewrite(folder / "app.py", "import threading\nthreading.Event().wait()\n")
    reload_in_vain(server, "start-timeout")
    assert client.get(server.address).body == b"1"
    assert len(proc.wait_children(server.pid, 2)) == 2


# Orders that cross

WAITING = """
import os, socket
if os.path.exists("meeting"):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("meeting")
        s.sendall(b"%d\\n" % os.getpid())
        s.recv(1)
""" + APP


def test_a_reload_while_one_is_going_on_starts_anew(versioned, folder):
    server = versioned()
    with Meeting(folder) as meeting:
        rewrite(folder / "app.py", WAITING.replace("VERSION", "2"))
        server.kill(signal.SIGHUP)
        late = meeting.arrive()
        rewrite(folder / "app.py", version(3))
        reload_to(server, 3, replaces=1)
        assert not proc.wait_gone([late.pid])
    assert client.get(server.address).body == b"3"
    assert not server.log.find(says.serving(2))
    assert len(proc.wait_children(server.pid, 2)) == 2


@pytest.mark.parametrize("sig", ["SIGTERM", "SIGQUIT"])
def test_an_end_while_a_reload_is_going_on(versioned, folder, sig):
    server = versioned("processes = 2")
    with Meeting(folder) as meeting:
        rewrite(folder / "app.py", WAITING.replace("VERSION", "2"))
        server.kill(signal.SIGHUP)
        meeting.arrive()
        below = server.descendants()
        assert server.stop(getattr(signal, sig)) == 0
        assert not proc.wait_gone(below)


def test_a_reload_before_it_serves_waits(instance, folder):
    with Meeting(folder) as meeting:
        server = instance("module = app", {"app.py": WAITING.replace("VERSION", "1")}, wait=False)
        first = meeting.arrive()
        server.kill(signal.SIGHUP)
        rewrite(folder / "app.py", version(2))
        first.release()
        server.wait_line(says.serving(2))
        server.wait_line(says.ended(1))
    assert client.get(server.address).body == b"2"


def test_a_burst_of_signals(versioned, folder):
    """Fifty at once are one or a few reloads; the last state of the files is what serves."""
    server = versioned("processes = 2")
    with Load(server.address, keep_alive=8, per_request=4) as load:
        load.wait_for(20)
        rewrite(folder / "app.py", version(2))
        for _ in range(50):
            server.kill(signal.SIGHUP)
        server.wait_line(says.serving(r"([2-9]|\d\d)"))
        load.wait_for(50)
    load.assert_clean()
    with Meeting(folder) as meeting:  # one more, so that it is known when all are through
        rewrite(folder / "app.py", WAITING.replace("VERSION", "3"))
        server.kill(signal.SIGHUP)
        after = server.log.mark()
        meeting.arrive().release()
        latest = int(server.wait_line(r"generation (\d+) serves with", after=after).group(1))
        server.wait_line(says.ended(latest - 1))
    assert client.get(server.address).body == b"3"


def test_a_worker_killed_while_the_next_generation_is_loaded(versioned, folder):
    server = versioned()
    with Meeting(folder) as meeting:
        rewrite(folder / "app.py", WAITING.replace("VERSION", "2"))
        server.kill(signal.SIGHUP)
        loading = meeting.arrive()
        for pid in proc.children(server.pid):
            if pid != loading.pid:
                os.kill(pid, signal.SIGKILL)
        server.wait_line("worker 1 killed by signal 9")
        with Connection(server.address) as c:
            c.send(request_bytes())
            loading.release()
            assert c.response().body in (b"1", b"2")
    server.wait_line(says.serving(2))


# Many

def reload_many(server, n, watch_memory):
    """Reloads @n times as fast as it goes; then the master is what it was after a tenth of them."""
    early, warm = n // 10, {}
    for i in range(n):
        if i == early:
            server.wait_line(says.ended(i))
            warm = {"descriptors": len(proc.descriptors(server.pid)), **proc.memory(server.pid)}
        reload_to(server, i + 2)
    server.wait_line(says.ended(n))
    assert len(proc.descriptors(server.pid)) <= warm["descriptors"]
    assert len(proc.wait_children(server.pid, 3)) == 3
    if watch_memory:
        growth = proc.memory(server.pid)["Private_Dirty"] - warm["Private_Dirty"]
        assert growth <= 64 * 1024, f"{growth} bytes more"


@pytest.mark.plain
def test_many_reloads_leave_nothing_behind(versioned):
    server = versioned("processes = 2\ndisable-logging = yes")
    reload_many(server, 30 if sanitized() else 100, watch_memory=not sanitized())
    assert client.get(server.address).body == b"1"


@pytest.mark.soak
@pytest.mark.plain
def test_a_thousand_reloads_under_load(versioned):
    server = versioned("processes = 2\ndisable-logging = yes")
    with Load(server.address, keep_alive=8, per_request=2, pause=0.01) as load:
        reload_many(server, 1000, watch_memory=not sanitized())
    load.assert_clean()


def test_many_failed_reloads_leave_nothing_behind(versioned, folder):
    server = versioned()
    before = len(proc.descriptors(server.pid))
    rewrite(folder / "app.py", "import nowhere\n")
    for n in range(20):
        reload_in_vain(server, "No module named 'nowhere'", count=n + 1)
        server.wait_line(says.ended(n + 2))
    assert len(proc.descriptors(server.pid)) <= before
    assert len(proc.wait_children(server.pid, 2)) == 2
    assert client.get(server.address).body == b"1"
