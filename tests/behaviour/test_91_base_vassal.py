# SPDX-License-Identifier: MIT
"""A base vassal by itself: what it does for its Emperor, which the test is, and that it does it for
nobody else."""
import contextlib
import json
import os
import signal
import socket
import subprocess

import pytest

from harness import proc
from harness.base import (BASE, ERRORS, FAILED, KEPT, LOG, OLDER, READY, SOCKET, SURROUNDINGS, Base, packets,
                          surroundings)
from harness.client import Connection, get
from harness.programs import PATIENCE
from harness.ruler import ACCEPTING, LOYAL
from harness.ruler import READY as READY_BYTE

APP = """
import contextlib, json, os, resource
opened = open("opened", "a")
os.umask(0o077)
print("loading the application", VERSION, flush=True)

def files():
    found = []
    for n in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{n}"))
    return found

def application(environ, start_response):
    os.umask(mask := os.umask(0))
    opened.write("x")
    opened.flush()
    body = json.dumps({
        "version": VERSION, "pid": os.getpid(), "environ": dict(os.environ), "cwd": os.getcwd(),
        "umask": mask, "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE), "files": files()})
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body.encode()]
"""
RELOAD, STOP, STOP_GRACEFULLY = 1, 0, 2


@pytest.fixture
def stack():
    with contextlib.ExitStack() as found:
        yield found


def write_app(folder, version=1):
    (folder / "app.py").write_text(f"VERSION = {version}\n{APP}")


@pytest.fixture
def base(folder, start, stack):
    """base(settings="", env={}) -> Base, of which vassals can be had"""
    def make(settings="", **how):
        write_app(folder)
        (folder / "base.ini").write_text(
            f"[liege]\nearly-wsgi = app.py\nfork-server = {folder}/fork.socket\n{settings}\n")
        b = Base(stack, start, "--ini", "base.ini", cwd=folder, **how)
        b.wait_open()
        return b
    return make


def vassal_file(folder, name="one", settings=""):
    """-> (file, address)"""
    address = folder / f"{name}.socket"
    path = folder / f"{name}.ini"
    path.write_text(f"[liege]\nhttp-socket = {address}\n{settings}\n")
    return path, str(address)


def ask(address, path="/"):
    return json.loads(get(address, path).body)


def test_a_vassal_is_forked_by_what_an_emperor_of_uwsgi_says(folder, base):
    b = base("env = OF_BASE=1", env={"ALSO": "1"})
    path, address = vassal_file(folder)
    v = b.adopt("--ini", path, status=False)
    assert v.pipe.recv(1) == bytes([READY_BYTE])
    environ = ask(address)["environ"]
    assert environ["ALSO"] == "1" and "OF_BASE" not in environ
    assert proc.parent(v.pid) == os.getpid()
    assert os.getpgid(v.pid) == v.pid
    v.say(STOP_GRACEFULLY)
    assert v.wait() == 0


def test_the_application_is_loaded_once_however_often_a_vassal_reloads(folder, base):
    b = base()
    path, address = vassal_file(folder, settings="processes = 2")
    v = b.adopt("--ini", path)
    v.hear(READY)
    path.write_text(path.read_text() + "processes = 3\n")
    v.say(RELOAD)
    assert v.hear(READY)[1] == 2
    assert ask(address)["version"] == 1
    v.say(STOP)
    assert v.wait() == 0
    assert len(b.server.log.find("loading the application")) == 1


