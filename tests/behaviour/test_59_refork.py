# SPDX-License-Identifier: MIT
"""A worker that has answered enough becomes the model of the others (refork-after): what its application
has made meanwhile is shared by all."""
import os
import signal
import socket

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.load import Load
from harness.meeting import Meeting

# Each request adds to a cache of 16 MiB, in 64 steps.
APP = """
import os

cache = []


def application(environ, start_response):
    if len(cache) < 64:
        cache.append(bytearray(os.urandom(1) * (256 << 10)))
    start_response("200 OK", [])
    return [f"{len(cache)} {os.getpid()}".encode()]
"""
REPLACED = "generation 1: all workers are replaced"
MIB = 1 << 20


def workers(server):
    return [p for p in server.children() if "worker" in (proc.command_line(p) or "")]


def wait_workers(server, n):
    proc.wait_titles(server.pid, [*(f"liege: worker {i} app.ini" for i in range(1, n + 1)),
                                  "liege: zygote app.ini"])
    return workers(server)


@pytest.mark.plain
def test_what_a_warm_worker_has_is_shared(instance):
    server = instance("module = app\nprocesses = 4\nrefork-after = 200", {"app.py": APP})
    before = set(server.children())
    with Load(server.address, keep_alive=8, per_request=4) as load:
        server.wait_line(r"generation 1: a copy of worker \d, which is warm, is the zygote")
        server.wait_line(REPLACED)
        load.wait_for(100)
    load.assert_clean()
    now = wait_workers(server, 4)
    assert not before & set(server.children())
    answers = [client.get(server.address).body.split() for _ in range(40)]
    assert {int(n) for n, _ in answers} == {64}
    assert {int(pid) for _, pid in answers} <= set(now)
    for pid in now:
        used = proc.memory(pid)
        assert used["Rss"] > 16 * MIB > used["Private_Dirty"] * 2, used


def test_one_that_dies_is_replaced_by_a_warm_one(instance):
    server = instance("module = app\nrefork-after = 70", {"app.py": APP})
    for _ in range(70):
        client.get(server.address)
    server.wait_line(REPLACED)
    [worker] = wait_workers(server, 1)
    os.kill(worker, signal.SIGKILL)
    server.wait_line("worker 1 killed by signal 9")
    n, pid = client.get(server.address).body.split()
    assert int(n) == 64 and int(pid) != worker


def test_when_the_copy_dies_the_application_is_loaded(instance):
    server = instance("module = app\nrefork-after = 70", {"app.py": APP})
    for _ in range(70):
        client.get(server.address)
    server.wait_line(REPLACED)
    wait_workers(server, 1)
    [zygote] = [p for p in server.children() if "zygote" in proc.command_line(p)]
    os.kill(zygote, signal.SIGKILL)
    server.wait_line("the zygote of generation 1 ended .*: another one is started")
    proc.wait_titles(server.pid, ["liege: worker 1 app.ini", "liege: zygote app.ini"])
    server.kill(signal.SIGTTIN)
    proc.wait_titles(server.pid, ["liege: worker 1 app.ini", "liege: worker 2 app.ini",
                                  "liege: zygote app.ini"])
    assert client.get(server.address).status == 200


def test_connections_of_clients_end_with_the_worker_not_with_its_copy(instance):
    """The copy keeps none open."""
    server = instance("module = app\nrefork-after = 10\nhttp-keepalive = 1", {"app.py": APP})
    with Connection(server.address) as c:
        for _ in range(10):
            c.request("/")
        server.wait_line(REPLACED)
        c.request("/")
        assert c.at_end()


UNSAFE = """
import liege
import os
import socket
import threading

connection = None


def forget():
    connection.close()


HOOK


def application(environ, start_response):
    global connection
    if not connection:
        START
    start_response("200 OK", [])
    return [b"here"]
"""


@pytest.fixture
def database():
    with socket.create_server(("127.0.0.1", 0)) as s:
        yield s.getsockname()


CONNECTS = "connection = socket.create_connection(ADDRESS)"
THREAD = "connection = threading.Thread(target=threading.Event().wait, daemon=True); connection.start()"


@pytest.mark.parametrize("opens, why", [
    (CONNECTS, r"fork-check: descriptor \d+ \(app\.connection\), which is connected to 127\.0\.0\.1:"),
    (THREAD, "the application has 1 threads in worker 1: a copy would not have them"),
])
def test_one_that_could_not_be_copied_safely(instance, database, opens, why):
    app = UNSAFE.replace("START", opens).replace("ADDRESS", repr(database)).replace("HOOK", "")
    server = instance("module = app\nrefork-after = 10", {"app.py": app})
    before = set(server.children())
    for _ in range(12):
        assert client.get(server.address).body == b"here"
    server.wait_line(f"warning: generation 1: worker 1 cannot become the zygote, all go on as they are: {why}")
    assert client.get(server.address).body == b"here"
    assert set(server.children()) == before


def test_a_hook_gives_up_what_is_not_to_be_shared(instance, database):
    app = UNSAFE.replace("START", CONNECTS).replace("ADDRESS", repr(database)) \
                .replace("HOOK", "liege.zygote_hook = forget")
    server = instance("module = app\nrefork-after = 10", {"app.py": app})
    for _ in range(12):
        assert client.get(server.address).body == b"here"
    server.wait_line(REPLACED)
    assert client.get(server.address).body == b"here"


