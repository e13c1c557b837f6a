# SPDX-License-Identifier: MIT
"""The configurations in the documentation are ones that liege takes, and those of pages about whole
arrangements do what the page says."""
import re

import pytest

from harness import client, programs
from harness.foreign import became

PAGES = [programs.ROOT / "README.md", *sorted((programs.ROOT / "docs").glob("*.md"))]


def examples(page):
    """The INI texts of a page, each as a whole configuration."""
    for text in re.findall(r"^```ini\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        if not re.search(r"^\[(liege|uwsgi)\]", text, re.MULTILINE):
            text = "[liege]\n" + text
            if re.search(r"^emperor-", text, re.MULTILINE):
                text += "emperor = /nowhere\n"
        yield text


def example(name, first):
    """The one of the page that has this line in it."""
    return next(text for text in examples(programs.ROOT / "docs" / name) if first in text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_configuration_is_valid(start, configure, page):
    for number, text in enumerate(examples(page)):
        path = configure(f"{page.stem}-{number}.ini", text)
        parts = re.findall(r"^\[vassal:(.*)\]", text, re.MULTILINE)
        for name in [f"{path}:{part}" for part in parts] or [path]:
            server = start("--check", "--strict", name)
            assert server.wait() == 0, server.log.text()


class Machine:
    """What the examples have in /etc, /run and /srv, below a folder: the applications shop and blog,
    which answer with their names."""

    def __init__(self, folder):
        self.folder = folder
        for place in "etc/liege/vassals", "run/sites", "srv/shop", "srv/blog":
            (folder / place).mkdir(parents=True)
        for name in "shop", "blog":
            (folder / "srv" / name / name).mkdir()
            code = ("def application(environ, start_response):\n    start_response('200 OK', [])\n"
                    f"    return [b'{name}']\n")
            (folder / "srv" / name / name / "__init__.py").touch()
            (folder / "srv" / name / name / "wsgi.py").write_text(code)
            (folder / "srv" / name / f"{name}.py").write_text(code)

    def write(self, place, text):
        target = self.folder / place
        target.write_text(re.sub(r"(?<![\w.%)])/(?=(etc|run|srv)/)", f"{self.folder}/", text))
        return target

    def ask(self, place):
        return client.get(self.folder / place).body


@pytest.fixture
def machine(folder):
    return Machine(folder)


def test_on_demand(machine, start):
    emperor = machine.write("emperor.ini", example("on-demand.md", "emperor = "))
    machine.write("etc/liege/vassals/shop.ini",
                  example("on-demand.md", "die-on-idle").replace("idle = 600", "idle = 0.3"))
    server = start(emperor)
    became(server, "shop.ini", "asleep")
    for n in 2, 3:
        assert machine.ask("run/sites/shop.socket") == b"shop"
        became(server, "shop.ini", "asleep", count=n)


def test_several_vassals_in_a_file(machine, start):
    machine.write("etc/liege/vassals/all.ini", example("emperor.md", "[vassal:shop]"))
    server = start("--emperor", machine.folder / "etc/liege/vassals")
    for name in "shop", "blog":
        became(server, f"all.ini:{name}", "ready")
        assert machine.ask(f"run/sites/{name}.sock") == name.encode()


def test_attributes(machine, start):
    machine.write("etc/liege/vassals/shop.ini", example("emperor.md", "owner = ann"))
    server = start("--emperor", machine.folder / "etc/liege/vassals", "--emperor-collect-attr",
                   "owner", "--emperor-chdir-attr", "home")
    became(server, "shop.ini", "ready")
    assert machine.ask("run/sites/shop.sock") == b"shop"
