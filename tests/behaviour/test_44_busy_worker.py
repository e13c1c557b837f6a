# SPDX-License-Identifier: MIT
"""A worker whose application is busy goes on with everything that needs no application: it reads,
refuses and accepts, and what has to wait is answered in order."""
import json
import os
import signal

import pytest

from harness import client
from harness.busy import (busy, close, connect, connect_by_worker, hold_each, refuse,
                          settle)
from harness.client import Connection, request_bytes
from harness.data import pattern
from harness.meeting import Meeting

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.fixture
def web(instance):
    return lambda settings="", **kw: instance(WEB + settings, **kw)


@pytest.fixture
def meeting(folder):
    with Meeting(folder) as m:
        yield m


def calls_of(server):
    return json.loads(client.get(server.address, "/calls").body)


# What needs no application

@pytest.mark.plain
def test_a_malformed_request_is_refused_at_once(web, meeting):
    server = web()
    with Connection(server.address) as before, busy(server.address, meeting) as (c, visitor):
        refuse(before)
        assert before.at_end()
        settle(server)
        visitor.release("free")
        assert c.response().body == b"free"


@pytest.mark.plain
def test_a_slow_head_is_given_up_in_time(web, meeting):
    server = web("http-timeout = 0.3")
    with busy(server.address, meeting) as (c, visitor), Connection(server.address) as slow:
        slow.send(b"GET / HTTP/1.1\r\nHo")
        assert slow.response().status == 408
        assert slow.at_end()
        visitor.release("free")
        assert c.response().body == b"free"


def test_an_idle_connection_is_closed_in_time(web, meeting):
    server = web("http-keepalive = 0.3")
    with Connection(server.address) as idle:
        assert idle.request().status == 200
        with busy(server.address, meeting):
            assert idle.at_end()


@pytest.mark.plain
@pytest.mark.parametrize("size", [100, 5_000_000])
def test_an_upload_is_read_meanwhile(web, meeting, size):
    """More than the kernel holds: it is sent only if somebody reads it."""
    server = web()
    body = pattern(size)
    with Connection(server.address) as upload:
        assert upload.request().status == 200
        with busy(server.address, meeting) as (c, visitor):
            upload.send(request_bytes("/echo", "POST", body=body))
            settle(server)
            visitor.release("free")
            assert c.response().body == b"free"
        assert upload.response().body == body


def test_an_expectation_is_met_meanwhile(web, meeting):
    server = web()
    with busy(server.address, meeting) as (_, visitor), Connection(server.address) as upload:
        upload.send(request_bytes("/echo", "POST", [("Content-Length", "3"),
                                                    ("Expect", "100-continue")]))
        assert upload.interim().status == 100
        upload.send(b"abc")
        visitor.release()
        assert upload.response().body == b"abc"


def test_an_answer_that_is_taken_slowly_goes_on(web, meeting):
    server = web()
    with Connection(server.address) as slow:
        slow.send(request_bytes("/bytes?n=20000000"))
        slow.wait_input()
        with busy(server.address, meeting):
            assert slow.response().body == pattern(20_000_000)


def test_a_call_that_never_lets_go_of_the_interpreter_stops_nothing_else(instance, folder):
    """A C extension that computes, say: here it waits for the FIFO with the interpreter's lock."""
    app = """
import ctypes, os
def application(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        fd = os.open("fifo", os.O_RDWR)
        open("held", "w").close()
        ctypes.PyDLL(None).read(fd, ctypes.create_string_buffer(1), 1)
        os.close(fd)
    start_response("200 OK", [])
    return [b"done"]
"""
    os.mkfifo(folder / "fifo")
    server = instance("module = app", {"app.py": app})
    with Connection(server.address) as c, open(folder / "fifo", "r+b", buffering=0) as fifo:
        c.send(request_bytes("/hold"))
        settle(server)
        settle(server)
        fifo.write(b"x")
        assert c.response().body == b"done"
    assert client.get(server.address).body == b"done"


# What waits for it

@pytest.mark.plain
def test_what_waits_is_answered_in_the_order_of_arrival(web, meeting):
    server = web()
    clients = connect(server, 10)
    with busy(server.address, meeting) as (_, visitor):
        clients += [Connection(server.address) for _ in range(10)]
        for n, c in enumerate(clients):
            c.send(request_bytes(f"/{n}"))
            if n % 5 == 0:
                settle(server)
        settle(server)
        visitor.release()
        for c in clients:
            assert c.response().body == b"hello\n"
    close(*clients)
    assert [p for p in calls_of(server) if p[1:].isdigit()] == [f"/{n}" for n in range(20)]