PSGI = """
my @cache;
liege::zygote(sub { push @cache, 'copied' });
sub {
    push @cache, 'x' x 1000 if @cache < 50;
    return [200, [], [join ' ', scalar(@cache), $$, $cache[-1] eq 'copied' ? 'copied' : 'not']];
};
"""


def test_a_psgi_application(instance):
    server = instance("psgi = app.psgi\nprocesses = 2\nrefork-after = 60", {"app.psgi": PSGI})
    before = set(server.children())
    with Load(server.address, keep_alive=4) as load:
        server.wait_line(REPLACED)
    load.assert_clean()
    assert not before & set(wait_workers(server, 2))
    n, _, copied = client.get(server.address).body.decode().split()
    assert (int(n), copied) == (51, "copied")


@pytest.mark.parametrize("threads", [1, 4])
def test_while_the_worker_is_busy(instance, threads):
    """Requests that run when it is asked are answered; the copy is made between them."""
    server = instance(f"module = app\nthreads = {threads}\nrefork-after = 300\nprocesses = 2",
                      {"app.py": APP})
    with Load(server.address, keep_alive=16, per_request=8) as load:
        server.wait_line(REPLACED)
        load.wait_for(50)
    load.assert_clean()
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))


@pytest.mark.plain
def test_signals_and_stacks_are_as_before(instance, folder):
    app = """
import os
import signal
from time import sleep

hits = []
signal.signal(signal.SIGUSR1, lambda *_: hits.append(1))


def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        sleep(1000)  # SLEEPS
    if environ["PATH_INFO"] == "/hit":
        os.kill(os.getpid(), signal.SIGUSR1)
    start_response("200 OK", [])
    return [str(len(hits)).encode()]
"""
    server = instance("module = app\nrefork-after = 10\nharakiri = 1", {"app.py": app})
    for _ in range(10):
        client.get(server.address)
    server.wait_line(REPLACED)
    assert client.get(server.address, "/hit").body == b"1"
    with Connection(server.address) as c:
        c.send(request_bytes("/slow"))
        server.wait_line("harakiri: GET /slow")
        server.wait_line(r'File ".*/app\.py", line 12 in application')
        server.wait_line("in the kernel at: ")
    server.wait_line("killed by signal 9")


def test_stacks_of_several_copies_do_not_mix(instance, folder):
    server = instance(f"module = app\nprocesses = 3\nrefork-after = 10\nmaster-fifo = {folder}/fifo",
                      {"app.py": APP})
    (folder / "fifo").write_text("t")
    server.wait_line("thread .* in the kernel", count=6)
    with Load(server.address, keep_alive=4):
        server.wait_line(REPLACED)
    for pid in wait_workers(server, 3):
        mine = {os.stat(f"/proc/{pid}/fd/{fd}").st_ino for fd in os.listdir(f"/proc/{pid}/fd")
                if "liege-stacks" in os.readlink(f"/proc/{pid}/fd/{fd}")}
        assert not mine


PIPES = """
import subprocess

helper = None


def application(environ, start_response):
    global helper
    helper = helper or subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    start_response("200 OK", [])
    return [b"here"]
"""


def test_pipes_to_a_helper_are_not_shared(instance):
    server = instance("module = app\nrefork-after = 10", {"app.py": PIPES})
    for _ in range(12):
        assert client.get(server.address).body == b"here"
    server.wait_line("worker 1 cannot become the zygote, .*which is an end of a pipe, would be shared")


SLOW = """
from time import sleep


def application(environ, start_response):
    sleep(0.05)
    start_response("200 OK", [])
    return [b"here"]
"""


def test_threads_that_are_never_all_idle(instance):
    """Calls are held back for a moment."""
    server = instance("module = app\nthreads = 4\nrefork-after = 50", {"app.py": SLOW})
    with Load(server.address, keep_alive=12) as load:
        server.wait_line(REPLACED)
        load.wait_for(50)
    load.assert_clean()


def test_when_the_model_dies_first_another_worker_is_one(instance, folder):
    server = instance("module = web\npythonpath = {apps}/python\nthreads = 2\nrefork-after = 5")
    with Meeting(folder) as meeting, Connection(server.address) as c:
        worker = int(client.get(server.address, "/pid").body)
        c.send(request_bytes(meeting.target))
        meeting.arrive()
        for _ in range(4):
            client.get(server.address)
        server.wait_line("worker 1 is warm")
        os.kill(worker, signal.SIGKILL)
        server.wait_line("worker 1 cannot become the zygote, all go on as they are: the worker that was to "
                         "be its model has ended")
    for _ in range(10):
        client.get(server.address)
    server.wait_line(REPLACED)


def test_an_application_that_ignores_the_ends_of_its_children(instance):
    app = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" + APP
    server = instance("module = app\nrefork-after = 10", {"app.py": app})
    for _ in range(10):
        client.get(server.address)
    server.wait_line(REPLACED)
    assert client.get(server.address).status == 200


def test_lazy_workers_cannot(instance):
    server = instance("module = app\nlazy-apps = yes\nrefork-after = 3", {"app.py": APP}, wait=False)
    assert server.wait() == 1
    server.wait_line(r"app\.ini:\d: refork-after needs a zygote, and with lazy-apps there is none")
