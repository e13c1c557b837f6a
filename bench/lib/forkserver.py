# SPDX-License-Identifier: MIT
"""Emperors whose vassals are forked from a base vassal or, to compare, executed: liege's and uWSGI's,
which forks Perl only. And bases that are asked by this program instead of an Emperor."""
import contextlib
import functools
import os
import pathlib
import subprocess
import tempfile
import time

from . import BenchError, empire
from harness import base, proc, stats
from harness.ruler import ACCEPTING, STOP

BASE, PERL, PYTHON = "base.ini", "perl", "python"
SECTION = {"liege": "[liege]\n", "uWSGI": "[uwsgi]\nmaster = true\n"}
PLUGIN = {PERL: "plugin = psgi\n", PYTHON: "plugin = python3\n"}  # uWSGI's
EARLY = {PERL: "early-psgi = {app}\n", PYTHON: "early-pythonpath = {path}\nearly-wsgi = {app}\n"}
LOAD = {PERL: "psgi = {app}\n", PYTHON: "pythonpath = {path}\nmodule = {app}\n"}
SERVE = "http-socket = {at}\nprocesses = {workers}\nneed-app = true\ndisable-logging = true\n"
WARMUPS = 1  # requests that liege's base answers itself
REST_SECONDS, PAUSE = 2, 0.2
BASE_READY = f"vassal {BASE}: starting -> ready"


def uwsgi():
    return empire.COMMANDS["uWSGI"].split()[0]


def use_uwsgi(path):
    """@path is uWSGI's program from now on."""
    empire.COMMANDS["uWSGI"] = empire.COMMANDS["uWSGI"].replace(uwsgi(), path, 1)


def warm_up(n):
    """Bases answer @n requests from now on."""
    global WARMUPS
    WARMUPS = n


@functools.cache
def uwsgi_forks():
    text = subprocess.run([uwsgi(), "--help"], stdout=subprocess.PIPE, text=True).stdout
    return "--emperor-use-fork-server" in text


class App:
    """An application: @app in the folder @path."""

    def __init__(self, language, app, path=None):
        self.language, self.values = language, {"app": app, "path": path}

    def text(self, table):
        return table[self.language].format(**self.values)


class Way:
    """How a server's vassals come to be: "liege", "uWSGI" fork them, "liege exec", "uWSGI exec" do
    not."""

    def __init__(self, name):
        self.name = name
        self.server, _, how = name.partition(" ")
        self.forks = how != "exec"

    def can(self, app):
        return not self.forks or self.server == "liege" or app.language == PERL

    def check(self):
        """Whether the server that is installed can do it: uWSGI 2.0 has no fork server, 2.1 has."""
        if self.forks and self.server == "uWSGI" and not uwsgi_forks():
            raise BenchError("it has no fork server")

    def _begin(self, app):
        return SECTION[self.server] + (PLUGIN[app.language] if self.server == "uWSGI" else "")

    def base(self, app, address):
        warm = "warmup = /\n" * WARMUPS if self.server == "liege" else ""
        return f"{self._begin(app)}{app.text(EARLY)}{warm}fork-server = {address}\n"

    def vassal(self, app, at, workers=1):
        load = "" if self.forks else app.text(LOAD)
        return self._begin(app) + load + SERVE.format(at=at, workers=workers)


