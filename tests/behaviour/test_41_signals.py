# SPDX-License-Identifier: MIT
"""Signals to a master: what each does, idle and under load, and all of them mixed."""
import fcntl
import os
import pty
import random
import re
import signal
import struct
import termios
import time

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.load import Load
from harness.meeting import Meeting
from harness.programs import ROOT

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.fixture
def web(instance):
    return lambda settings="", **kw: instance(WEB + settings, **kw)


def workers(server):
    """The pids of the workers that answer, found with a connection for each request."""
    return {int(client.get(server.address, "/pid").body) for _ in range(40)}


def wanted(n):
    return rf"\b{n} workers? (is|are) wanted"


def wait_processes(server, n_workers):
    """Until there are a zygote and so many workers."""
    deadline = time.monotonic() + 30
    while len(found := proc.children(server.pid)) != n_workers + 1:
        assert time.monotonic() < deadline, found
        os.sched_yield()


def tell(server, sig, answer):
    """Sends a signal and waits for the line with which it is answered."""
    mark = server.log.mark()
    server.kill(sig)
    return server.log.wait(answer, after=mark)


# More and fewer workers

@pytest.mark.plain
def test_ttin_and_ttou_add_and_remove_a_worker(web):
    server = web("processes = 2")
    server.kill(signal.SIGTTIN)
    server.wait_line("SIGTTIN: " + wanted(3))
    wait_processes(server, 3)
    for n in (2, 1):
        server.kill(signal.SIGTTOU)
        server.wait_line("SIGTTOU: " + wanted(n))
        wait_processes(server, n)
    server.kill(signal.SIGTTOU)
    server.wait_line(wanted(1) + ", and that is as far as it goes")
    assert client.get(server.address).status == 200
    assert len(proc.children(server.pid)) == 2


def test_a_new_worker_serves_at_once(web, folder):
    server = web()
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        server.kill(signal.SIGTTIN)
        assert int(client.get(server.address, "/pid").body) != visitor.pid
        visitor.release("first")
        assert c.response().body == b"first"


def test_a_worker_that_is_removed_finishes_and_loses_no_client(web, folder):
    server = web("processes = 2")
    with Meeting(folder) as meeting:
        busy = [Connection(server.address) for _ in range(2)]
        for c in busy:
            c.send(request_bytes(meeting.target))
        visitors = [meeting.arrive() for _ in busy]
        server.kill(signal.SIGTTOU)
        server.wait_line(wanted(1))
        for v in visitors:
            v.release("done")
        assert [c.response().body for c in busy] == [b"done"] * 2
        wait_processes(server, 1)
        [survivor] = workers(server)
        for c in busy:
            answer = c.request("/pid")
            assert int(answer.body) == survivor and not answer.close
            c.close()


def test_the_number_of_workers_stays_until_the_configuration_says_another(web, configure):
    server = web("processes = 2")
    server.kill(signal.SIGTTIN)
    server.wait_line(wanted(3))
    server.kill(signal.SIGHUP)
    server.wait_line("generation 2 serves with 3 workers")
    config = server.config.read_text()
    server.config.write_text(config.replace("processes = 2", "processes = 4"))
    server.kill(signal.SIGHUP)
    server.wait_line("generation 3 serves with 4 workers")
    server.config.write_text(config)
    server.kill(signal.SIGHUP)
    server.wait_line("generation 4 serves with 2 workers")


def test_changes_of_number_under_load(web):
    server = web("processes = 3")
    n = 3
    with Load(server.address, keep_alive=8, per_request=4) as load:
        load.wait_for(50)
        for by in [1, 1, -1, -1, -1, -1, 1, 1] * 3:
            n += by
            tell(server, signal.SIGTTIN if by > 0 else signal.SIGTTOU, wanted(n))
            load.wait_for(20)
    load.assert_clean()
    wait_processes(server, 3)


# No workers

@pytest.mark.plain
def test_winch_sends_the_workers_home_and_hup_brings_others(web, folder):
    server = web("processes = 2")
    with Meeting(folder) as meeting, Connection(server.address) as busy, \
            Connection(server.address) as idle:
        first = int(idle.request("/pid").body)
        busy.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        server.kill(signal.SIGWINCH)
        server.wait_line("the workers finish; SIGHUP starts others")
        visitor.release("last")
        assert busy.response().body == b"last"
        assert proc.wait_children(server.pid, 0) == []
        idle.send(request_bytes("/pid"))
        with Connection(server.address) as new:
            new.send(request_bytes("/pid"))
            server.kill(signal.SIGHUP)
            assert int(new.response().body) != first
        assert int(idle.response().body) != first
    wait_processes(server, 2)


def test_a_reload_that_fails_while_there_are_no_workers(instance, folder):
    app = "def application(environ, start_response):\n" \
          "    start_response('200 OK', [])\n    return [b'here']\n"
    server = instance("module = app", {"app.py": app})
    server.kill(signal.SIGWINCH)
    assert proc.wait_children(server.pid, 0) == []
    (folder / "app.py").write_text("import nowhere\n")
    server.kill(signal.SIGHUP)
    server.wait_line("reload failed, there still are no workers: .*No module named 'nowhere'")
    (folder / "app.py").write_text(app)
    server.kill(signal.SIGHUP)
    assert client.get(server.address).body == b"here"


