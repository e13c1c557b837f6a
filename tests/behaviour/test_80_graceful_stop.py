# SPDX-License-Identifier: MIT
"""A graceful stop answers what has been sent, and ends however many more come."""
import signal

import pytest

from harness.client import Connection, request_bytes
from harness.load import Load
from harness.meeting import Meeting

WEB = "disable-logging = yes\nwsgi-file = {apps}/python/web.py\n"


def test_requests_that_wait_on_open_connections_are_answered(instance, folder):
    server = instance(WEB)
    with Meeting(folder) as meeting, Connection(server.address) as busy, \
            Connection(server.address) as kept:
        kept.request()
        busy.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        server.kill(signal.SIGQUIT)
        server.wait_line("stops gracefully")
        kept.send(request_bytes("/query?sent"))
        visitor.release()
        assert busy.response().body == b"released"
        answer = kept.response()
        assert answer.body == b"sent" and answer.close
        assert kept.at_end()
    assert server.wait() == 0


def test_connections_that_wait_to_be_accepted_are_answered(instance, folder):
    server = instance(WEB)
    with Meeting(folder) as meeting, Connection(server.address) as busy:
        busy.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        waiting = [Connection(server.address) for _ in range(20)]
        for c in waiting:
            c.send(request_bytes("/query?sent"))
        server.kill(signal.SIGQUIT)
        server.wait_line("stops gracefully")
        visitor.release()
        for c in waiting:
            assert c.response().body == b"sent"
            c.close()
    assert server.wait() == 0


@pytest.mark.parametrize("address", ["127", "@"])
def test_it_ends_under_load(instance, free_address, folder, address):
    address = free_address() if address == "127" else f"@{folder}"
    server = instance(WEB + f"http-socket = {address}")
    with Load(address, keep_alive=0, per_request=8, target="/sleep?s=0.01") as load:
        load.wait_for(50)
        server.kill(signal.SIGQUIT)
        assert server.wait(20) == 0


def test_it_ends_without_its_listening_socket(instance):
    """An application has closed descriptors that are not its own."""
    server = instance("wsgi-file = {folder}/app.py", {"app.py": '''
import os, stat
def application(environ, start_response):
    for fd in range(3, 64):
        try:
            s = __import__("socket").socket(fileno=os.dup(fd))
            if s.getsockopt(1, 30):
                os.close(fd)
            s.close()
        except OSError:
            pass
    start_response("200 OK", [])
    return [b"closed"]
'''})
    with Connection(server.address) as c:
        assert c.request().body == b"closed"
    server.kill(signal.SIGQUIT)
    assert server.wait(10) == 0