@pytest.mark.needs_root
def test_it_has_its_own_identity_environment_and_place(folder, base, start):
    (folder / "elsewhere").mkdir()
    folder.chmod(0o777)
    b = base("env = OF_BASE=1\nunenv = HOME", env={"ALSO_OF_BASE": "1"})
    path, address = vassal_file(folder, settings="uid = 1001\ngid = 1002\nenv = OF_VASSAL=1\n"
                                                 "chmod-socket = 666")
    read_fd, write_fd = os.pipe()
    place = surroundings(folder / "elsewhere", {"HOME": "/h", "PATH": os.environ["PATH"]},
                         nofile=(500, 600))
    v = b.adopt("--ini", path, parts={SURROUNDINGS: place, LOG: write_fd})
    os.close(write_fd)
    os.close(place)
    v.hear(READY)
    found = ask(address)
    assert found["environ"]["OF_VASSAL"] == "1"
    assert found["environ"]["HOME"] == "/h"
    assert not {"OF_BASE", "ALSO_OF_BASE"} & set(found["environ"])
    assert found["cwd"] == str(folder / "elsewhere")
    assert (folder / "one.socket").stat().st_mode & 0o777 == 0o666
    os.umask(mask := os.umask(0))
    assert found["umask"] == mask != 0o077
    assert (found["uid"], found["gid"], found["groups"]) == (1001, 1002, [])
    assert found["nofile"] == [500, 600]
    v.say(STOP)
    assert v.wait() == 0
    with open(read_fd, "rb") as log:
        text = log.read().decode()
    assert "[one.ini] generation 1 serves with 1 worker" in text
    assert "[one.ini]" not in b.server.log.text()


def test_it_has_the_files_that_the_application_has_opened_and_none_of_the_base(folder, base):
    b = base()
    path, address = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)
    files = ask(address)["files"]
    assert files.count(str(folder / "opened")) == 1
    of_base = {file for pid in proc.descendants(b.server.pid) + [b.server.pid]
               for file in proc.descriptors(pid).values() if file.startswith("socket:")}
    assert of_base
    assert not of_base & set(files)


@pytest.mark.parametrize("parts", [{LOG: "out"}, {LOG: "out", ERRORS: "errors"}])
def test_it_writes_to_where_the_emperor_says(folder, base, stack, parts):
    b = base()
    path, _ = vassal_file(folder)
    v = b.adopt("--ini", path, parts={part: stack.enter_context(open(folder / name, "w"))
                                      for part, name in parts.items()})
    v.hear(READY)
    found = proc.descriptors(v.pid)
    assert found[1] == str(folder / "out")
    assert found[2] == str(folder / parts.get(ERRORS, "out"))


def test_it_starts_on_the_socket_that_the_emperor_listens_to(folder, base, stack):
    b = base()
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(folder / "demand.socket"))
    listener.listen()
    (folder / "one.ini").write_text("[liege]\nprotocol = http\n")
    with Connection(str(folder / "demand.socket")) as waiting:
        waiting.socket.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        b.adopt("--ini", folder / "one.ini", parts={SOCKET: listener}).hear(READY)
        assert waiting.response().status == 200


def test_nobody_else_has_anything_forked(folder, base):
    b = base()
    stranger = subprocess.run(
        ["/usr/bin/python3", "-c", f"""
import socket
s = socket.socket(socket.AF_UNIX)
s.connect({b.address!r})
print(s.recv(100))
"""], capture_output=True, text=True, timeout=PATIENCE)
    assert stranger.stdout == "b''\n", stranger.stderr
    b.server.wait_line(r"fork-server: process \d+ of user \d+ is refused")
    path, _ = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)


def test_each_who_is_refused_is_named_once(folder, base, stack):
    b = base()
    program = f"""
import socket
import sys
for _ in sys.stdin:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect({b.address!r})
        print(s.recv(100), flush=True)
"""
    strangers = [stack.enter_context(subprocess.Popen(
        ["/usr/bin/python3", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for _ in range(3)]
    for _ in range(20):
        for stranger in strangers:
            stranger.stdin.write("again\n")
            stranger.stdin.flush()
            assert stranger.stdout.readline() == "b''\n"
    path, _ = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)
    for stranger in strangers:
        assert len(b.server.log.find(f"process {stranger.pid} of user {os.getuid()} is refused")) == 1
    assert len(b.server.log.find("is refused")) == 3


@pytest.mark.needs_root
def test_other_users_cannot_connect(folder, base):
    b = base()
    (folder / "fork.socket").chmod(0o777)  # as if somebody had
    tried = subprocess.run(
        ["/usr/bin/python3", "-c", f"""
import socket
for _ in range(1000):
    s = socket.socket(socket.AF_UNIX)
    s.connect({b.address!r})
"""], user=65534, group=65534, capture_output=True, text=True, timeout=PATIENCE)
    assert tried.returncode == 0, tried.stderr
    path, _ = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)
    assert len(b.server.log.find("user 65534 is refused")) == 1


def test_the_socket_is_for_its_own_user(folder, base):
    base()
    assert (folder / "fork.socket").stat().st_mode & 0o777 == 0o600


def test_a_request_that_does_not_come_holds_up_nobody(folder, base):
    b = base()
    idle = [b.connect() for _ in range(20)]
    path, address = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)
    assert ask(address)["version"] == 1
    for s in idle:
        s.close()


