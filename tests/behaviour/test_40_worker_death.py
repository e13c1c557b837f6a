# SPDX-License-Identifier: MIT
"""Processes of an instance that die: who notices, what it costs, and what comes instead."""
import datetime
import os
import signal

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.load import Load
from harness.meeting import Meeting

WEB = "wsgi-file = {apps}/python/web.py\n"
PATTERN = r"worker {} killed by signal 9"


@pytest.fixture
def web(instance):
    return lambda settings="", **kw: instance(WEB + settings, **kw)


def worker_of(server):
    """The pid of a worker of tests/apps/python/web.py that answers."""
    return int(client.get(server.address, "/pid").body)


def zygote_of(server):
    """With one worker it is the other child."""
    [zygote] = set(proc.children(server.pid)) - {worker_of(server)}
    return zygote


def assert_no_zombies(server):
    """Each answer gives the master time to reap what has ended."""
    for _ in range(1000):
        zombies = [p for p in map(int, filter(str.isdigit, os.listdir("/proc")))
                   if proc.parent(p) == server.pid and proc.state(p) == "Z"]
        if not zombies:
            return
        assert client.get(server.address, "/pid").status == 200
    raise AssertionError(f"zombies: {zombies}")


def assert_gone(pids):
    assert not proc.wait_gone(pids)


# Workers

@pytest.mark.plain
def test_a_killed_worker_fails_its_own_request_only(web, folder):
    server = web("processes = 3")
    with Meeting(folder) as meeting:
        visitors = {}
        for _ in range(3):
            c = Connection(server.address)
            c.send(request_bytes(meeting.target))
            visitors[c] = meeting.arrive()
        queued = [Connection(server.address) for _ in range(5)]
        for c in queued:
            c.send(request_bytes("/query?queued"))
        victim, *others = visitors
        os.kill(visitors[victim].pid, signal.SIGKILL)
        server.wait_line(PATTERN.format("[123]"))
        assert victim.at_end()
        for c in queued:  # by the new one: the others are busy
            assert c.response().body == b"queued"
        for c in others:
            visitors[c].release("mine")
            assert c.response().body == b"mine"
        for c in [*visitors, *queued]:
            c.close()
    assert len(proc.children(server.pid)) == 4
    assert len(server.log.find("worker . killed")) == 1


def pids_of(connections):
    return [int(c.response().body) for c in connections]


@pytest.mark.plain
@pytest.mark.parametrize("processes", [1, 3])
def test_clients_that_are_idle_do_not_notice_a_killed_worker(web, processes):
    """Nor do those whose request it has not read."""
    server = web(f"processes = {processes}")
    idle = [Connection(server.address) for _ in range(20)]
    first = [int(c.request("/pid").body) for c in idle]
    victim = first[0]
    proc.wait_keepers(server.pid, len(set(first)))
    busy, later = set(first), []
    while busy:  # each worker has turned to another request: those before are idle
        later.append(Connection(server.address))
        busy.discard(int(later[-1].request("/pid").body))
    of_victim = [c for c, pid in zip(idle, first) if pid == victim]
    os.kill(victim, signal.SIGSTOP)
    for c in of_victim[::2]:
        c.send(request_bytes("/pid"))
    os.kill(victim, signal.SIGKILL)
    for c in of_victim[1::2]:
        c.send(request_bytes("/pid"))
    assert victim not in pids_of(of_victim)
    for c in idle:
        assert int(c.request("/pid").body) != victim
    for c in [*idle, *later]:
        c.close()
    server.wait_line(PATTERN.format("[123]"))


def test_a_client_in_the_middle_of_a_request_hears_of_the_death_at_once(web):
    server = web()
    with Connection(server.address) as idle, Connection(server.address) as halfway, \
            Connection(server.address) as later:
        worker = int(idle.request("/pid").body)
        assert int(halfway.request("/pid").body) == worker
        halfway.send(request_bytes("/pid")[:-5])
        for c in (idle, later):  # so the half has been read, and idle is idle
            assert int(c.request("/pid").body) == worker
        proc.wait_keepers(server.pid, 1)
        os.kill(worker, signal.SIGKILL)
        assert halfway.at_end()
        assert int(idle.request("/pid").body) != worker