def test_without_workers_it_ends_like_any_other(web):
    for sig in (signal.SIGQUIT, signal.SIGTERM):
        server = web()
        server.kill(signal.SIGWINCH)
        assert proc.wait_children(server.pid, 0) == []
        assert server.stop(sig) == 0


def test_winch_from_a_terminal_is_no_order(start, configure, folder):
    """A terminal sends it whenever its size changes."""
    config = configure("app.ini", f"[liege]\nhttp-socket = {folder}/s\n{WEB}")
    ours, theirs = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    server = start(config, limits=take_terminal)
    server.wait_line(says.serving())
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 132, 0, 0))
    server.wait_line("SIGWINCH is ignored: there is a terminal")
    assert client.get(folder / "s").status == 200
    os.close(theirs)
    assert server.stop(signal.SIGQUIT) == 0
    os.close(ours)


# The end

@pytest.mark.parametrize("settings, sig, graceful", [
    ("", "TERM", False), ("", "INT", False), ("", "QUIT", True),
    ("graceful-on-term = yes\n", "TERM", True), ("graceful-on-term = yes\n", "INT", False)])
def test_which_signals_wait_for_requests(web, folder, settings, sig, graceful):
    server = web(settings)
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        server.kill(getattr(signal, "SIG" + sig))
        server.wait_line(r"\] stops gracefully" if graceful else r"\] stops$")
        if graceful:
            visitor.release("whole")
            assert c.response().body == b"whole"
        else:
            assert c.at_end()
        assert server.wait() == 0


def test_a_second_term_is_in_a_hurry(web, folder):
    server = web("graceful-on-term = yes")
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(request_bytes(meeting.target))
        meeting.arrive()
        server.kill(signal.SIGTERM)
        server.wait_line("stops gracefully")
        server.kill(signal.SIGTERM)
        assert c.at_end()
        assert server.wait() == 0


# All of them

def documented():
    text = (ROOT / "docs" / "signals.md").read_text().partition("## To a worker")[0]
    return set(re.findall(r"^\| `(SIG[A-Z0-9]+)` \|", text, re.MULTILINE))


def test_the_documented_signals_are_those_that_are_obeyed(web):
    """A master blocks what it takes through its loop."""
    mask = int(proc.status(web().pid, "SigBlk")[0], 16)
    blocked = {s.name for s in signal.valid_signals() if isinstance(s, signal.Signals)
               and mask >> (s - 1) & 1}
    assert documented() == blocked

STEPS = [["HUP"], ["TTIN"], ["TTOU"], ["WINCH", "HUP"], ["HUP", "HUP"], ["TTIN", "HUP"],
         ["HUP", "TTOU"], ["USR2"], ["USR1"], ["USR1", "HUP"]]


def upgrade_and_back(server):
    mark = server.log.mark()
    server.kill(signal.SIGUSR2)
    new = int(server.log.wait(r"the new master \(pid (\d+)\) serves", after=mark).group(1))
    os.kill(new, signal.SIGQUIT)
    server.log.wait("the new master exited with code 0: this one goes on", after=mark)


def mix(server, load, seconds, chance):
    """Random steps, each with answers in between. -> how many"""
    end = time.monotonic() + seconds
    n = 0
    while time.monotonic() < end:
        n += 1
        for name in chance.choice(STEPS):
            if name == "USR2":
                upgrade_and_back(server)
            else:
                server.kill(getattr(signal, "SIG" + name))
        load.wait_for(chance.choice([1, 10, 100]), timeout=60)
    return n


def check_mix(web, seconds, clients):
    server = web("processes = 2\ndisable-logging = yes\nlogger = stdio")
    before = proc.descriptors(server.pid)
    seed = random.randrange(1 << 32)
    with Load(server.address, keep_alive=clients * 4 // 5, per_request=clients // 5) as load:
        n = mix(server, load, seconds, random.Random(seed))
        server.kill(signal.SIGHUP)
        load.wait_for(100)
    print(f"seed {seed}: {n} steps, {load.ok} requests")
    assert not load.failures, f"seed {seed}: {load.failures[:5]}"
    while "as far as it goes" not in tell(server, signal.SIGTTOU, "SIGTTOU.*").group():
        pass
    tell(server, signal.SIGHUP, r"serves with 1 worker\b")
    wait_processes(server, 1)
    assert len(proc.keepers(server.pid)) <= 1
    assert len(proc.descriptors(server.pid)) <= len(before)
    assert server.stop(signal.SIGQUIT) == 0


def test_random_signals_lose_nothing(web):
    check_mix(web, 5, 40)


@pytest.mark.soak
@pytest.mark.plain
def test_ten_minutes_of_random_signals(web):
    check_mix(web, 600, 80)
