# SPDX-License-Identifier: MIT
"""Python and Perl in vassals that are forked from a base, by what their applications see: nothing of the
base but what it has loaded, and nothing that is another vassal's."""
import ast
import contextlib
import os

import pytest

from harness.base import FAILED, READY, SURROUNDINGS, Base, surroundings
from harness.client import get

RELOAD, STOP = 1, 0

PYTHON = """
import logging, os, random, secrets, ssl, sys, threading, urllib.parse, uuid
import liege

print("loading app.py", flush=True)
sys.stdout.write("half a line, ")
logging.basicConfig(filename="python.log", format="%(message)s", level=logging.INFO)
logging.info("loaded")
report = open("report", "w")
report.write("of the base\\n")
environ = os.environ
random.random()
forks = []
os.register_at_fork(after_in_child=lambda: forks.append(os.getpid()))
local = threading.local()


def application(environment, start_response):
    start_response("200 OK", [])
    return [repr(eval(urllib.parse.unquote(environment["QUERY_STRING"]))).encode()]
"""
OTHER = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"NAME"]
"""
PERL = r"""
use List::Util ();
print "loading app.psgi\n";
print 'half a line of Perl, ';
open our $report, '>', 'report.perl' or die;
print $report "of the base\n";
srand 42;
our @drawn = (rand, List::Util::shuffle(1 .. 20));
our $env = \%ENV;