@pytest.mark.parametrize("sent, reason", [
    (b"GET / HTTP/1.0\r\n\r\n", "the Emperor's request"),
    (b"#\x00\x00\x00", "the Emperor's request"),
    (b"#\xff\xff\x01" + b"\xff" * 65535, "the Emperor's request"),
])
def test_a_request_that_is_none_is_answered_by_a_reason(folder, base, sent, reason):
    b = base()
    with b.connect() as s:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            s.sendall(sent)
        s.shutdown(socket.SHUT_WR)
        answer = s.recv(2048)
        assert answer[4:11] == b"\x05\x00error", answer
        assert reason in answer[11:].decode()
    path, _ = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)


def test_a_configuration_that_is_wrong_ends_the_vassal_alone(folder, base):
    b = base()
    path, _ = vassal_file(folder, settings="processes = many")
    v = b.adopt("--ini", path)
    assert "one.ini:3: " in v.hear(FAILED)[2]
    assert v.wait() == 1
    path, _ = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)


def test_vassals_go_on_when_the_base_dies(folder, base):
    b = base()
    path, address = vassal_file(folder)
    v = b.adopt("--ini", path)
    v.hear(READY)
    b.server.kill(signal.SIGKILL)
    b.server.wait()
    assert ask(address)["version"] == 1
    v.say(RELOAD)
    assert v.hear(READY)[1] == 2
    assert ask(address)["version"] == 1


def test_what_forks_is_replaced_when_it_dies(folder, base):
    b = base()
    zygote, = proc.children(b.server.pid)
    os.kill(zygote, signal.SIGKILL)
    assert b.hear(BASE)[1] == 0
    assert b.hear(BASE)[1] == 1
    path, address = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)
    assert ask(address)["version"] == 1


def test_an_update_that_does_not_load_leaves_the_base_as_it_was(folder, base):
    b = base()
    (folder / "app.py").write_text("import nothing_of_that_name\n")
    b.say(RELOAD)
    assert "nothing_of_that_name" in b.hear(KEPT)[2]
    path, address = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)
    assert ask(address)["version"] == 1


def test_an_updated_base_forks_what_is_new(folder, base):
    b = base()
    write_app(folder, 2)
    b.say(RELOAD)
    assert b.wait_open() == 2
    path, address = vassal_file(folder)
    b.adopt("--ini", path).hear(READY)
    assert ask(address)["version"] == 2


def succeed(b, v, path):
    """Has another vassal take the place of @v; -> Adopted"""
    ours, theirs = packets()
    with ours, theirs:
        v.give_way(ours)
        return b.adopt("--ini", path, parts={OLDER: theirs})


def test_a_vassal_is_succeeded_without_the_loss_of_a_connection(folder, base):
    b = base()
    path, address = vassal_file(folder)
    v = b.adopt("--ini", path)
    v.hear(READY)
    write_app(folder, 2)
    b.say(RELOAD)
    b.wait_open()
    with Connection(address) as kept:
        assert json.loads(kept.request("/").body)["version"] == 1
        w = succeed(b, v, path)
        w.hear(READY)
        v.say(STOP_GRACEFULLY)
        assert v.wait() == 0
        assert json.loads(kept.request("/").body)["version"] == 2
    assert ask(address)["version"] == 2
    w.say(STOP)
    assert w.wait() == 0


