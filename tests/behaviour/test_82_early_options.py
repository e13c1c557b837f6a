# SPDX-License-Identifier: MIT
"""What is loaded before anything else: the early options of both languages, in an instance by itself."""
import signal

import pytest

from harness import client, says

WSGI = """
print("loading NAME", flush=True)


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"NAME"]
"""
PSGI = """
print "loading NAME\\n";
sub { [200, [], ['NAME']] };
"""
FILES = {
    "one.py": WSGI.replace("NAME", "one.py"),
    "two.psgi": PSGI.replace("NAME", "two.psgi"),
    "three.pl": 'print "running three.pl\\n";',
    "four.pl": 'print "running four.pl\\n";',
    "shop/wsgi.py": WSGI.replace("NAME", "module shop.wsgi"),
    "six.wsgi": WSGI.replace("NAME", "file six.wsgi"),
    "folder/five.py": 'print("importing five", flush=True)',
}


def said(server):
    return server.log.find("loading|running|importing")


def ask(server, path="/"):
    return client.get(server.address, path).body.decode()


@pytest.mark.plain
def test_they_act_in_the_order_of_the_file_and_before_all_else(instance):
    server = instance("perl-exec = four.pl\nmodule = one\nearly-perl-exec = three.pl\n"
                      "early-python-path = folder\nearly-python-import = five\nearly-psgi = two.psgi\n"
                      "early-pyimport = one", FILES)
    assert said(server) == ["running three.pl", "importing five", "loading two.psgi", "loading one.py",
                            "running four.pl"]
    assert ask(server) == "one.py"


@pytest.mark.parametrize("settings, served", [
    ("early-psgi = two.psgi\nearly-wsgi = one", "two.psgi"),
    ("early-wsgi = one.py\nearly-psgi = two.psgi", "one.py"),
    ("early-wsgi = shop.wsgi\nearly-wsgi = six.wsgi", "module shop.wsgi"),
    ("early-wsgi = six.wsgi\nearly-wsgi = shop.wsgi", "file six.wsgi"),
])
def test_the_first_application_is_served_if_none_is_named(instance, settings, served):
    server = instance(settings, FILES)
    assert len(said(server)) == 2
    assert ask(server) == ask(server, "/below") == served


def test_what_is_named_is_served_and_nothing_else(instance):
    server = instance("early-wsgi = one\nmount = /two=two.psgi", FILES)
    assert ask(server, "/two") == "two.psgi"
    assert client.get(server.address, "/").status == 404


def test_what_has_been_loaded_is_not_loaded_again(instance):
    server = instance("early-wsgi = one\nearly-psgi = two.psgi\nmodule = one\nmount = /two=./two.psgi",
                      FILES)
    assert said(server) == ["loading one.py", "loading two.psgi"]
    assert (ask(server), ask(server, "/two")) == ("one.py", "two.psgi")


def test_perl_is_called_what_it_is_told(instance):
    server = instance("early-perl-exec = name.pl\nearly-psgi = app.psgi\nearly-perl = a name",
                      {"app.psgi": "sub { [200, [], [$0]] }", "name.pl": "1"})
    assert ask(server) == "a name"


def test_a_reload_loads_them_anew(instance, folder):
    server = instance("early-wsgi = one", FILES)
    (folder / "one.py").write_text(WSGI.replace("NAME", "another"))
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert ask(server) == "another"


@pytest.mark.parametrize("setting, complaint", [
    ("early-wsgi = wrong", r"wrong\.py:1: ZeroDivisionError"),
    ("early-pyimport = missing", "No module named 'missing'"),
    ("early-psgi = wrong.psgi", r"wrong\.psgi:1: it is wrong"),
    ("early-perl-exec = missing.pl", r"missing\.pl: No such file"),
])
def test_what_does_not_load_does_not_start(instance, setting, complaint):
    server = instance(f"module = one\n{setting}", {**FILES, "wrong.py": "1 / 0",
                                                   "wrong.psgi": "die 'it is wrong'"}, wait=False)
    assert server.wait() == 3
    server.wait_line(f"cannot start: .*{complaint}")


@pytest.mark.parametrize("setting", ["early-python = yes", "early-pyimport = one", "early-perl = x",
                                     "early-python = no"])
def test_a_language_alone_is_no_application(instance, setting):
    server = instance(setting, FILES, wait=False)
    assert server.wait() == 3
    server.wait_line("cannot start: there is no application")
