# SPDX-License-Identifier: MIT
"""Processes that an application forks are neither a second voice on the client's connection nor a
second worker, and signals for them do not reach the worker."""
import signal

import pytest

from harness import proc
from harness.client import Connection, get

PYTHON = """
import multiprocessing, os, signal

caught = []
signal.signal(signal.SIGUSR1, lambda *a: caught.append("USR1"))

def application(environ, start_response):
    path = environ["PATH_INFO"]
    text = ""
    if path == "/fork":
        os.fork()
    elif path == "/terminate":
        read_end, write_end = os.pipe()
        child = multiprocessing.get_context("fork").Process(
            target=lambda: (os.write(write_end, b"x"), signal.pause()))
        child.start()
        os.read(read_end, 1)
        child.terminate()
        child.join()
        text = str(child.exitcode)
    elif path == "/terminate-at-once":
        for _ in range(20):
            child = multiprocessing.get_context("fork").Process(target=signal.pause)
            child.start()
            child.terminate()
            child.join()
            text += f"{child.exitcode} "
    elif path == "/signal":
        os.kill(os.getpid(), signal.SIGUSR1)
        text = caught[0]
    start_response("200 OK", [])
    return [f"{os.getpid()} {text}".encode()]
"""
PERL = """
sub { my $env = shift; fork() if $env->{PATH_INFO} eq '/fork'; [200, [], ["$$ "]] };
"""


@pytest.mark.plain
@pytest.mark.parametrize("settings, files", [
    ("wsgi-file = {folder}/app.py", {"app.py": PYTHON}),
    ("psgi = {folder}/app.psgi", {"app.psgi": PERL}),
], ids=["python", "perl"])
def test_one_that_comes_back_from_the_call_is_ended(instance, settings, files):
    server = instance(settings, files)
    pid = get(server.address).body
    with Connection(server.address) as c:
        for _ in range(5):
            assert c.request("/fork").body == pid
            assert c.request("/").body == pid  # nothing was in between
    server.wait_line("a process that the application forked there came back", count=5)
    assert get(server.address).body == pid


def test_one_that_is_terminated_before_it_has_begun_ends_too(instance):
    server = instance("wsgi-file = {folder}/app.py", {"app.py": PYTHON})
    with Connection(server.address) as c:
        pid = c.request("/").body.decode().strip()
        assert c.request("/terminate-at-once").body.decode() == f"{pid} " + "-15 " * 20
        assert c.request("/").body.decode().strip() == pid


def test_one_that_is_terminated_ends_and_its_worker_does_not(instance):
    server = instance("wsgi-file = {folder}/app.py", {"app.py": PYTHON})
    with Connection(server.address) as c:
        pid = c.request("/").body.decode().strip()
        for _ in range(2):
            answer = c.request("/terminate")
            assert answer.body.decode() == f"{pid} {-signal.SIGTERM}"
            assert not answer.close
        assert proc.children(int(pid)) == []


def test_an_application_keeps_its_signal_handlers(instance):
    server = instance("wsgi-file = {folder}/app.py", {"app.py": PYTHON})
    assert get(server.address, "/signal").body.endswith(b" USR1")