@pytest.mark.only_plain
def test_a_keeper_is_small_and_ends_with_its_worker(web):
    """It is there as soon as a connection is kept, and has next to no memory of its own."""
    server = web()
    assert proc.keepers(server.pid) == []
    with Connection(server.address) as c:
        worker = int(c.request("/pid").body)
        assert int(c.request("/pid").body) == worker
        [keeper] = proc.wait_keepers(server.pid, 1)
        proc.wait_private_memory(keeper, 100 << 10)
        server.kill(signal.SIGHUP)
        server.wait_line(says.ended(1))
        assert_gone([worker, keeper])
        assert int(c.request("/pid").body) != worker
    assert server.stop(signal.SIGTERM) == 0


def test_idle_connections_outlive_a_worker_that_may_open_no_descriptors(instance):
    server = instance("module = app", {"app.py": """\
import os
import resource
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)

def application(environ, start_response):
    if environ["PATH_INFO"] == "/none":
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
    start_response("200 OK", [("Content-Length", str(len(str(os.getpid()))))])
    return [str(os.getpid()).encode()]
"""})
    with Connection(server.address) as idle, Connection(server.address) as later:
        worker = int(later.request("/none").body)
        for c in (idle, later):  # so idle is idle
            assert int(c.request("/").body) == worker
        proc.wait_keepers(server.pid, 1)
        os.kill(worker, signal.SIGKILL)
        assert int(idle.request("/").body) != worker
    assert server.stop(signal.SIGTERM) == 0


def test_harakiri_counts_from_the_request_that_hangs(web, folder):
    server = web("harakiri = 2")
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(request_bytes("/sleep?s=1.2") + request_bytes(meeting.target))
        visitor = meeting.arrive()
        server.wait_line("harakiri: .* has been running for 2.0 s")
        visitor.leave()


@pytest.mark.plain
def test_requests_that_wait_survive_their_only_worker(web, folder):
    server = web()
    with Meeting(folder) as meeting, Connection(server.address) as running:
        running.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        waiting = [Connection(server.address) for _ in range(10)]
        for c in waiting:
            c.send(request_bytes("/pid"))
        os.kill(visitor.pid, signal.SIGKILL)
        answers = {int(c.response().body) for c in waiting}
        for c in waiting:
            c.close()
        assert len(answers) == 1 and visitor.pid not in answers
        assert running.at_end()


@pytest.mark.parametrize("code, end", [
    ("os._exit(5)", r"exited with code 5"), ("os.abort()", r"killed by signal 6 \(Aborted\)"),
    ("os._exit(0)", r"exited with code 0"),
    ("os.kill(os.getpid(), 10); os.kill(os.getpid(), 9)", r"killed by signal 9 \(Killed\)"),
])
def test_the_log_says_how_a_worker_ended(instance, code, end):
    app = f"""
import os
def application(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        {code}
    start_response("200 OK", [])
    return [b"alive"]
"""
    server = instance("module = app", {"app.py": app})
    with Connection(server.address) as c:
        c.send(request_bytes("/die"))
        assert c.at_end()
    server.wait_line(rf"\[app\.ini\] warning: worker 1 {end}")
    assert client.get(server.address).body == b"alive"


def test_a_worker_is_replaced_after_max_requests(web):
    server = web("max-requests = 10")
    with Connection(server.address) as c:
        pids = set()
        while len(pids) < 4:  # each serves on until the next one is ready
            pids.add(int(c.request("/pid").body))
    assert server.log.find("worker 1") == []


def test_max_requests_under_load_fails_none(web):
    server = web("max-requests = 20\nprocesses = 3")
    with Load(server.address, keep_alive=8, per_request=4) as load:
        load.wait_for(3000)
    load.assert_clean()


@pytest.mark.plain
def test_workers_are_replaced_in_turn_and_the_next_one_is_ready_first(web):
    """All reach max-requests about the same time."""
    server = web("max-requests = 30\nprocesses = 8\ndisable-logging = yes")
    most = 0
    first = set(proc.children(server.pid))
    with Load(server.address, keep_alive=16, per_request=4) as load:
        while len(first & set(proc.children(server.pid))) > 1:  # all but the zygote
            most = max(most, len(proc.children(server.pid)))
            load.wait_for(1)
    load.assert_clean()
    assert most <= 1 + 8 + 1


def test_a_worker_is_replaced_after_its_lifetime(web):
    """Also one that has nothing to do."""
    server = web("max-worker-lifetime = 0.5\nmax-worker-lifetime-delta = 0.1")
    with Connection(server.address) as c:
        first = int(c.request("/pid").body)
        assert_gone([first])
        answer = c.request("/pid")
        assert int(answer.body) != first and not answer.close
    assert server.log.find("worker 1") == []