def test_a_successor_that_fails_leaves_the_vassal_as_it_was(folder, base):
    b = base()
    path, address = vassal_file(folder)
    v = b.adopt("--ini", path)
    v.hear(READY)
    good = path.read_text()
    path.write_text(good + "warmup = /\nwarmup = http://\n")
    assert succeed(b, v, path).wait() == 1
    path.write_text(good)
    with Connection(address) as kept:
        assert kept.request("/").status == 200
        w = succeed(b, v, path)  # a second one can
        w.hear(READY)
        v.say(STOP_GRACEFULLY)
        assert v.wait() == 0
        assert kept.request("/").status == 200


def test_a_vassal_that_stops_gives_way_to_nobody(folder, base):
    b = base()
    path, _ = vassal_file(folder)
    v = b.adopt("--ini", path)
    v.hear(READY)
    ours, theirs = packets()
    with ours, theirs:
        v.say(STOP_GRACEFULLY)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            v.give_way(ours)
        ours.close()
        w = b.adopt("--ini", path, parts={OLDER: theirs})
    assert "cannot take over" in w.hear(FAILED)[2]
    assert w.wait() == 1
    assert v.wait() == 0


HALF = """
import liege, os, time

def wait_in_the_second():
    if liege.worker_id() == 2:
        os.mkfifo("gate")
        open("gate").read()

liege.post_fork_hook = wait_in_the_second

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"here"]
"""


def test_that_a_request_was_answered_is_not_said_before_that_it_serves(instance, folder, ruler):
    """Who hears the one takes it for the other, and it is not ready while a worker is on its way."""
    server = instance("wsgi-file = {folder}/half.py\nprocesses = 2", {"half.py": HALF}, wait=False,
                      **ruler.arguments())
    gate = folder / "gate"
    while not gate.exists():
        os.sched_yield()
    assert get(str(server.address)).body == b"here"
    gate.write_text("")
    ruler.wait(LOYAL)
    assert [byte for byte, _ in ruler.heard] == [READY_BYTE, ACCEPTING, LOYAL]


@pytest.mark.parametrize("line", ["http-socket = :0", "lazy-apps = true", "cheaper = 1",
                                  "idle = 3"])
def test_what_only_a_server_can_have_is_refused(folder, start, line):
    (folder / "base.ini").write_text(f"[liege]\nfork-server = fork.socket\n{line}\n")
    server = start("--check", "--ini", "base.ini", cwd=folder)
    assert server.wait() == 1
    server.wait_line(rf"base.ini:3: {line.split()[0]} is not for a base vassal")


def test_what_is_set_for_workers_is_named(base):
    b = base("processes = 4\nharakiri = 30\nstatic-index = index.html")
    b.server.wait_line("what is set for them says nothing here: processes, harakiri, static-index$")


def test_what_was_forked_forks_nobody(folder, base):
    b = base()
    path = folder / "one.ini"
    path.write_text(f"[liege]\nfork-server = {folder}/other.socket\n")
    assert "what was forked from a base cannot be one itself" in b.adopt("--ini", path).hear(FAILED)[2]


def test_the_master_hears_of_its_children_though_the_application_does_not(folder, base):
    (folder / "ignores.py").write_text("import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
                                       "handlers = lambda: signal.getsignal(signal.SIGCHLD)\n")
    b = base("early-pyimport = ignores")
    path, address = vassal_file(folder, settings="include = exec://echo '[liege]'; echo processes = 1")
    v = b.adopt("--ini", path)
    v.hear(READY)
    v.say(RELOAD)
    assert v.hear(READY, KEPT)[:2] == (READY, 2)
    with Connection(address) as c:
        assert c.request("/").status == 200
    worker = json.loads(get(address).body)["pid"]
    ignored = int(proc.status(worker, "SigIgn")[0], 16)
    assert ignored & 1 << (signal.SIGCHLD - 1)


def test_there_is_no_base_without_an_emperor(folder, start):
    (folder / "base.ini").write_text("[liege]\nfork-server = fork.socket\nneed-app = no\n")
    server = start("--ini", "base.ini", cwd=folder)
    assert server.wait() == 1
    server.wait_line("fork-server: only an Emperor has vassals forked, and there is none")
