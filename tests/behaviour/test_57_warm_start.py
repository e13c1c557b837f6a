# SPDX-License-Identifier: MIT
"""Before the workers are forked: the application answers requests of the server's own (warmup), and what
it has that a fork would lose or share is found (fork-check)."""
import json
import signal
import socket

import pytest

from harness import client, proc, says

APP = """
import json
import os

seen = []


def application(environ, start_response):
    if environ["PATH_INFO"] == "/seen":
        start_response("200 OK", [])
        return [json.dumps(seen).encode()]
    seen.append([os.getpid(), environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"],
                 environ["wsgi.url_scheme"], environ["HTTP_HOST"], environ["SERVER_PORT"],
                 environ["wsgi.input"].read().decode()])
    start_response("STATUS", [("Content-Length", "6")])
    return [b"warm", b"ed"]
"""
FILES = {"app.py": APP.replace("STATUS", "302 Found")}
PSGI = """
my @seen;
sub {
    my $env = shift;
    return [200, [], [join ',', @seen]] if $env->{PATH_INFO} eq '/seen';
    push @seen, join ' ', $$, @$env{qw(REQUEST_METHOD PATH_INFO HTTP_HOST)};
    return sub { $_[0]->([200, []])->write('slowly') };
};
"""


def seen(server):
    return json.loads(client.get(server.address, "/seen").body)


@pytest.mark.plain
def test_once_for_all_workers_before_they_are_forked(instance):
    server = instance("module = app\nprocesses = 2\nwarmup = /caf%%C3%%A9?a=%%20b\n"
                      "warmup = https://example.org/", FILES)
    [first, second] = seen(server)
    assert first[1:] == ["GET", "/café".encode().decode("latin-1"), "a=%20b", "http", "localhost", "80",
                         ""]
    assert second[1:] == ["GET", "/", "", "https", "example.org", "443", ""]
    assert first[0] == second[0]
    assert all(seen(server) == [first, second] for _ in range(10))


def test_lazy_workers_warm_up_themselves(instance):
    server = instance("module = app\nprocesses = 1\nlazy-apps = yes\nwarmup = http://h:81/x", FILES)
    [[_, method, path, _, scheme, host, port, _]] = seen(server)
    assert [method, path, scheme, host, port] == ["GET", "/x", "http", "h:81", "81"]


def test_a_psgi_application(instance):
    server = instance("psgi = app.psgi\nwarmup = /a\nwarmup = /b", {"app.psgi": PSGI})
    first, second = client.get(server.address, "/seen").body.decode().split(",")
    assert first.split()[1:] == ["GET", "/a", "localhost"]
    assert second.split()[1:] == ["GET", "/b", "localhost"]


@pytest.mark.parametrize("mount, url, complaint", [
    ("module = app", "/x", "warmup = /x: the application answered 404"),
    ("mount = /a=app.py", "/b", "warmup = /b: no application is mounted there"),
])
def test_what_does_not_answer_is_not_started(instance, mount, url, complaint):
    server = instance(f"{mount}\nwarmup = {url}", {"app.py": APP.replace("STATUS", "404 Not Found")},
                      wait=False)
    assert server.wait() == 3
    server.wait_line(f"error: cannot start: {complaint}")


def test_one_that_fails_is_in_the_log(instance):
    server = instance("module = app\nwarmup = /", {"app.py": "def application(e, s):\n    wrong\n"},
                      wait=False)
    assert server.wait() == 3
    server.wait_line("NameError: name 'wrong' is not defined")
    server.wait_line("cannot start: warmup = /: the application answered 500; the log says why")


def test_a_reload_into_what_does_not_answer_keeps_the_old(instance, folder):
    server = instance("module = app\nwarmup = /", FILES)
    (folder / "app.py").write_text(APP.replace("STATUS", "503 Sick"))
    server.kill(signal.SIGHUP)
    server.wait_line("reload failed, the old generation goes on serving: warmup = /: the application "
                     "answered 503")
    assert len(seen(server)) == 1
    (folder / "app.py").write_text(FILES["app.py"])
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(3))


