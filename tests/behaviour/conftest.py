# SPDX-License-Identifier: MIT
"""Fixtures of the behaviour tests. A test asks for `start` (any program with any arguments), for
`instance` (a server with a configuration) or for `emperor` with `vassals`; everything it started is
stopped after it, and what was left behind or reported by a sanitizer fails it."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import tempfile

import pytest

from harness import address, foreign, proc, programs, says
from harness.ruler import Ruler
from harness.server import Registry, Server
from harness.vassals import Vassals


def pytest_configure(config):
    if not programs.LIEGE.exists():
        raise pytest.UsageError(f"{programs.LIEGE} does not exist: build first, or set LIEGE_BUILD")
    proc.adopt_orphans()


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("soak") and "soak" not in config.option.markexpr:
            item.add_marker(pytest.mark.skip(reason="takes minutes: ask for it with -m soak"))
        if item.get_closest_marker("needs_root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails shows what its servers logged until then."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for server in Registry.servers:
            report.sections.append((f"log of {server.process.args[0]} (pid {server.pid})",
                                    server.log.text()))


@pytest.fixture
def folder():
    """A private folder with a short path (UNIX sockets have 107 bytes for theirs), open to all
    users. It is removed afterwards."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="liege-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(folder):
    """start(*arguments, cwd=, env=, program=, wrapper=, limits=, pass_fds=) -> Server"""
    reports = folder / "reports"
    reports.mkdir()
    reports.chmod(0o1777)

    def start_server(*arguments, **kw):
        kw.setdefault("cwd", folder)
        return Registry.add(Server(arguments, reports, **kw))

    yield start_server
    problems = Registry.clean_up()
    if problems:
        pytest.fail("\n\n".join(
            f"{' '.join(map(str, s.process.args))}:\n" + "\n".join(p) + f"\nits log:\n{s.log.text()}"
            for s, p in problems), pytrace=False)


@pytest.fixture
def free_address():
    """free_address() -> "127.x.y.z:port", each time another one that nobody uses."""
    return address.free_address


@pytest.fixture
def kernel_ports():
    """kernel_ports(n) -> the first of n neighbouring ports that are free on 127.0.0.1, for programs
    that listen there and nowhere else."""
    def find(n):
        while True:
            with contextlib.ExitStack() as stack, contextlib.suppress(OSError, OverflowError):
                first = 0
                for i in range(n):
                    s = stack.enter_context(socket.socket())
                    s.bind(("127.0.0.1", first + i if first else 0))
                    first = first or s.getsockname()[1]
                return first
    return find


@pytest.fixture
def configure(folder):
    """configure(name, text, files) writes a configuration and the files {name: content} beside it;
    -> its path. "{folder}" and "{apps}" in the text stand for those folders."""
    def write(name, text, files=None):
        for file_name, content in (files or {}).items():
            target = folder / file_name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        path = folder / name
        path.write_text(text.replace("{folder}", str(folder)).replace("{apps}", str(programs.APPS)))
        return path
    return write


@pytest.fixture
def instance(start, configure, folder):
    """instance(settings, files=, arguments=, **kw): starts one instance with an INI file made of
    the lines @settings and, unless they name a socket, an HTTP socket of its own; waits until it
    serves. -> Server with .address and .config."""
    def start_instance(settings, files=None, arguments=(), wait=True, name="app.ini", **kw):
        where = folder / f"{name}.sock"
        text = "[liege]\n"
        if not re.search(r"^(https?-)?socket\s*=", settings, re.MULTILINE):
            text += f"http-socket = {where}\n"
        config = configure(name, text + settings + "\n", files)
        server = start(config, *arguments, **kw)
        server.config = config
        server.address = str(where)
        if wait:
            server.wait_line(says.serving())
        return server
    return start_instance


@pytest.fixture
def vassals(folder):
    directory = folder / "vassals"
    directory.mkdir()
    return Vassals(directory)


@pytest.fixture
def emperor(start, vassals, folder):
    """emperor(*arguments, **kw): starts an Emperor over `vassals`. -> Server with .stats, the
    address of its statistics."""
    def start_emperor(*arguments, monitor=None, **kw):
        stats = folder / "stats.sock"
        server = start("--emperor", monitor or vassals.directory, "--emperor-stats", stats,
                       *arguments, **kw)
        server.stats = str(stats)
        server.wait_line(says.EMPEROR_READY)
        return server
    return start_emperor



@pytest.fixture
def ruler():
    """The Emperor's end of what is said between it and a vassal."""
    with Ruler() as r:
        yield r


@pytest.fixture
def vassal(instance, ruler):
    """vassal(settings, **kw): an instance with apps/python/web.py under @ruler."""
    def run(settings, **kw):
        return instance(f"wsgi-file = {{apps}}/python/web.py\n{settings}",
                        **{**ruler.arguments(), **kw})
    return run


@pytest.fixture
def govern(emperor):
    """govern(*arguments, **kw): an Emperor whose vassals are apps/foreign/vassal."""
    def run(*arguments, **kw):
        return emperor("--binary-path", foreign.VASSAL, *arguments, **kw)
    return run