sub {
    my $query = $_[0]{QUERY_STRING} =~ s/%([0-9A-F]{2})/chr hex $1/egr;
    my $value = eval $query;
    return [200, [], ["$value$@"]];
};
"""


@pytest.fixture
def stack():
    with contextlib.ExitStack() as found:
        yield found


@pytest.fixture
def base(folder, start, stack):
    """base(settings, **how) -> Base of app.py and app.psgi, of which vassals can be had"""
    def make(settings, **how):
        (folder / "app.py").write_text(PYTHON)
        (folder / "app.psgi").write_text(PERL)
        (folder / "base.ini").write_text(
            f"[liege]\nfork-server = {folder}/fork.socket\n{settings}\n")
        b = Base(stack, start, "--ini", "base.ini", cwd=folder, **how)
        b.wait_open()
        return b
    return make


class Vassal:
    def __init__(self, base, folder, name, settings="", parts=None):
        self.address = str(folder / f"{name}.socket")
        self.file = folder / f"{name}.ini"
        self.write(settings)
        self.process = base.adopt("--ini", self.file, parts=parts)

    def write(self, settings):
        self.file.write_text(f"[liege]\nhttp-socket = {self.address}\n{settings}\n")

    def serving(self):
        self.process.hear(READY)
        return self

    def failed(self):
        return self.process.hear(FAILED)[2]

    def reload(self):
        self.process.say(RELOAD)
        return self.serving()

    def stop(self):
        self.process.say(STOP)
        assert self.process.wait() == 0

    def ask(self, expression="", path="/"):
        quoted = "".join(f"%{ord(c):02X}" for c in expression)
        return get(self.address, f"{path}?{quoted}").body.decode()

    def value(self, expression):
        return ast.literal_eval(self.ask(expression))


@pytest.fixture
def vassal(folder):
    return lambda base, name="one", settings="", **how: Vassal(base, folder, name, settings, **how)


@pytest.mark.plain
def test_python_has_the_settings_and_surroundings_of_the_vassal(folder, base, vassal):
    (folder / "own").mkdir()
    b = base("early-wsgi = app.py\npyargv = of the base\nenv = OF_BASE=1\nprocesses = 1",
             env={"ALSO_OF_BASE": "1"})
    place = surroundings(folder / "own", {"HOME": "/h", "TZ": "XYZ-5"})
    v = vassal(b, settings="env = OF_VASSAL=café\npyargv = its own\nprocesses = 2\nthreads = 3",
               parts={SURROUNDINGS: place}).serving()
    os.close(place)
    found = v.value("dict(os.environ)")
    assert {k: found[k] for k in found if not k.startswith(("LIEGE_", "UWSGI_"))} == {
        "HOME": "/h", "TZ": "XYZ-5", "OF_VASSAL": "café"}
    assert v.value("os.environ is environ and os.environb[b'HOME'] == b'/h'")
    assert v.value("__import__('time').localtime(0).tm_hour") == 5
    assert v.value("sys.argv") == ["liege", "its", "own"]
    assert v.value("sys.path[0]") == str(folder / "own")
    assert sorted(v.value("liege.opt")) == ["http-socket", "processes", "pyargv", "threads"]
    assert v.value("liege.numproc") == 2
    assert v.value("environment['wsgi.multithread'], environment['wsgi.multiprocess']") == (True, True)


def test_perl_has_the_settings_and_surroundings_of_the_vassal(folder, base, vassal):
    (folder / "own").mkdir()
    (folder / "own" / "script.pl").write_text("$main::ran = \"@ARGV\";")
    b = base("early-psgi = app.psgi\nperl-arg = of the base\nperl-local-lib = of-base\nenv = OF_BASE=1\n"
             "perl-no-die-catch = yes", env={"ALSO_OF_BASE": "1"})
    place = surroundings(folder / "own", {"HOME": "/h"})
    v = vassal(b, settings="env = OF_VASSAL=1\nperl-arg = own\nperl-local-lib = lib\n"
                           "perl-exec = script.pl\nprocesses = 2", parts={SURROUNDINGS: place}).serving()
    os.close(place)
    assert v.ask("join ' ', map { qq($_=$ENV{$_}) } grep { !/^(LIEGE|UWSGI)_/ } sort keys %ENV") == (
        f"HOME=/h OF_VASSAL=1 PERL5LIB={folder}/own/lib/lib/perl5 PLACK_ENV=deployment PLACK_SERVER=liege")
    assert v.ask("$env == \\%ENV") == "1"
    assert v.ask("qq(@ARGV $main::ran)") == "own own"
    assert v.ask("$INC[0]") == f"{folder}/own/lib/lib/perl5"
    assert v.ask("join ' ', sort keys %liege::opt") == (
        "http-socket perl-arg perl-exec perl-local-lib processes")
    assert v.ask("$_[0]{'psgi.multiprocess'}") == "1"
    assert v.ask("ref $SIG{__DIE__}") == "CODE"


def test_a_reload_gives_them_what_is_in_the_file_then(base, vassal):
    b = base("early-wsgi = app.py\nearly-psgi = app.psgi")
    v = vassal(b, settings="env = A=1\npyargv = a").serving()
    v.write("env = B=2\npyargv = b")
    v.reload()
    assert v.value("os.environ.get('A'), os.environ['B'], sys.argv[1]") == (None, "2", "b")
    assert len(b.server.log.find("loading")) == 2


@pytest.mark.parametrize("settings, path, answer", [
    ("", "/", "app.py"),
    ("module = other", "/", "other"),
    ("mount = /x=other.py", "/x", "other"),
    ("mount = /x=other.py", "/", 404),
    ("", "/mounted", "app.py"),
    ("psgi = app.psgi", "/", "app.psgi"),
    ("early-wsgi = other", "/", "other"),
    ("mount = /x=of_base.py", "/x", "of_base"),
])
def test_it_serves_what_it_names_or_else_the_first_early_application(folder, base, vassal, settings, path,
                                                                   answer):
    for name in "other", "of_base":
        (folder / f"{name}.py").write_text(f"print('loading {name}', flush=True)\n"
                                           + OTHER.replace("NAME", name))
    b = base("early-wsgi = app.py\nearly-psgi = app.psgi\nmount = /mounted=of_base.py")
    v = vassal(b, settings=settings).serving()
    if answer == 404:
        assert get(v.address, path).status == 404
    elif answer == "app.py":
        assert v.ask("__file__", path) == repr(str(folder / "app.py"))
    elif answer == "app.psgi":
        assert v.ask("__FILE__ && $0", path) == str(folder / "app.psgi")
    else:
        assert v.ask(path=path) == answer
    assert len(b.server.log.find("loading of_base")) == 1


def test_it_starts_a_language_that_its_base_has_not(folder, base, vassal):
    b = base("early-psgi = app.psgi")
    v = vassal(b, settings="env = A=1\nmount = /python=app.py\nmount = /perl=app.psgi").serving()
    assert v.ask("os.environ['A'], sys.argv", "/python") == "('1', ['liege'])"
    assert v.ask("$ENV{A}", "/perl") == "1"
    assert len(b.server.log.find("loading app.psgi")) == 1


@pytest.mark.parametrize("of_base, of_vassal, reason", [
    ("optimize = 1", "optimize = 2", "optimize = 2, but the Python of the base vassal has 1"),
    ("", "no-site = yes", "no-site = yes, but the Python of the base vassal has imported it"),
    ("", "virtualenv = missing", "virtualenv missing: No such file"),
    ("early-psgi = app.psgi", "threads = 2", "threads: Perl answers one request at a time"),
])
def test_what_only_a_start_can_give_is_refused(base, vassal, of_base, of_vassal, reason):
    b = base(f"early-wsgi = app.py\n{of_base}")
    v = vassal(b, settings=of_vassal)
    assert reason in v.failed()
    vassal(b, "two").serving()


def test_a_module_that_is_another_one_here_is_refused(folder, base, vassal):
    (folder / "own").mkdir()
    (folder / "own" / "app.py").write_text(OTHER)
    b = base("early-wsgi = app")
    v = vassal(b, settings="chdir = own\nmodule = app")
    assert f"module app is {folder}/own/app.py here, but the base vassal has loaded {folder}/app.py" in (
        v.failed())
    v = vassal(b, "two", settings="chdir = own\nwsgi-file = app.py").serving()
    assert v.ask() == "NAME"


@pytest.mark.parametrize("option, name", [("py-auto-reload", "own.py"), ("perl-auto-reload", "own.psgi")])
def test_a_change_of_its_own_files_makes_it_reload(folder, base, vassal, option, name):
    b = base("early-wsgi = app.py\nearly-psgi = app.psgi")
    text = OTHER if name == "own.py" else "sub { [200, [], ['NAME']] };"
    (folder / name).write_text(text)
    v = vassal(b, settings=f"{option} = 1\nmount = /={name}").serving()
    assert v.ask() == "NAME"
    (folder / name).write_text(text.replace("NAME", "new"))
    v.serving()
    assert v.ask() == "new"
