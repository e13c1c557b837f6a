# SPDX-License-Identifier: MIT
"""PSGI applications over the wire: the environment, every kind of answer, Plack's own tests for
servers, and what is logged when an application fails."""
import os
import re
import signal
import subprocess
import threading

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.data import chunked, pattern
from harness.meeting import Meeting
from harness.programs import APPS, PATIENCE

PERL = APPS / "perl"
KINDS = "psgi = {apps}/perl/kinds.psgi\n"


@pytest.fixture
def kinds(instance):
    """kinds(settings) -> a server of tests/apps/perl/kinds.psgi."""
    return lambda settings="", **kw: instance(KINDS + settings, **kw)


def environment_of(address, target="/env", **kw):
    text = client.get(address, target, **kw).body.decode()
    return dict(line.split("=", 1) for line in text.splitlines())


def run_plack_suite(server, prefix="/"):
    """The suite expects the server at 127.0.0.1, on a port that the kernel finds here."""
    [(host, port)] = proc.listening(server.pid)
    run = subprocess.run(
        ["/usr/bin/perl", PERL / "plack-suite-client.pl", f"http://{host}:{port}{prefix}"],
        capture_output=True, text=True, timeout=4 * PATIENCE)
    assert run.returncode == 0, run.stdout + run.stderr + server.log.text()
    assert len(re.findall(r"^ok \d+ - ", run.stdout, re.MULTILINE)) >= 30
    assert "not ok" not in run.stdout


@pytest.mark.plain
@pytest.mark.parametrize("settings", ["processes = 2", "lazy-apps = yes"])
def test_plack_s_tests_for_servers(instance, settings):
    run_plack_suite(instance("http-socket = 127.0.0.1:0\n"
                             f"psgi = {{apps}}/perl/plack-suite.psgi\n{settings}"))


def test_plack_s_tests_below_a_prefix(instance):
    run_plack_suite(instance("http-socket = 127.0.0.1:0\n"
                             "mount = /foo/bar={apps}/perl/plack-suite.psgi"), "/foo/bar")


def test_environment(kinds):
    server = kinds("processes = 2")
    env = environment_of(server.address, "/env?a=b%20c", method="POST", body=b"12345",
                         fields=[("Content-Type", "a/b"), ("X-One", "1"), ("Host", "example.org")])
    expected = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/env", "QUERY_STRING": "a=b%20c",
        "REQUEST_URI": "/env?a=b%20c", "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_TYPE": "a/b",
        "CONTENT_LENGTH": "5", "HTTP_HOST": "example.org", "HTTP_X_ONE": "1",
        "psgi.version": "1 1", "psgi.url_scheme": "http", "psgi.multithread": "",
        "psgi.multiprocess": "1", "psgi.run_once": "", "psgi.nonblocking": "",
        "psgi.streaming": "1", "psgix.input.buffered": "1",
    }
    assert {k: env.get(k) for k in expected} == expected
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTPS"} & set(env)


def test_nothing_of_a_request_is_left_in_the_next(kinds):
    server = kinds()
    with Connection(server.address) as c:
        c.request("/env?q", "POST", [("X-Secret", "1"), ("Content-Type", "a/b")], b"body")
        assert c.request("/change-env").body == b"changed"
        assert c.request("/overwrite").body == b"overwritten"
        env = c.request("/env").body.decode()
    assert "X_SECRET" not in env and "CONTENT_" not in env and "changed" not in env
    assert "PATH_INFO=/env\n" in env


REPLACES = r"""
sub {
    my $env = shift;
    if ($env->{PATH_INFO} eq '/replace') {
        my $key = join '_', 'HTTP', 'ACCEPT'; # not a constant, which would keep Perl's copy of it
        delete $env->{$key};
        $env->{sprintf 'HTTP_%06d', $env->{QUERY_STRING}} = 'x';
    }
    [200, [], [join ' ', map {"$_=$env->{$_}"} grep /^HTTP_/, sort keys %$env]];
};
"""


@pytest.mark.plain
def test_a_field_whose_memory_another_key_gets(instance):
    """Addresses do not tell what is in an environment: the next request must have its own field."""
    server = instance("psgi = app.psgi\ndisable-logging = yes", {"app.psgi": REPLACES})
    with Connection(server.address) as c:
        for i in range(1000):
            c.request(f"/replace?{i}", fields=[("Accept", "one"), ("Host", "h")])
            answer = c.request("/", fields=[("Accept", "two"), ("Host", "h")])
            assert answer.body == b"HTTP_ACCEPT=two HTTP_HOST=h"


