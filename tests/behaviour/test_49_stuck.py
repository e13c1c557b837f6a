# SPDX-License-Identifier: MIT
"""A request that does not come back: the log says where it is, in whatever it hangs, and only its worker
is replaced."""
import os
import signal

import pytest

from harness import client, proc
from harness.client import Connection, request_bytes

PYTHON = '''
import ctypes, os, re
from time import sleep

def spin():
    while True: pass  # SPINS

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/spin":
        spin()
    if path == "/sleep":
        sleep(1000)  # SLEEPS
    if path == "/regex":
        re.match("(a+)+$", "a" * 100 + "b")  # MATCHES
    if path == "/lock":
        ctypes.PyDLL(None).read(os.pipe()[0], bytes(9), 9)  # READS, and keeps the GIL
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
'''
PERL = '''
my $app = sub {
    my $env = shift;
    deep($env) if $env->{PATH_INFO} eq "/regex";
    if ($env->{PATH_INFO} eq "/spin") {
        while (1) { my $x = 1; } # SPINS
    }
    [200, [], ["$$"]];
};
sub deep {
    ("a" x 40) =~ /^(?:a?){40}a{40}$/; # MATCHES
}
$app;
'''


def line_of(code, mark):
    return next(n for n, line in enumerate(code.splitlines(), 1) if mark in line)


def hang(server, path):
    """-> the client, whose request hangs"""
    c = Connection(server.address)
    c.send(request_bytes(path))
    return c


@pytest.mark.plain
@pytest.mark.parametrize("path, mark, native", [
    ("/spin", "SPINS", None), ("/sleep", "SLEEPS", None), ("/regex", "MATCHES", None),
    ("/lock", "READS", r"libc\.so.*read")])
def test_python_that_hangs_is_shown_with_its_line(instance, path, mark, native):
    server = instance("module = app\nharakiri = 1\nprocesses = 2", {"app.py": PYTHON})
    before = proc.children(server.pid)
    stuck = hang(server, path)
    server.wait_line(rf"warning: GET {path} from .* has been running for 0\.[5-9] s: after as long "
                     "again this worker is killed")
    server.wait_line(rf"error: harakiri: GET {path} from .* has been running for 1\.[0-4] s: this worker "
                     "is killed")
    server.wait_line(rf'error:   File ".*/app\.py", line {line_of(PYTHON, mark)} in ')
    server.wait_line(r"error: thread \d+ \(.*\), in the kernel at: ")
    if native:
        server.wait_line(native)
    assert stuck.at_end()
    stuck.close()
    server.wait_line(r"worker \d, which was finishing, killed by signal 9")
    assert len(server.log.find("killed by signal 9")) == 1
    assert sum(map(proc.alive, before)) == len(before) - 1
    assert client.get(server.address).status == 200


@pytest.mark.plain
@pytest.mark.parametrize("path, mark", [("/spin", "SPINS"), ("/regex", "MATCHES")])
def test_perl_that_hangs_is_shown_with_its_line(instance, path, mark):
    server = instance("psgi = app.psgi\nharakiri = 1", {"app.psgi": PERL})
    with hang(server, path) as stuck:
        server.wait_line("error: harakiri: GET ")
        server.wait_line(rf"error:   at .*app\.psgi line {line_of(PERL, mark)}$")
        if path == "/regex":
            server.wait_line(rf"error:   called from .*app\.psgi line {line_of(PERL, 'deep($env)')}$")
        assert stuck.at_end()
    assert client.get(server.address).status == 200


def test_a_slow_request_that_ends_in_time_is_only_warned_of(instance, folder):
    app = PYTHON.replace('if path == "/spin":', f'if path == "/slow":\n        sleep(0.8)\n'
                                                '    if path == "/spin":')
    server = instance("module = app\nharakiri = 1.2", {"app.py": app})
    with Connection(server.address) as c:
        first = int(c.request("/slow").body)
        server.wait_line("warning: GET /slow from .* has been running for 0.6 s")
        assert int(c.request("/").body) == first
    assert not server.log.find("harakiri")


@pytest.mark.plain
@pytest.mark.parametrize("threads", [1, 3])
def test_a_worker_that_is_stopped_as_a_whole(instance, threads):
    """It cannot end itself: its master does. One without a request is left alone."""
    server = instance(f"module = app\nharakiri = 1\nprocesses = 2\nthreads = {threads}", {"app.py": PYTHON})
    stuck = hang(server, "/sleep")
    worker = int(server.wait_line(r"worker (\d)\] warning: GET /sleep").group(1))
    pids = {int(p): title for p in server.children()
            if (title := proc.command_line(p)).startswith("liege: worker")}
    [busy] = [p for p, title in pids.items() if title.startswith(f"liege: worker {worker} ")]
    [idle] = set(pids) - {busy}
    os.kill(busy, signal.SIGSTOP)
    os.kill(idle, signal.SIGSTOP)
    server.wait_line(rf"error: harakiri: worker {worker} \(pid {busy}\) has not ended itself and is stopped: "
                     "it is killed")
    assert stuck.at_end()
    stuck.close()
    server.wait_line(f"worker {worker} killed by signal 9")
    assert client.get(server.address, "/pid").status == 200
    os.kill(idle, signal.SIGCONT)
    assert len(server.log.find("has not ended itself")) == 1
    assert proc.alive(idle)
