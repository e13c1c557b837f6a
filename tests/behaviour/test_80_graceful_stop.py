# SPDX-License-Identifier: MIT
"""A graceful stop answers what has been sent, and ends however many more come."""
import contextlib
import re
import signal
import time

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
        kept.send(request_bytes("/query?sent"))
        server.kill(signal.SIGQUIT)
        server.wait_line("stops gracefully")
        visitor.release()
        assert busy.response().body == b"released"
        assert kept.response().body == b"sent"
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


@pytest.mark.plain
def test_many_that_run_and_many_that_wait_are_all_answered(instance, folder, free_address):
    """50 in the application, and 200 connections that nobody has accepted."""
    server = instance(WEB + f"processes = 5\nthreads = 10\nhttp-socket = {free_address()}")
    address = re.search(r"http-socket = (127\S+)", server.config.read_text())[1]
    with Meeting(folder) as meeting, contextlib.ExitStack() as stack:
        running = [stack.enter_context(Connection(address)) for _ in range(50)]
        for c in running:
            c.send(request_bytes(meeting.target))
        visitors = [meeting.arrive() for _ in running]
        waiting = [stack.enter_context(Connection(address)) for _ in range(200)]
        for c in waiting:
            c.send(request_bytes("/query?sent"))
        server.kill(signal.SIGQUIT)
        server.wait_line("stops gracefully")
        for v in visitors:
            v.release()
        began = time.monotonic()
        assert [c.response().body for c in running] == [b"released"] * 50
        assert [c.response().body for c in waiting] == [b"sent"] * 200
        assert server.wait() == 0
        assert time.monotonic() - began < 4


def test_requests_that_wait_for_a_worker_are_answered(instance, folder):
    server = instance(WEB + "processes = 2")
    with Meeting(folder) as meeting, contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(Connection(server.address)) for _ in range(12)]
        others = [stack.enter_context(Connection(server.address)) for _ in range(12)]
        for c in waiting + others:
            c.request()
        busy = [stack.enter_context(Connection(server.address)) for _ in range(2)]
        for c in busy:
            c.send(request_bytes(meeting.target))
        visitors = [meeting.arrive() for _ in busy]
        for c in waiting:
            c.send(request_bytes("/query?sent"))
        for c in others:  # what both workers answer by themselves, and so have read
            c.send(b"GET / HTTP/1.1\r\n\r\n")
            assert c.response().status == 400
        server.kill(signal.SIGQUIT)
        server.wait_line("stops gracefully")
        for v in visitors:
            v.release()
        assert [c.response().body for c in busy] == [b"released"] * 2
        assert [c.response().body for c in waiting] == [b"sent"] * 12
    assert server.wait() == 0


def test_a_worker_that_is_killed_leaves_what_waits_to_the_next_one(instance, folder):
    """The only process there is hangs; its clients' requests wait in it."""
    server = instance(WEB + "harakiri = 2")
    with Meeting(folder) as meeting, Connection(server.address) as hung, \
            Connection(server.address) as kept, Connection(server.address) as other:
        kept.request()
        other.request()
        hung.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        kept.send(request_bytes("/query?sent"))
        other.send(b"GET / HTTP/1.1\r\n\r\n")
        assert other.response().status == 400
        server.wait_line("harakiri")
        assert kept.response().body == b"sent"
        visitor.leave()


@pytest.mark.parametrize("address", ["127", "@"])
def test_it_ends_under_load(instance, free_address, folder, address):
    address = free_address() if address == "127" else f"@{folder}"
    server = instance(WEB + f"http-socket = {address}")
    with Load(address, keep_alive=0, per_request=8, target="/sleep?s=0.01") as load:
        load.wait_for(50)
        server.kill(signal.SIGQUIT)
        assert server.wait(20) == 0


BUSY = """
import atexit, threading

atexit.register(print, "exit handlers", flush=True)


def application(environ, start_response):
    threading.Event().wait(0.02)
    start_response("200 OK", [])
    return [b"done"]
"""


def test_a_stop_at_once_lets_calls_in_progress_end_and_begins_no_others(instance):
    """Some thread is in the application at any moment."""
    server = instance("threads = 4\nmodule = app\ndisable-logging = yes", {"app.py": BUSY})
    with Load(server.address, keep_alive=12, per_request=0) as load:
        load.wait_for(50)
        assert server.stop(signal.SIGTERM) == 0
    server.wait_line("^exit handlers")


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