GROWS = """
import os
kept = []
def application(environ, start_response):
    if environ["PATH_INFO"] == "/grow":
        kept.append(bytearray(os.urandom(1 << 20) * 40))
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


@pytest.mark.only_plain
@pytest.mark.parametrize("option, what", [("reload-on-rss", "its resident memory"),
                                          ("reload-on-pss", r"its share of memory \(PSS\)")])
def test_a_worker_that_has_grown_is_replaced(instance, option, what):
    server = instance(f"module = app\n{option} = 64", {"app.py": GROWS})
    with Connection(server.address) as c:
        worker = int(c.request("/").body)
        assert int(c.request("/grow").body) == worker
        while int(c.request("/").body) == worker:
            c.request("/grow")
        assert_gone([worker])
    server.wait_line(rf"worker 1 is replaced: {what} is \d+ MiB, more than 64")


def test_a_worker_that_is_told_to_end_finishes(web, folder):
    """kill -TERM of one worker: what an operator does to get a fresh one."""
    server = web()
    with Meeting(folder) as meeting, Connection(server.address) as c, \
            Connection(server.address) as idle:
        first = int(idle.request("/pid").body)
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        os.kill(first, signal.SIGTERM)
        visitor.release("finished")
        assert c.response().body == b"finished"
        assert_gone([first])
        for connection in (c, idle):  # the next worker has them now
            answer = connection.request("/pid")
            assert int(answer.body) != first and not answer.close
    assert worker_of(server) != first


@pytest.mark.parametrize("sig", ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGPIPE"])
def test_signals_that_are_for_the_master_do_not_hurt_a_worker(web, sig):
    """A terminal sends them to the whole group."""
    server = web()
    worker = worker_of(server)
    os.kill(worker, getattr(signal, sig))
    for _ in range(3):
        assert worker_of(server) == worker


def test_ctrl_c_for_the_whole_group(start, configure, folder):
    config = configure("app.ini", f"[liege]\nhttp-socket = {folder}/s\nprocesses = 2\n{WEB}")
    server = start(config, wrapper=["setsid"])
    server.wait_line(says.serving())
    assert client.get(folder / "s").status == 200
    os.killpg(server.pid, signal.SIGINT)
    assert server.wait() == 0
    assert not server.log.find("Traceback|KeyboardInterrupt")


# A worker that cannot start any more

FRAIL = """
import os, liege
def hook():
    if os.path.exists("broken"):
        os._exit(3)
liege.post_fork_hook = hook
if os.path.exists("broken") and os.path.exists("lazy"):
    raise RuntimeError("no database")
def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


def times_of(lines):
    return [datetime.datetime.fromisoformat(line[:23]) for line in lines]


@pytest.mark.parametrize("lazy", [False, True])
def test_a_worker_that_dies_while_it_starts_is_tried_more_and_more_seldom(instance, folder, lazy):
    server = instance(f"module = app\nlazy-apps = {'yes' if lazy else 'no'}", {"app.py": FRAIL})
    before = len(proc.descriptors(server.pid))
    worker = int(client.get(server.address).body)
    if lazy:
        (folder / "lazy").touch()
    (folder / "broken").touch()
    os.kill(worker, signal.SIGKILL)
    failed = "worker 1 did not start: exited with code 3"
    server.wait_line(failed, count=6)
    if lazy:
        server.wait_line("RuntimeError: no database")
    times = times_of(server.log.find(failed)[:6])
    gaps = [(b - a).total_seconds() for a, b in zip(times, times[1:])]
    assert gaps[-1] >= 0.4 and sum(gaps) >= 0.7, gaps

    (folder / "broken").unlink()
    assert int(client.get(server.address).body) != worker
    assert len(proc.descriptors(server.pid)) <= before
    assert server.running()


def test_one_frail_worker_does_not_hinder_the_others(instance, folder):
    app = FRAIL.replace('os.path.exists("broken"):\n        os._exit(3)',
                        'os.path.exists("broken") and liege.worker_id() == 1:\n        os._exit(3)')
    server = instance("module = app\nprocesses = 2", {"app.py": app})
    (folder / "broken").touch()
    with Load(server.address, keep_alive=0, per_request=2, pause=0.01) as load:
        load.wait_for(10)
        for pid in proc.children(server.pid)[1:]:
            os.kill(pid, signal.SIGKILL)
        server.wait_line("worker 1 did not start: exited with code 3", count=4)
        server.wait_line("worker 2 killed by signal 9")
        load.wait_for(50)
    assert len(server.log.find("worker 2 (did|exited|killed)")) == 1