def test_pipelined_requests_behind_a_slow_one(web, meeting):
    server = web()
    with Connection(server.address) as other, Connection(server.address) as c:
        assert other.request().status == 200
        c.send(request_bytes(meeting.target) + b"".join(
            request_bytes("/echo", "POST", body=b"%d" % n) for n in range(50)))
        visitor = meeting.arrive()
        other.send(request_bytes("/query?other"))
        settle(server)
        visitor.release()
        assert c.response().body == b"released"
        for n in range(50):
            assert c.response().body == b"%d" % n
        assert other.response().body == b"other"


@pytest.mark.plain
def test_a_client_that_has_gone_is_not_served(web, meeting):
    server = web()
    with busy(server.address, meeting) as (_, visitor):
        for target in ("/stays", "/goes", "/goes-too"):
            c = Connection(server.address)
            c.send(request_bytes(target))
            settle(server)
            if target != "/stays":
                c.close()
            else:
                stays = c
        settle(server)
        visitor.release()
        assert stays.response().status == 200
        stays.close()
    assert {"/goes", "/goes-too"}.isdisjoint(calls_of(server))
    assert "/stays" in calls_of(server)


@pytest.mark.plain
def test_a_client_that_has_said_all_is_served(web, meeting):
    """It announced that this is its last request, and closed its side."""
    server = web()
    with busy(server.address, meeting) as (_, visitor), Connection(server.address) as c:
        c.send(request_bytes("/query?last", fields=[("Connection", "close")]))
        c.end_sending()
        settle(server)
        visitor.release()
        answer = c.response()
        assert (answer.body, answer.close) == (b"last", True)
        assert c.at_end()


# Too many

@pytest.mark.plain
def test_one_more_than_max_waiting_is_refused_at_once(web, meeting):
    server = web("max-waiting = 3")
    idle = connect(server, 5)
    with busy(server.address, meeting) as (c, visitor):
        for n, w in enumerate(waiting := [Connection(server.address) for _ in range(3)]):
            w.send(request_bytes(f"/query?{n}"))
        settle(server)
        for method in ("GET", "HEAD"):
            with Connection(server.address) as more:
                answer = more.request("/query?more", method)
                assert (answer.status, answer.close) == (503, True)
                assert int(answer.get("Retry-After")) > 0
                assert more.at_end()
        visitor.release("mine")
        assert c.response().body == b"mine"
        for n, w in enumerate(waiting):
            assert w.response().body == b"%d" % n
        for w in [*idle, *waiting, c]:
            assert w.request().status == 200
        close(*idle, *waiting)
    assert calls_of(server).count("/query") == 3
    server.wait_line("answered 503: too many requests wait for a worker")


def test_max_waiting_is_for_all_workers_together(web, meeting):
    server = web("max-waiting = 3\nprocesses = 2")
    clients = connect_by_worker(server, 5)
    held, visitors = hold_each(clients, meeting)
    (probe, *waiting), (more, *_) = clients.values()
    for n, c in enumerate(waiting[:3]):
        c.send(request_bytes(f"/query?{n}"))
    refuse(probe)
    assert more.request().status == 503
    for c, visitor in zip(held, visitors):
        visitor.release()
        assert c.response().body == b"released"
    for n, c in enumerate(waiting[:3]):
        assert c.response().body == b"%d" % n
    close(*held, *sum(clients.values(), []))


def ask_for_much(server, processes, impatient):
    """-> connections that have asked for 6 seconds of work; some of them @impatient are closed."""
    clients = []
    for n in range(60 * processes):
        c = Connection(server.address)
        c.send(request_bytes("/sleep?s=0.1"))
        if impatient and n % 5 == 2:
            c.close()
        else:
            clients.append(c)
    return clients


@pytest.mark.parametrize("processes", [1, 2])
def test_an_overload_that_lasts_is_answered_and_ends(web, processes):
    """When all have to wait and clients have lost their patience, those who wait long are refused."""
    server = web(f"overload-wait = 0.2\nprocesses = {processes}")
    clients = ask_for_much(server, processes, impatient=True)
    answers = [c.response() for c in clients]
    assert answers[0].status == 200 and answers[-1].status == 503
    assert all(a.close and a.get("Retry-After") for a in answers if a.status == 503)
    for _ in range(5):
        assert client.get(server.address).body == b"hello\n"
    close(*clients)


def test_patient_clients_are_all_answered(web):
    server = web("overload-wait = 0.2")
    clients = ask_for_much(server, 1, impatient=False)
    assert {c.response().status for c in clients} == {200}
    close(*clients)


# Bodies that come slowly