class Emperor(empire.Emperor):
    """One whose vassals serve @app. All, the base too, have @settings as well."""

    def __init__(self, way, app, build, options=(), settings=""):
        self.way, self.app, self.settings = Way(way), app, settings
        self.way.check()
        super().__init__(self.way.server, build, options=options)
        self.address = self.socket("fork-server")
        if self.way.forks:
            self.options += ["--emperor-use-fork-server", self.address, "--vassal-fork-base", BASE]

    def add_base(self):
        if self.way.forks:
            self.add("base", self.way.base(self.app, self.address) + self.settings)

    def add_served(self, name, workers=1):
        """-> where"""
        at = self.socket(name)
        self.add(name, self.way.vassal(self.app, at, workers) + self.settings)
        return at

    def wait_base(self, limit):
        """Until vassals can be forked. -> when that was"""
        if self.name == "liege":
            empire.patiently(lambda: BASE_READY in self.log(), limit, "the base is not ready",
                             pause=0.0005)
        else:
            empire.all_listen([self.address], limit)
        return time.monotonic()

    def base_pid(self):
        return stats.vassal(self.stats, BASE)["pid"]

    def wait_another_base(self, before, limit):
        """Until another process than @before is the base, and listens."""
        empire.patiently(lambda: self.base_pid() not in (-1, before), limit,
                         "the base is not replaced")
        empire.all_listen([self.address], limit)

    def pss(self):
        """Of all its vassals, the base included, in bytes."""
        return sum(memory(proc.descendants(self.pid)))

    def pss_at_rest(self):
        """The same, when nobody has asked for so long that it does not fall any more."""
        lowest, since = self.pss(), time.monotonic()
        while time.monotonic() - since < REST_SECONDS:
            time.sleep(PAUSE)
            now = self.pss()
            if now < 0.99 * lowest:
                lowest, since = now, time.monotonic()
        return lowest


def memory(pids):
    """The proportional set size of each of @pids that is still there."""
    for pid in pids:
        try:
            yield proc.memory(pid)["Pss"]
        except (OSError, KeyError):
            pass


class Base(base.Base):
    """A base whose parent is this process, which asks it for vassals as an Emperor does."""

    def __init__(self, way, app, build):
        self.way, self.app = Way(way), app
        self.way.check()
        self.folder = tempfile.TemporaryDirectory(prefix="liege-bench-")
        self.socket, self.log = self.path("fork-server"), tempfile.TemporaryFile()
        program = {"liege": build / "liege-instance", "uWSGI": uwsgi()}[self.way.server]
        config = self.write("base.ini", self.way.base(app, self.socket))
        super().__init__(contextlib.ExitStack(), self._start, program, "--ini", config)

    def _start(self, *command, env, **kw):
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                stderr=self.log, env={**os.environ, **env}, **kw)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.kill()
        proc.kill_all(proc.descendants(self.server.pid))
        self.server.wait()
        self.stack.close()
        self.log.close()
        self.folder.cleanup()

    def path(self, name):
        return pathlib.Path(self.folder.name) / name

    def write(self, name, text):
        self.path(name).write_text(text)
        return self.path(name)

    def wait(self, limit):
        """Until vassals can be forked. uWSGI's says nothing to its Emperor."""
        if self.way.server == "uWSGI":
            empire.all_listen([str(self.socket)], limit)
            self.address = str(self.socket)
            return self
        try:
            self.wait_open()
        except AssertionError:
            self.log.seek(0)
            last = self.log.read().decode(errors="replace").rpartition("error: ")[2].strip()
            raise BenchError(f"the base is not ready: {last[-60:]}") from None
        return self

    def pids(self):
        return [self.server.pid, *proc.descendants(self.server.pid)]

    def warm(self):
        """The process that vassals are forked from: the one that has most memory."""
        return max(self.pids(), key=lambda pid: proc.memory(pid)["Rss"])

    def spawn(self):
        """Has a vassal forked, waits until it accepts requests, and ends it. -> the seconds that
        took"""
        config = self.write("vassal.ini", self.way.vassal(self.app, self.path("at")))
        kept, self.stack = self.stack, contextlib.ExitStack()
        with self.stack:
            began = time.monotonic()
            vassal = self.adopt("--ini", config, status=False)
            while (said := vassal.pipe.recv(1)) != bytes([ACCEPTING]):
                if not said:
                    raise BenchError("a vassal does not start")
            seconds = time.monotonic() - began
            vassal.say(STOP)
            vassal.wait()
        self.stack = kept
        return seconds