# The zygote

@pytest.mark.plain
def test_a_killed_zygote_costs_nothing(web):
    server = web()
    zygote, worker = zygote_of(server), worker_of(server)
    with Load(server.address, keep_alive=8, per_request=4) as load:
        load.wait_for(100)
        os.kill(zygote, signal.SIGKILL)
        server.wait_line("the zygote of generation 1 ended \\(killed by signal 9.*another one is started")
        load.wait_for(200)
    load.assert_clean()
    assert worker_of(server) == worker
    os.kill(worker, signal.SIGKILL)
    server.wait_line(PATTERN.format(1))
    assert worker_of(server) != worker  # waits in the queue until the new zygote has forked one


def test_a_zygote_and_its_workers_killed_at_once(web):
    server = web("processes = 3")
    worker_of(server)
    for pid in server.descendants():
        os.kill(pid, signal.SIGKILL)
    with Load(server.address, keep_alive=4, per_request=4) as load:
        load.wait_for(200)
    load.assert_clean()
    server.wait_line("worker . killed by signal 9", count=3)


def test_a_zygote_that_cannot_come_back_is_no_end(instance, folder):
    """The file is broken since: what serves goes on, and a repair is found without a reload."""
    server = instance("module = app", {"app.py": FRAIL})
    [zygote, worker] = proc.children(server.pid)
    (folder / "app.py").write_text("import missing_since\n")
    os.kill(zygote, signal.SIGKILL)
    server.wait_line("No module named 'missing_since'")
    assert int(client.get(server.address).body) == worker
    (folder / "app.py").write_text(FRAIL)
    os.kill(worker, signal.SIGKILL)
    assert int(client.get(server.address).body) != worker


# The master

@pytest.mark.plain
@pytest.mark.parametrize("settings", ["processes = 3", "processes = 3\nlazy-apps = yes"])
def test_a_killed_master_takes_all_along(web, folder, settings):
    server = web(settings)
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(request_bytes(meeting.target))
        busy = meeting.arrive().pid
        below = server.descendants()
        assert busy in below
        for pid in below:
            if pid != busy:
                os.kill(pid, signal.SIGSTOP)
        server.kill(signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        assert_gone(below)
        assert c.at_end()


def test_a_master_killed_while_the_application_is_loaded(instance, folder):
    app = """
import os, socket
with socket.socket(socket.AF_UNIX) as s:
    s.connect("meeting")
    s.sendall(b"%d\\n" % os.getpid())
    s.recv(1)
"""
    for lazy in ("no", "yes"):
        with Meeting(folder) as meeting:
            server = instance(f"module = app\nlazy-apps = {lazy}", {"app.py": app}, wait=False)
            loader = meeting.arrive().pid
            server.kill(signal.SIGKILL)
            assert server.wait() == -signal.SIGKILL
            assert_gone([loader])


def test_a_stopped_worker_ends_with_the_instance(web):
    for sig in (signal.SIGTERM, signal.SIGQUIT):
        server = web("reload-mercy = 0.3")
        os.kill(worker_of(server), signal.SIGSTOP)
        assert server.stop(sig) == 0


# What is left behind

def test_processes_that_an_application_forgot_are_reaped(instance, folder):
    """Daemons that it starts become the master's children: the sub-reaper reaps them."""
    app = """
import os, socket
def application(environ, start_response):
    if environ["QUERY_STRING"] and os.fork() == 0:
        if os.fork() == 0:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(environ["QUERY_STRING"])
                s.sendall(b"%d\\n" % os.getpid())
                s.recv(1)
        os._exit(0)
    if environ["QUERY_STRING"]:
        os.wait()
    start_response("200 OK", [])
    return [b"started"]
"""
    server = instance("module = app", {"app.py": app})
    with Meeting(folder) as meeting:
        for _ in range(5):
            assert client.get(server.address, f"/?{meeting.path}").body == b"started"
            daemon = meeting.arrive()
            assert proc.parent(daemon.pid) == server.pid
            daemon.release()
            assert_gone([daemon.pid])
    assert_no_zombies(server)


def test_deaths_leave_nothing_in_the_master(web):
    server = web()
    before = len(proc.descriptors(server.pid))
    for n in range(5):
        os.kill(worker_of(server), signal.SIGKILL)
        server.wait_line(PATTERN.format(1), count=n + 1)
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    server.wait_line(says.ended(1))
    assert len(proc.descriptors(server.pid)) <= before
    assert_no_zombies(server)