@pytest.mark.parametrize("url", ["path", "http://example.org", "/a%zz", "/a b", "ftp://h/x"])
def test_what_is_no_url(instance, url):
    server = instance(f"module = app\nwarmup = {url}", FILES, wait=False)
    assert server.wait() == 1
    server.wait_line(r"app\.ini:4: .*warmup")


FORKS = """
import os


def application(environ, start_response):
    if environ["PATH_INFO"] == "/fork":
        os.fork()
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


@pytest.mark.parametrize("settings", ["", "lazy-apps = yes\n"])
def test_a_process_that_it_forks_does_not_serve(instance, settings):
    server = instance(f"{settings}module = app\nwarmup = /fork", {"app.py": FORKS})
    server.wait_line("/fork: a process that the application forked there came back: it is ended")
    proc.wait_children(server.pid, 1 if settings else 2)
    assert client.get(server.address).status == 200


# What a fork would lose or share

DATABASE = """
import socket

connection = socket.create_connection(("HOST", PORT))
"""
UNSAFE = """
import asyncio
import logging.handlers
import socket
import threading

import database


def poll(stop):
    stop.wait()


stop = threading.Event()
threading.Thread(target=poll, args=(stop,), name="poller", daemon=True).start()
statistics = socket.socket(type=socket.SOCK_DGRAM)
statistics.connect(("127.0.0.1", 9))
loop = asyncio.new_event_loop()


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"here"]
"""
FOUND = [r'thread "poller" at \S+/app\.py:11 in poll will not run in the workers: start it in each of them',
         r"descriptor \d+ \(database\.connection\), which is connected to 127\.0\.0\.1:\d+, would be shared "
         "by all workers: open it in each of them",
         r"descriptor \d+ \(.*\), which waits for events \(epoll\), would be shared"]


@pytest.fixture
def unsafe():
    """Files of an application with a thread and a connection, and the server that it has one to."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        host, port = s.getsockname()
        yield {"app.py": UNSAFE,
               "database.py": DATABASE.replace("HOST", host).replace("PORT", str(port))}


@pytest.mark.plain
def test_threads_and_connections_are_warned_of(instance, unsafe):
    server = instance("module = app", unsafe)
    for line in FOUND:
        server.wait_line(f"warning: fork-check: {line}")
    assert not server.log.find("127.0.0.1:9,")
    assert client.get(server.address).body == b"here"


def test_threads_and_connections_are_refused(instance, unsafe):
    server = instance("module = app\nfork-check = refuse", unsafe, wait=False)
    assert server.wait() == 3
    server.wait_line(f"error: cannot start: fork-check: {FOUND[0]} \\(and more\\)")
    for line in FOUND:
        server.wait_line(f"error: fork-check: {line}")


def test_a_reload_into_an_unsafe_application_keeps_the_old(instance, unsafe, folder):
    server = instance("module = app\nfork-check = refuse", {"app.py": APP.replace("STATUS", "200 OK")})
    for name, text in unsafe.items():
        (folder / name).write_text(text)
    server.kill(signal.SIGHUP)
    server.wait_line("reload failed, the old generation goes on serving: fork-check: thread")
    assert seen(server) == []


@pytest.mark.parametrize("settings", ["fork-check = off", "lazy-apps = yes\nfork-check = refuse"])
def test_no_check_and_no_fork(instance, unsafe, settings):
    server = instance(f"module = app\n{settings}", unsafe)
    assert client.get(server.address).body == b"here"
    assert not server.log.find("fork-check")


def test_no_such_check(instance):
    server = instance("module = app\nfork-check = maybe", FILES, wait=False)
    assert server.wait() == 1
    server.wait_line(r"app\.ini:4: .*'maybe' is none of warn, refuse and off")