@pytest.mark.parametrize("target, status, body", [
    ("/array", 200, b"one piece"), ("/empty", 200, b""), ("/pieces", 200, b"ab3"),
    ("/large", 200, b"x" * 40000 + b"y" * 40000), ("/latin", 200, b"\xe9"),
    ("/no-content", 204, b""),
    ("/file", 200, (PERL / "kinds.psgi").read_bytes()),
    ("/file-offset", 200, (PERL / "kinds.psgi").read_bytes()[7:]),
    ("/memory", 200, b"in memory"), ("/delayed", 200, b"later"), ("/stream", 200, b"abc"),
    ("/stream-open", 200, b"not closed"), ("/keep", 200, b"kept"), ("/many-headers", 200, b"h"),
    ("/die-caught", 200, b"caught"), ("/nowhere", 404, b"no such kind"),
])
def test_answers(kinds, target, status, body):
    with Connection(kinds().address) as c:
        for _ in range(3):
            answer = c.request(target)
            assert (answer.status, answer.body, answer.close) == (status, body, False)
        assert c.request(target, "HEAD").status == status
        assert c.request("/array").body == b"one piece"


@pytest.mark.parametrize("target, complaint", [
    ("/die", r"out of ideas at .*kinds\.psgi line \d+"), ("/die-object", "failure number 3"),
    ("/undef", ""), ("/hash", ""), ("/short", ""), ("/no-body", ""), ("/odd-headers", ""),
    ("/status-100", ""), ("/status-text", ""), ("/bad-header", ""), ("/silent", ""), ("/wide", ""),
])
def test_failures_are_500_with_a_reason(kinds, target, complaint):
    server = kinds()
    with Connection(server.address) as c:
        answer = c.request(target)
        assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
    server.wait_line(rf"\[app\.ini worker 1\] error: .*{complaint}")
    assert client.get(server.address, "/array").body == b"one piece"
    assert not server.log.find("worker 1 (exited|killed)")


def test_a_failure_in_a_stream_cuts_the_answer(kinds):
    server = kinds()
    with Connection(server.address) as c, pytest.raises(client.ProtocolError):
        c.request("/stream-dies")
    server.wait_line(r"\[app\.ini worker 1\] error: .*in the stream")


def test_exit_is_no_end_of_a_worker(kinds):
    server = kinds()
    worker = client.get(server.address, "/forked").body.split()[0]
    assert client.get(server.address, "/exit").status == 500
    assert client.get(server.address, "/forked").body.split()[0] == worker
    assert client.get(server.address, "/fork").body == b"7"


@pytest.mark.plain
@pytest.mark.parametrize("size", [0, 1, 1000, 70_000, 3_000_000])
def test_bodies(instance, size):
    server = instance("psgi = {folder}/app.psgi\npost-buffering = 64k", {"app.psgi": """
use strict; use warnings;
sub { my $env = shift; my $in = $env->{'psgi.input'}; my $all = '';
      while ($in->read(my $piece, 50_000)) { $all .= $piece }
      $in->seek(0, 0); $in->read(my $again, 10_000_000);
      die 'differs' if length $all && $again ne $all;
      [200, ['X-Length' => $env->{CONTENT_LENGTH} // 'none'], [$all]] };
"""})
    with Connection(server.address) as c:
        for _ in range(2):
            answer = c.request("/", "POST", body=pattern(size))
            assert (answer.body, answer.get("X-Length")) == (pattern(size), str(size))
            c.send(request_bytes("/", "POST", [("Transfer-Encoding", "chunked")]) +
                   chunked(pattern(size)))
            answer = c.response()
            assert (answer.body, answer.get("X-Length")) == (pattern(size), str(size))


def test_a_stream_reaches_the_client_as_it_is_written(instance, folder):
    server = instance("psgi = {folder}/app.psgi", {"app.psgi": """
use strict; use warnings; use IO::Socket::UNIX;
sub { my $env = shift; sub {
    my $writer = $_[0]->([200, []]);
    $writer->write("first\\n");
    my $s = IO::Socket::UNIX->new(Peer => $env->{QUERY_STRING}) or die $!;
    $s->syswrite("$$\\n");
    my $word = <$s>;
    $writer->write($word);
    $writer->close;
} };
"""})
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(request_bytes(f"/?{meeting.path}"))
        visitor = meeting.arrive()
        while c.line():
            pass
        assert c.line() == b"6" and c.exactly(6) == b"first\n"
        visitor.release("second")
        assert c.line() == b"" and c.line() == b"6" and c.exactly(6) == b"second"