def test_a_body_slower_than_min_rate_is_refused(web):
    server = web("socket-timeout = 0.5\nmin-rate = 1000")
    with Connection(server.address) as c:
        c.send(request_bytes("/echo", "POST", [("Content-Length", "100000")]))
        n = 0
        while c.silent(0.1):
            c.send(b"x")
            n += 1
            assert n < 100
        assert c.response().status == 408
    assert calls_of(server) == []


@pytest.mark.parametrize("settings, size", [("min-rate = 1000", 2000), ("min-rate = 0", 1)])
def test_a_body_that_is_slow_but_fast_enough_is_taken(web, settings, size):
    server = web(f"socket-timeout = 2\n{settings}")
    n = 40
    with Connection(server.address) as c:
        c.send(request_bytes("/digest", "POST", [("Content-Length", str(n * size))]))
        for _ in range(n):
            assert c.silent(0.1)
            c.send(b"x" * size)
        assert json.loads(c.response().body)["length"] == n * size


# The application's thread

MAIN = """
import os, signal, socket, sqlite3, subprocess, sys, threading
db = sqlite3.connect(":memory:")
db.execute("create table n (v)")
signals = []
told = os.pipe()

def on_signal(sig, frame):
    signals.append(threading.current_thread())
    os.write(told[1], b"x")

signal.signal(signal.SIGUSR1, on_signal)

def meet(at):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(at)
        s.sendall(b"%d\\n" % os.getpid())
        s.recv(100)

def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def run():
    return subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True,
                          text=True).stdout.strip()

def caught():
    os.read(told[0], 1)
    main = threading.main_thread()
    return [t is main for t in signals]

ACTIONS = {"fork": fork, "run": run, "caught": caught, "none": lambda: 1}

def application(environ, start_response):
    main = threading.current_thread() is threading.main_thread()
    db.execute("insert into n values (1)")
    action, _, at = environ["QUERY_STRING"].partition("&")
    if at:
        meet(at)
    text = f"{main} {ACTIONS[action]()}"
    start_response("200 OK", [])
    return [text.encode()]
"""


@pytest.fixture
def main(instance):
    return lambda settings="": instance(f"module = app\n{settings}", {"app.py": MAIN})


def meet(server, meeting, action):
    """A request that meets the test, then does @action."""
    c = Connection(server.address)
    c.send(request_bytes(f"/?{action}&{meeting.path}"))
    return c, meeting.arrive()


@pytest.mark.plain
@pytest.mark.parametrize("lazy", ["no", "yes"])
def test_a_sync_worker_calls_on_the_main_thread(main, meeting, lazy):
    """A connection of sqlite3 made at import says so, too: it belongs to its thread."""
    server = main(f"lazy-apps = {lazy}")
    for _ in range(20):
        c, visitor = meet(server, meeting, "none")
        with c:
            with Connection(server.address) as waits:
                waits.send(request_bytes("/?none"))
                settle(server)
                visitor.release()
                assert waits.response().body == b"True 1"
            assert c.response().body == b"True 1"
            for _ in range(3):
                assert c.request("/?none").body == b"True 1"


@pytest.mark.plain
@pytest.mark.parametrize("action, result", [("fork", b"True 7"), ("run", b"True 42")])
def test_processes_of_the_application(main, meeting, action, result):
    server = main()
    for _ in range(5):
        assert client.get(server.address, f"/?{action}").body == result
        c, visitor = meet(server, meeting, action)
        settle(server)
        visitor.release()
        assert c.response().body == result
        c.close()
    assert not server.log.find("worker . (killed|exited)")


def test_a_signal_handler_of_the_application(main, meeting):
    server = main()
    c, visitor = meet(server, meeting, "caught")
    settle(server)
    visitor.release()
    os.kill(visitor.pid, signal.SIGUSR1)
    assert c.response().body == b"True [True]"
    c.close()
    os.kill(visitor.pid, signal.SIGUSR1)
    with Connection(server.address) as again:
        assert again.request("/?caught").body.startswith(b"True [True")


# Threads

@pytest.mark.plain
def test_four_threads_take_four_requests_and_the_fifth_waits(web, meeting):
    server = web("threads = 4")
    clients = [Connection(server.address) for _ in range(5)]
    visitors = []
    for n, c in enumerate(clients):
        c.send(request_bytes(meeting.target))
        if n < 4:
            visitors.append(meeting.arrive())
    settle(server)
    assert not meeting.somebody_waits()
    visitors.pop().release()
    visitors.append(meeting.arrive())
    assert len({v.pid for v in visitors}) == 1
    for v in visitors:
        v.release()
    for c in clients:
        assert c.response().body == b"released"
    close(*clients)


