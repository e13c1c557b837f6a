# SPDX-License-Identifier: MIT
"""A reload that is overtaken by another one, or fails, or ends with the instance, loses no request:
workers of it that serve already finish what they have."""
import signal

import pytest

from harness import says
from harness.client import Connection, request_bytes
from harness.meeting import Meeting

# The first worker of the next generation loads at once; all later ones wait for the test.
WEB = """
import os, socket, sys
sys.path.insert(0, "{apps}/python")
from web import application

def enter(folder):
    try:
        os.close(os.open(folder + "/first", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(folder + "/door")
            s.sendall(b"%d\\n" % os.getpid())
            if s.recv(100) != b"released":
                raise SystemExit("not let in")

if os.path.exists("{folder}/next"):
    enter("{folder}")
"""
SETTINGS = "wsgi-file = {folder}/app.py\nprocesses = 2\nlazy-apps = yes\n"


@pytest.fixture
def half(instance, folder, configure):
    """A second generation of which one worker serves, and holds a request, and one still loads."""
    configure("app.py", WEB)
    server = instance(SETTINGS)
    (folder / "next").touch()
    with Meeting(folder) as meeting, Meeting(folder, "door") as door:
        old, visitors = [], []
        for _ in range(2):  # both old workers are busy
            old.append(Connection(server.address))
            old[-1].send(request_bytes(meeting.target))
            visitors.append(meeting.arrive())
        server.kill(signal.SIGHUP)
        loading = door.arrive()
        with Connection(server.address) as c:
            c.send(request_bytes(meeting.target))
            held = meeting.arrive()
            assert held.pid not in [v.pid for v in visitors]

            def finish():
                for v in [held, *visitors]:
                    v.release()
                for each in [c, *old]:
                    assert each.response().body == b"released"
                    each.close()

            yield server, door, loading, finish


def test_by_another_reload(half):
    server, door, _, finish = half
    server.kill(signal.SIGHUP)
    server.wait_line("generation 3 is being started")
    third = [door.arrive() for _ in range(2)]
    finish()
    for v in third:
        v.release()
    server.wait_line(says.serving(3))


def test_by_a_worker_that_does_not_start(half):
    server, _, loading, finish = half
    loading.release("not let in")
    server.wait_line(says.RELOAD_FAILED)
    finish()


def test_by_a_graceful_stop(half):
    server, _, _, finish = half
    server.kill(signal.SIGQUIT)
    server.wait_line("stops gracefully")
    finish()
    assert server.wait() == 0
