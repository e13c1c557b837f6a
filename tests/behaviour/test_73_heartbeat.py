# SPDX-License-Identifier: MIT
"""What a vassal says of itself to its Emperor: that it is well (heartbeat), and that it needs another
one beside it (vassal-sos, vassal-sos-backlog, the letter B)."""
import contextlib
import os
import signal
import subprocess

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.meeting import Meeting
from harness.programs import BUILD
from harness.ruler import HEARTBEAT, READY, SOS

WEB = "wsgi-file = {apps}/python/web.py\n"
SILENT = r"warning: heartbeat: for 0\.4 s no worker could have taken a request"


@pytest.fixture
def meeting(folder):
    with Meeting(folder) as m:
        yield m


@contextlib.contextmanager
def stuck(server, meeting, n):
    """@n requests that are in the application."""
    with contextlib.ExitStack() as stack:
        connections, visitors = [], []
        for _ in range(n):
            c = stack.enter_context(Connection(server.address))
            c.send(request_bytes(meeting.target))
            connections.append(c)
            visitors.append(meeting.arrive())
        yield
        for visitor in visitors:
            visitor.release()
        for c in connections:
            assert c.response().body == b"released"


@pytest.mark.plain
def test_a_healthy_vassal_beats_from_when_it_serves(vassal, ruler):
    server = vassal("heartbeat = 0.2")
    first, last = ruler.wait(HEARTBEAT), ruler.wait(HEARTBEAT, count=6)
    assert ruler.wait(READY) <= first
    assert 0.9 < last - first < 1.6
    ruler.say(1)
    server.wait_line(says.serving(2))
    ruler.wait(HEARTBEAT, count=9)


def test_without_the_option_there_is_none(vassal, ruler):
    vassal("")
    assert ruler.hears_nothing(HEARTBEAT, 1)


def test_stuck_workers_silence_it(vassal, ruler, meeting):
    server = vassal("heartbeat = 0.2\nprocesses = 2")
    ruler.wait(HEARTBEAT)
    with stuck(server, meeting, 2):
        server.wait_line(SILENT)
        assert ruler.hears_nothing(HEARTBEAT, 1)
    n = len(ruler.times(HEARTBEAT))
    server.wait_line("heartbeat: workers take requests again")
    ruler.wait(HEARTBEAT, count=n + 2)


def test_one_worker_that_can_work_is_enough(vassal, ruler, meeting):
    server = vassal("heartbeat = 0.2\nprocesses = 2")
    with stuck(server, meeting, 1):
        ruler.wait(HEARTBEAT, count=len(ruler.times(HEARTBEAT)) + 6)
    assert server.log.find(SILENT) == []


def test_busy_workers_that_answer_are_healthy(vassal, ruler):
    server = vassal("heartbeat = 0.4")
    with Connection(server.address) as c:
        for _ in range(12):  # each takes half the period, and there is always one
            c.send(request_bytes("/sleep?s=0.2") * 2)
            assert c.response().status == c.response().status == 200
            ruler.hears_nothing(HEARTBEAT, 0)
    assert server.log.find("heartbeat: for") == []


def test_a_stopped_worker_silences_it(vassal, ruler):
    server = vassal("heartbeat = 0.2")
    worker = int(client.get(server.address, "/pid").body)
    os.kill(worker, signal.SIGSTOP)
    try:
        server.wait_line(SILENT)
        assert ruler.hears_nothing(HEARTBEAT, 1)
    finally:
        os.kill(worker, signal.SIGCONT)
    ruler.wait(HEARTBEAT, count=len(ruler.times(HEARTBEAT)) + 1)


def test_rest_is_no_illness(vassal, ruler):
    server = vassal("heartbeat = 0.2\nidle = 0.3")
    server.wait_line("the workers end until somebody asks")
    proc.wait_children(server.pid, 1)
    ruler.wait(HEARTBEAT, count=len(ruler.times(HEARTBEAT)) + 6)
    assert server.log.find(SILENT) == []


# Reinforcement

def test_busy_workers_call_for_help_now_and_then(vassal, ruler, meeting):
    server = vassal("vassal-sos = 1\nprocesses = 2")
    assert ruler.hears_nothing(SOS, 0.8)
    with stuck(server, meeting, 1):
        assert ruler.hears_nothing(SOS, 0.8)
        with stuck(server, meeting, 1):
            server.wait_line("asks the Emperor for reinforcement: all workers are busy")
            first, second = ruler.wait(SOS), ruler.wait(SOS, count=2)
            assert 0.9 < second - first < 2
    assert client.get(server.address).status == 200


def test_what_waits_calls_for_help_once_a_second(vassal, ruler, meeting):
    server = vassal("vassal-sos-backlog = 3")
    with stuck(server, meeting, 1), contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(Connection(server.address)) for _ in range(4)]
        for c in waiting[:2]:
            c.send(request_bytes("/"))
        assert ruler.hears_nothing(SOS, 0.5)
        for c in waiting[2:]:
            c.send(request_bytes("/"))
        server.wait_line("asks the Emperor for reinforcement: too many requests wait")
        first, second = ruler.wait(SOS), ruler.wait(SOS, count=2)
        assert 0.9 < second - first < 2


def test_an_operator_may_call_for_help(vassal, ruler, folder):
    server = vassal("master-fifo = {folder}/fifo")
    subprocess.run([BUILD / "liegectl", "reinforce", folder / "fifo"], check=True)
    server.wait_line("asks the Emperor for reinforcement: it was told to")
    ruler.wait(SOS)


def test_without_an_emperor_nobody_is_asked(instance, folder):
    server = instance(WEB + "master-fifo = {folder}/fifo\nvassal-sos = 1\nheartbeat = 1")
    subprocess.run([BUILD / "liegectl", "reinforce", folder / "fifo"], check=True)
    server.wait_line("there is no Emperor to ask for reinforcement")
