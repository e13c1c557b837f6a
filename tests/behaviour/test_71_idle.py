# SPDX-License-Identifier: MIT
"""idle: without requests for a while there are no workers, and the next connection brings them back;
with die-on-idle the instance ends. No request is lost on the way, whenever it comes."""
import signal
import time

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.load import Load
from harness.meeting import Meeting

WEB = "wsgi-file = {apps}/python/web.py\n"
RESTS = r"no request for 0\.5 s: the workers end until somebody asks"


@pytest.fixture
def web(instance):
    return lambda settings="idle = 0.5", **kw: instance(WEB + settings, **kw)


@pytest.fixture
def meeting(folder):
    with Meeting(folder) as m:
        yield m


@pytest.mark.plain
def test_workers_end_and_come_back(web):
    server = web("idle = 0.5\nprocesses = 2")
    for n in (1, 2):
        server.wait_line(RESTS, count=n)
        proc.wait_children(server.pid, 1)  # the zygote
        assert client.get(server.address).status == 200
        server.wait_line("somebody asks: 2 workers are started", count=n)


def test_the_time_is_exact(web):
    server = web("idle = 1")
    with pytest.raises(AssertionError):
        server.wait_line("no request", timeout=0.7)
    assert client.get(server.address).status == 200
    answered = time.monotonic()
    server.wait_line("no request for 1 s")
    assert 0.9 < time.monotonic() - answered < 2


def test_a_request_in_progress_is_waited_for(web, meeting):
    server = web("idle = 0.5")
    with Connection(server.address) as c:
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        with pytest.raises(AssertionError):
            server.wait_line(RESTS, timeout=1.6)
        visitor.release()
        assert c.response().body == b"released"
        visitor.leave()
    server.wait_line(RESTS)


def test_a_worker_that_was_replaced_meanwhile_is_not_waited_for(web, meeting, folder):
    server = web("idle = 0.5\nmaster-fifo = {folder}/fifo")
    with Connection(server.address) as c:
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        with open(folder / "fifo", "w") as fifo:
            fifo.write("c")
        proc.wait_title(visitor.pid, "liege: worker 1 app.ini (finishing)")
        with pytest.raises(AssertionError):
            server.wait_line(RESTS, timeout=1.2)
        visitor.release()
        assert c.response().body == b"released"
    server.wait_line(RESTS)


def test_a_request_that_comes_slowly_is_waited_for(web):
    server = web("idle = 0.5")
    with Connection(server.address) as c:
        c.send(request_bytes("/")[:20])
        with pytest.raises(AssertionError):
            server.wait_line(RESTS, timeout=1.6)
        c.send(request_bytes("/")[20:])
        assert c.response().status == 200


def test_a_connection_that_is_only_open_is_closed(web):
    server = web("idle = 0.5")
    with Connection(server.address) as c:
        assert c.request().status == 200
        server.wait_line(RESTS)
        assert c.at_end()
    proc.wait_children(server.pid, 1)


@pytest.mark.plain
def test_no_request_is_lost_at_the_edge(web):
    """Each client asks again just when the workers are about to end."""
    server = web("idle = 0.15\nprocesses = 2\ndisable-logging = yes")
    with Load(server.address, keep_alive=0, per_request=1, pause=0.152) as load:
        server.wait_line("somebody asks", count=8)
    load.assert_clean()


def test_a_reload_ends_the_rest(web):
    server = web("idle = 0.5")
    server.wait_line(RESTS)
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert client.get(server.address).status == 200
    server.wait_line(RESTS, count=2)
    server.wait_line(says.ended(1))
    assert client.get(server.address).status == 200


def test_each_worker_may_load_for_itself(web):
    server = web("idle = 0.5\nlazy-apps = yes")
    server.wait_line(RESTS)
    proc.wait_children(server.pid, 0)
    assert client.get(server.address).status == 200


def test_workers_that_rest_are_no_reason_to_stay(web):
    server = web("idle = 0.5")
    server.wait_line(RESTS)
    assert server.stop(signal.SIGQUIT) == 0


def test_an_instance_may_end_itself(web):
    server = web("idle = 0.5\ndie-on-idle = yes")
    server.wait_line(r"no request for 0\.5 s: the instance ends")
    assert server.wait() == 0


def test_die_on_idle_needs_idle(web):
    server = web("die-on-idle = yes", wait=False)
    assert server.wait() == 1
    server.wait_line(r"app\.ini:\d+: die-on-idle .* set idle to that time")


def test_an_idle_master_does_not_wake(web):
    server = web("idle = 3600")
    assert client.get(server.address).status == 200
    with pytest.raises(AssertionError):
        server.wait_line("nothing is said", after=server.log.mark(), timeout=0.5)
    before = proc.context_switches(server.pid)
    with pytest.raises(AssertionError):
        server.wait_line("nothing is said", after=server.log.mark(), timeout=2)
    assert proc.context_switches(server.pid) == before