@pytest.mark.plain
def test_the_fifth_goes_to_a_sibling(web, meeting):
    server = web("threads = 4\nprocesses = 2")
    clients = [Connection(server.address) for _ in range(8)]
    for c in clients:
        c.send(request_bytes(meeting.target))
    visitors = [meeting.arrive() for _ in clients]
    pids = [v.pid for v in visitors]
    assert sorted(map(pids.count, set(pids))) == [4, 4]
    for v in visitors:
        v.release()
    for c in clients:
        assert c.response().body == b"released"
    close(*clients)


THREADS = """
import threading
local, stop = threading.local(), threading.Event()
done = False
gate = threading.Barrier(4)
def application(environ, start_response):
    global done
    path = environ["PATH_INFO"]
    if path == "/spin":
        while not done:
            pass
    elif path == "/end":
        done = True
    elif path == "/gate":
        gate.wait()
    local.n = getattr(local, "n", 0) + 1
    local.thread = getattr(local, "thread", threading.get_ident())
    assert local.thread == threading.get_ident()
    start_response("200 OK", [])
    return [f"{environ['wsgi.multithread']} {local.thread} {local.n}".encode()]
"""


@pytest.mark.plain
def test_a_call_that_computes_stops_nothing_else(instance):
    server = instance("module = app\nthreads = 2", {"app.py": THREADS})
    with Connection(server.address) as spins, Connection(server.address) as c:
        spins.send(request_bytes("/spin"))
        settle(server)
        for _ in range(20):
            assert c.request().status == 200
        assert c.request("/end").status == 200
        assert spins.response().status == 200


@pytest.mark.plain
def test_what_a_thread_keeps_stays_its_own(instance):
    server = instance("module = app\nthreads = 4", {"app.py": THREADS})
    clients = [Connection(server.address) for _ in range(4)]
    last = {}
    for _ in range(30):
        for c in clients:
            c.send(request_bytes("/gate"))
        seen = set()
        for c in clients:
            multithread, thread, n = c.response().body.decode().split()
            assert multithread == "True"
            assert int(n) == last.get(thread, 0) + 1
            last[thread] = int(n)
            seen.add(thread)
        assert len(seen) == 4
    assert len(last) <= 5
    close(*clients)


@pytest.mark.parametrize("threads, said", [("", b"False"), ("threads = 1", b"False"),
                                           ("threads = 2", b"True")])
def test_the_application_is_told_of_threads(instance, threads, said):
    server = instance(f"module = app\n{threads}", {"app.py": THREADS})
    assert client.get(server.address).body.split()[0] == said


@pytest.mark.plain
@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("size", [5, 20_000_000])
def test_an_answer_from_a_thread_of_the_application(instance, threads, size):
    """It calls write() there; the request's own thread waits for it."""
    app = """
import threading
def application(environ, start_response):
    write = start_response("200 OK", [])
    def work():
        write(b"x" * int(environ["QUERY_STRING"]))
        write(b"y")
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return [b"z"]
"""
    server = instance(f"module = app\nthreads = {threads}", {"app.py": app})
    with Connection(server.address) as c:
        for _ in range(3):
            assert c.request(f"/?{size}").body == b"x" * size + b"yz"
    assert not server.log.find("killed")


def test_many_requests_of_many_threads(web):
    server = web("threads = 4\nprocesses = 2")
    clients = [Connection(server.address) for _ in range(16)]
    for n in range(50):
        for i, c in enumerate(clients):
            c.send(request_bytes(f"/sleep?s=0.00{(n + i) % 4}") + request_bytes(f"/query?{n}.{i}"))
        for i, c in enumerate(clients):
            assert c.response().body == b"slept"
            assert c.response().body == b"%d.%d" % (n, i)
    close(*clients)


def test_exit_handlers_run_whichever_thread_leads(instance, meeting):
    app = MAIN + "import atexit; atexit.register(lambda: print('the exit handler ran'))\n"
    server = instance("module = app\nthreads = 4", {"app.py": app.replace('db.execute("ins', '#')})
    pairs = [meet(server, meeting, "none") for _ in range(4)]
    for c, visitor in pairs:
        visitor.release()
        assert c.response().status == 200
        c.close()
    assert server.stop() == 0
    assert server.log.find("the exit handler ran")


def test_perl_has_no_threads(instance):
    server = instance("psgi = {apps}/perl/hello.psgi\nthreads = 2", wait=False)
    assert server.wait() != 0
    assert server.log.find("threads: Perl answers one request at a time; more processes do it")
