# SPDX-License-Identifier: MIT
"""Before the workers are forked: the application answers requests of the server's own (warmup)."""
import json
import signal

import pytest

from harness import client, says

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