def test_a_writer_learns_that_the_client_has_gone(instance, folder):
    server = instance("psgi = {folder}/app.psgi", {"app.psgi": """
use strict; use warnings; use IO::Socket::UNIX;
my $written;
sub { my $env = shift;
    return [200, [], [$written]] if $env->{PATH_INFO} eq '/written';
    sub {
        my $writer = $_[0]->([200, []]);
        my $s = IO::Socket::UNIX->new(Peer => $env->{QUERY_STRING}) or die $!;
        $s->syswrite("$$\\n");
        <$s>;
        for ($written = 0; $written < 1000; $written++) {
            last unless $writer->write('x' x 10_000);
        }
    }
};
"""})
    with Meeting(folder) as meeting:
        with Connection(server.address) as c:
            c.send(request_bytes(f"/?{meeting.path}"))
            visitor = meeting.arrive()
        visitor.release()
    assert int(client.get(server.address, "/written").body) < 1000


def test_cleanup_handlers_run_after_the_answer(kinds):
    server = kinds()
    with Connection(server.address) as c:
        assert c.request("/cleanup").body == b"will clean"
        assert c.request("/cleaned").body == b"/cleanup same, third"
    server.wait_line("error: .*cleanup failed")


def test_psgi_errors_and_the_logger(kinds):
    server = kinds()
    client.get(server.address, "/errors")
    server.wait_line(r"\[app\.ini worker 1\] .*half a line, and the rest$")
    server.wait_line(r"\[app\.ini worker 1\] .*number 5")
    client.get(server.address, "/logger")
    server.wait_line(r"\[app\.ini worker 1\] error: from the logger")


def test_the_package_liege(instance):
    server = instance("psgi = {folder}/app.psgi\nprocesses = 2\nmy = %(a)\nmy = 2\na = 1",
                      {"app.psgi": """
use strict; use warnings; no warnings 'once';
sub { liege::reload() if $_[0]{PATH_INFO} eq '/reload';
      [200, [], [join ' ', liege::worker_id(), uwsgi::worker_id(), uwsgi::masterpid(),
                 $uwsgi::opt{processes}, @{$uwsgi::opt{my}}]] };
"""})
    said = client.get(server.address).body.decode().split()
    assert said[0] == said[1] and said[0] in ("1", "2")
    assert said[2:] == [str(server.pid), "2", "1", "2"]
    assert client.get(server.address, "/reload").status == 200
    server.wait_line(r"reload: the application asked for it in worker [12]")
    server.wait_line(says.serving(2))


def test_workers_have_random_numbers_of_their_own(kinds):
    server = kinds("processes = 3")
    seen = {}
    while len(seen) < 3:
        with Connection(server.address) as c:
            worker = c.request("/forked").body.split()[0]
            seen[worker] = c.request("/random").body
    assert len(set(seen.values())) == 3


@pytest.mark.parametrize("app, complaint", [
    ("syntax-error", r"syntax-error\.psgi:5: syntax error"), ("no-module", "Can't locate "),
    ("dies", r"dies\.psgi:3: no configuration"),
    ("false", r"false\.psgi"), ("not-code", r"not-code\.psgi"), ("exits", r"exits\.psgi"),
])
@pytest.mark.parametrize("lazy", ["no", "yes"])
def test_what_cannot_be_loaded(instance, app, complaint, lazy):
    server = instance(f"psgi = {{apps}}/perl/{app}.psgi\nlazy-apps = {lazy}", wait=False)
    assert server.wait() == says.BOOT_ERROR
    assert server.log.find(f"error: cannot start: .*{complaint}"), server.log.text()


def test_both_languages_in_one_instance(instance):
    server = instance("mount = /perl={apps}/perl/hello.psgi\nmount = /python={apps}/python/web.py\n"
                      "processes = 2")
    with Connection(server.address) as c:
        for _ in range(50):
            assert c.request("/perl").body.startswith(b"hello from hello.psgi")
            assert c.request("/python/query?x").body == b"x"
            assert c.request("/python").body == b"hello\n"
    os.kill(proc.children(server.pid)[-1], signal.SIGKILL)
    server.wait_line("worker [12] killed by signal 9")
    for _ in range(20):
        assert client.get(server.address, "/perl").status == 200
    assert server.stop(signal.SIGQUIT) == 0


def test_many_clients_at_once(kinds):
    server = kinds("processes = 4")
    wrong = []

    def talk():
        with Connection(server.address) as c:
            for _ in range(50):
                for target, body in (("/stream", b"abc"), ("/array", b"one piece"),
                                     ("/large", b"x" * 40000 + b"y" * 40000)):
                    if c.request(target).body != body:
                        wrong.append(target)

    threads = [threading.Thread(target=talk) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
