# SPDX-License-Identifier: MIT
"""Emperors that are compared: liege's and uWSGI's, with the same vassals. These are either servers of
a small WSGI application, each Emperor's own, or bench/vassal, which costs next to nothing."""
import collections
import contextlib
import os
import pathlib
import re
import shutil
import socket
import tempfile
import time

from . import APPS, BenchError, peers
from harness import client, proc, stats

COMMANDS = {
    "liege": "{build}/liege --emperor {folder}/vassals",
    "uWSGI": "uwsgi-core --emperor {folder}/vassals",
}
PROGRAM = {"liege": "--binary-path", "uWSGI": "--emperor-wrapper"}
ON_DEMAND = ".at"  # a vassal with a file of its name and this ending sleeps at the address in it
SERVER = {
    "liege": "[liege]\nhttp-socket = {at}\nwsgi-file = {apps}/hello.py\nneed-app = true\n"
             "disable-logging = true\n",
    "uWSGI": "[uwsgi]\nhttp-socket = {at}\nwsgi-file = {apps}/hello.py\nneed-app = true\n"
             "disable-logging = true\nplugin = python3\nmaster = true\n",
}
LISTENS = 0x10000  # among the flags in /proc/net/unix


class Emperor:
    """An Emperor over a directory of its own; start() starts it. With @light its vassals are
    bench/vassal. @options are further arguments."""

    def __init__(self, name, build, light=False, options=()):
        self.name, self.build = name, build
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="liege-bench-"))
        for below in ("vassals", "new", "s"):
            (self.folder / below).mkdir()
        self.vassals, self.stats = self.folder / "vassals", str(self.folder / "stats")
        self.options = [*options, "--emperor-stats", self.stats,
                        "--emperor-on-demand-extension", ON_DEMAND]
        if light:
            self.options += [PROGRAM[name], build / "bench" / "vassal" / "vassal"]
        self.server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server:
            pids = self.server.pids()
            self.server.processes[0].kill()  # its vassals die with it
            proc.kill_all(pids)
            self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def socket(self, name):
        return str(self.folder / "s" / name)

    def add(self, name, text, at=None):
        """Puts a configuration there at once. With @at the vassal is on demand."""
        if at:
            (self.vassals / f"{name}.ini{ON_DEMAND}").write_text(at)
        new = self.folder / "new" / f"{name}.ini"
        new.write_text(text)
        new.rename(self.vassals / new.name)

    def add_server(self, name):
        """A vassal that serves a small application. -> where"""
        at = self.socket(name)
        self.add(name, SERVER[self.name].format(at=at, apps=APPS))
        return at

    def add_sleeper(self, name, text=""):
        """A vassal that is on demand. -> its socket"""
        at = self.socket(name)
        self.add(name, text, at)
        return at

    def start(self):
        """-> when that began"""
        command = COMMANDS[self.name].format(build=self.build, folder=self.folder).split()
        began = time.monotonic()
        self.server = peers.Server(self.name, self.build, command=[*command, *self.options])
        return began

    @property
    def pid(self):
        return self.server.pid

    def log(self, since=0):
        """What it and its vassals have written since it was @since bytes long."""
        fd = self.server.log.fileno()
        return os.pread(fd, os.fstat(fd).st_size, since).decode(errors="replace")

    def wait_light(self, n, limit):
        """Until @n of the vassals run and are ready."""
        def ready():
            return sum(bool(v["ready"]) for v in stats.read(self.stats)["vassals"]) >= n
        patiently(ready, limit, f"{self.name}: {n} vassals are not ready")


def patiently(ask, limit, complaint, pause=0.005):
    """Asks until there is an answer that is not false. -> it"""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            if found := ask():
                return found
        time.sleep(pause)
    raise BenchError(f"{complaint} after {limit:g} s")


def all_listen(addresses, limit):
    """Waits until somebody listens on each of these UNIX sockets, which are in one directory. Connects
    to none: that would start who sleeps. liege binds NAME.PID and renames that, which the kernel's
    list does not show."""
    wanted = set(addresses)
    directory = os.path.dirname(addresses[0])

    def listening():
        there = {os.path.join(directory, name) for name in os.listdir(directory)}
        lines = pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]
        fields = [line.split(maxsplit=7) for line in lines]
        return wanted <= there and wanted <= {re.sub(r"\.\d+$", "", f[7]) for f in fields
                                              if len(f) == 8 and int(f[3], 16) & LISTENS}
    patiently(listening, limit, f"of {len(wanted)} sockets some are not there")


def answers(at):
    """Whether the server at @at answers; waits for the answer, once there is a socket."""
    with contextlib.suppress(OSError, client.ProtocolError):
        return client.get(at).status == 200
    return False


def all_answer(addresses, limit):
    """Waits until each has answered. A socket that is there already answers when its application is
    loaded, so next to nothing is spent on asking again."""
    deadline = time.monotonic() + limit
    for n, at in enumerate(addresses):
        while not answers(at):
            if time.monotonic() > deadline:
                raise TooLate(n)
            time.sleep(0.002)


class TooLate(BenchError):
    """Only so many, .n, have answered in time."""

    def __init__(self, n):
        super().__init__(f"only {n} have answered in time")
        self.n = n


class Reports:
    """Where vassals of bench/vassal with "tell" send when they started or were told to reload."""

    def __init__(self, folder):
        self.path = str(pathlib.Path(folder) / "reports")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.seen = collections.Counter()  # reports of each vassal

    def next(self, name, limit=10):
        """When the vassal @name reports next, in seconds of CLOCK_MONOTONIC; waits for that. None:
        not within @limit seconds."""
        deadline = time.monotonic() + limit
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            with contextlib.suppress(TimeoutError):
                at, who = self.socket.recv(4096).decode().split(" ", 1)
                self.seen[who] += 1
                if who == name:
                    return int(at) / 1e6
        return None

    def drain(self):
        """Forgets what has been reported. -> how many reports that were"""
        self.socket.setblocking(False)
        n = 0
        with contextlib.suppress(BlockingIOError):
            while self.socket.recv(4096):
                n += 1
        return n


class Turns:
    """How often a process has come to run, from now on: one that makes a system call has run."""

    def __init__(self, pid):
        self.paths = list(pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))
        self.before = self._count()

    def _count(self):
        return sum(int(p.read_text().split()[2]) for p in self.paths)

    def taken(self):
        return self._count() - self.before
