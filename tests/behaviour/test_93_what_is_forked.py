# SPDX-License-Identifier: MIT
"""What a zygote forks, for its master or for the Emperor of a base: both come about in the same way, and
their applications find the same."""
import ast
import contextlib

import pytest

from harness import proc
from harness.base import READY, Base
from harness.client import get

PYTHON = """
import logging, os, random, secrets, signal, ssl, sys, threading, urllib.parse, uuid
import liege

sys.stdout.write("half a line, ")
logging.basicConfig(filename="python.log", format="%(message)s", level=logging.INFO)
logging.info("loaded")
report = open("report", "w")
report.write("of the zygote\\n")
random.random()
forks = []
os.register_at_fork(after_in_child=lambda: forks.append(os.getpid()))
local = threading.local()
local.here = "set"
caught = []
signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))


def application(environment, start_response):
    start_response("200 OK", [])
    return [repr(eval(urllib.parse.unquote(environment["QUERY_STRING"]))).encode()]
"""
PERL = r"""
use List::Util ();
print 'half a line of Perl, ';
open our $report, '>', 'report.perl' or die;
print $report "of the zygote\n";
srand 42;
our @drawn = (rand, List::Util::shuffle(1 .. 20));

sub {
    my $query = $_[0]{QUERY_STRING} =~ s/%([0-9A-F]{2})/chr hex $1/egr;
    my $value = eval $query;
    return [200, [], ["$value$@"]];
};
"""
# What each process draws for itself.
DRAWN = ("random.random()", "secrets.token_hex()", "uuid.uuid4()", "uuid.uuid1()", "ssl.RAND_bytes(16)",
         "os.urandom(16)")
MOUNTS = "mount = /python=app.py\nmount = /perl=app.psgi\n"
STOP = 0


class Forked:
    """One process that runs the applications, behind the socket at @address."""

    def __init__(self, address, pid, master):
        self.address, self.pid, self.master = address, pid, master

    def _ask(self, path, expression):
        quoted = "".join(f"%{ord(c):02X}" for c in expression)
        return get(self.address, f"{path}?{quoted}").body.decode()

    def python(self, expression):
        while True:
            pid, value = ast.literal_eval(self._ask(
                "/python", f"os.getpid(), ({expression}) if os.getpid() == {self.pid} else None"))
            if pid == self.pid:
                return value

    def perl(self, expression):
        while True:
            pid, _, value = self._ask(
                "/perl", f"$$ . ' ' . ($$ == {self.pid} ? do {{ {expression} }} : '')").partition(" ")
            if int(pid) == self.pid:
                return value


def workers_of(address, master, n):
    found = set()
    while len(found) < n:
        found.add(int(ast.literal_eval(get(address, "/python?os.getpid()").body.decode())))
    return [Forked(address, pid, master) for pid in sorted(found)]


class Zygote:
    """Of an instance whose workers are asked."""

    def __init__(self, instance, files):
        self._instance, self._files, self._server = instance, files, None

    def fork(self, n):
        self._server = self._instance(f"early-wsgi = app.py\nearly-psgi = app.psgi\n{MOUNTS}processes = {n}",
                                      self._files)
        return workers_of(self._server.address, self._server.pid, n)

    def stop(self):
        assert self._server.stop() == 0

    def log(self):
        return self._server.log.text()


class BaseZygote:
    """Of a base, from which vassals are forked that are asked."""

    def __init__(self, folder, start, stack):
        (folder / "base.ini").write_text(f"[liege]\nfork-server = {folder}/fork.socket\n"
                                         "early-wsgi = app.py\nearly-psgi = app.psgi\n")
        self._folder, self._vassals = folder, []
        self._base = Base(stack, start, "--ini", "base.ini", cwd=folder)
        self._base.wait_open()

    def fork(self, n):
        found = []
        for i in range(n):
            address = self._folder / f"{i}.socket"
            (self._folder / f"{i}.ini").write_text(f"[liege]\nhttp-socket = {address}\n{MOUNTS}")
            v = self._base.adopt("--ini", self._folder / f"{i}.ini")
            v.hear(READY)
            self._vassals.append(v)
            found += workers_of(str(address), v.pid, 1)
        return found

    def stop(self):
        for v in self._vassals:
            v.say(STOP)
            assert v.wait() == 0

    def log(self):
        return self._base.server.log.text()


@pytest.fixture(params=["worker", "vassal"])
def zygote(request, folder, start, instance):
    files = {"app.py": PYTHON, "app.psgi": PERL}
    if request.param == "worker":
        yield Zygote(instance, files)
        return
    for name, text in files.items():
        (folder / name).write_text(text)
    with contextlib.ExitStack() as stack:
        yield BaseZygote(folder, start, stack)


@pytest.mark.plain
def test_no_two_processes_draw_the_same_numbers(zygote):
    drawn = []
    for p in zygote.fork(3):
        drawn.append(p.python(f"[*map(str, ({', '.join(DRAWN)}))]")
                     + p.perl("join ' ', rand, join ',', List::Util::shuffle(1 .. 20)").split())
    for same in zip(*drawn):
        assert len(set(same)) == 3, same


def test_each_knows_who_it_is(zygote):
    for p in zygote.fork(2):
        assert p.python("[os.getppid(), threading.get_native_id(), threading.main_thread().native_id,"
                        " liege.masterpid(), forks[-1]]") == [p.master, p.pid, p.pid, p.master, p.pid]
        assert p.perl("join ' ', $$, getppid, liege::masterpid()") == f"{p.pid} {p.master} {p.master}"
        assert proc.parent(p.pid) == p.master


def test_what_was_set_when_it_was_loaded_is_set(zygote):
    for p in zygote.fork(2):
        assert p.python("local.here") == "set"
        assert p.python("os.kill(os.getpid(), signal.SIGUSR1) or caught and len(caught)") == 1


def test_what_was_written_when_it_was_loaded_is_written_once(zygote, folder):
    for p in zygote.fork(3):
        p.python("str(logging.info('forked') or report.flush() or print('whole'))")
        p.perl("$report->flush; print qq(whole\\n)")
    zygote.stop()
    assert (folder / "python.log").read_text() == "loaded\n" + "forked\n" * 3
    assert (folder / "report").read_text() == "of the zygote\n"
    assert (folder / "report.perl").read_text() == "of the zygote\n"
    text = zygote.log()
    assert text.count("half a line, ") == text.count("half a line of Perl, ") == 1
