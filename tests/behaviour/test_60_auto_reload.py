# SPDX-License-Identifier: MIT
"""For development: a change of a file that code was loaded from makes a reload."""
import pathlib

import pytest

from harness import client, says

APP = """
import sys

sys.path.insert(0, ".")
import part


def application(environ, start_response):
    if environ["PATH_INFO"] == "/late":
        import late
        text = late.TEXT
    else:
        text = part.TEXT
    start_response("200 OK", [])
    return [text.encode()]
"""
FILES = {"app.py": APP, "part.py": "TEXT = 'one'\n", "late.py": "TEXT = 'late one'\n"}
PSGI = """
use lib '.';
use Part;
sub { [200, [], [Part::text()]] };
"""


def change(path, old, new):
    new_file = pathlib.Path(f"{path}.new")
    new_file.write_text(path.read_text().replace(old, new))
    new_file.rename(path)


@pytest.mark.plain
@pytest.mark.parametrize("settings", ["", "lazy-apps = yes\n", "processes = 3\n"])
def test_a_python_module_that_changes(instance, folder, settings):
    server = instance(f"{settings}wsgi-file = app.py\npy-auto-reload = 1", FILES)
    assert client.get(server.address).body == b"one"
    change(folder / "part.py", "one", "two and more")
    server.wait_line(r"reload: /\S+/part\.py has changed")
    server.wait_line(says.serving(2))
    assert client.get(server.address).body == b"two and more"
    change(folder / "app.py", "text.encode()", "text.upper().encode()")
    server.wait_line(r"reload: /\S+/app\.py has changed")
    server.wait_line(says.serving(3))
    assert client.get(server.address).body == b"TWO AND MORE"


def test_a_module_that_a_request_imports(instance, folder):
    server = instance("module = app\npy-autoreload = 3", FILES)
    assert client.get(server.address, "/late").body == b"late one"
    assert client.get(server.address, "/late").body == b"late one"
    change(folder / "late.py", "one", "two")
    server.wait_line(r"reload: /\S+/late\.py has changed")
    server.wait_line(says.serving(2))
    assert client.get(server.address, "/late").body == b"late two"


def test_a_mistake_and_its_correction(instance, folder):
    server = instance("module = app\npy-auto-reload = 1", FILES)
    change(folder / "part.py", "TEXT =", "TEXT")
    server.wait_line("reload failed, the old generation goes on serving: .*SyntaxError")
    assert client.get(server.address).body == b"one"
    change(folder / "part.py", "TEXT 'one'", "TEXT = 'three'")
    server.wait_line(says.serving(3))
    assert client.get(server.address).body == b"three"


@pytest.mark.plain
def test_a_perl_module_that_changes(instance, folder):
    server = instance("psgi = app.psgi\nperl-auto-reload = 1",
                      {"app.psgi": PSGI, "Part.pm": "package Part; sub text { 'one' } 1;\n"})
    assert client.get(server.address).body == b"one"
    change(folder / "Part.pm", "one", "two")
    server.wait_line(r"reload: /\S+/Part\.pm has changed")
    server.wait_line(says.serving(2))
    assert client.get(server.address).body == b"two"
    change(folder / "app.psgi", "200", "201")
    server.wait_line(r"reload: /\S+/app\.psgi has changed")
    server.wait_line(says.serving(3))
    assert client.get(server.address).status == 201


def test_it_is_off_unless_it_is_wanted(instance, folder):
    server = instance("module = app\npy-auto-reload = 0\ntouch-reload = {folder}/trigger", FILES)
    change(folder / "part.py", "one", "two")
    (folder / "trigger").touch()
    server.wait_line(says.serving(2))
    assert not server.log.find("has changed")
