# SPDX-License-Identifier: MIT
"""The Emperor's protocol, byte by byte: what each leads to, in the vassals that are shipped as examples
and in the Emperor, and what becomes of programs that know nothing of it."""
import os
import signal
import subprocess
import time

import pytest

from harness import address, client, proc, programs, stats
from harness.foreign import became, said, start_one

FOLDER = programs.EXAMPLES / "foreign-vassals"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The vassal in C."""
    program = tmp_path_factory.mktemp("clock") / "clock"
    subprocess.run(["gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program,
                    FOLDER / "c" / "clock.c"], check=True)
    return program


class Clock:
    """An Emperor with one of the examples as a.ini."""

    def __init__(self, server, vassals, language, at):
        self.server, self.vassals, self.language, self.at = server, vassals, language, at

    def configure(self, settings):
        self.vassals.write("a.ini", f"[clock]\nlisten = {self.at}\n{settings}")

    def entry(self):
        return stats.vassal(self.server.stats, "a.ini")

    def ask(self):
        answer = client.get(self.at)
        text, _, language = answer.body.decode().rstrip("\n").rpartition(" from ")
        assert (answer.status, language) == (200, self.language)
        return text


@pytest.fixture(params=["Python", "Perl", "C"])
def clock(request, emperor, vassals, free_address):
    """clock(*arguments, settings=): the Emperor, with the vassal being ready unless wait=False."""
    program = {"Python": lambda: FOLDER / "python" / "clock.py",
               "Perl": lambda: FOLDER / "perl" / "clock.pl",
               "C": lambda: request.getfixturevalue("compiled")}[request.param]()

    def run(*arguments, settings="format = first\n", wait=True):
        server = emperor("--binary-path", program, *arguments)
        c = Clock(server, vassals, request.param, free_address())
        c.configure(settings)
        if wait:
            became(server, "a.ini", "ready")
        return c
    return run


def wait_until(true):
    """Until @true() is."""
    deadline = time.monotonic() + programs.PATIENCE
    while not true():
        assert time.monotonic() < deadline
        os.sched_yield()


def connect(at):
    """A client that has sent its request, whoever reads it."""
    c = client.Connection(at)
    c.send(client.request_bytes())
    return c


def test_it_says_what_it_has_come_to(clock):
    """1 ready, 5 accepting, 26 heartbeat, 17 loyal."""
    c = clock()
    wait_until(lambda: c.entry()["accepting"] and c.entry()["last_heartbeat"])
    assert (c.entry()["ready"], c.entry()["loyal"]) == (1, 0)
    assert c.ask() == "first"
    wait_until(lambda: c.entry()["loyal"])


def test_new_settings_close_nothing(clock):
    """1 reload."""
    c = clock()
    pid, inode = c.entry()["pid"], proc.listening(c.entry()["pid"])[address.parse(c.at)]
    c.configure("format = second\n")
    became(c.server, "a.ini", "ready", count=2)
    assert c.ask() == "second"
    assert c.entry()["pid"] == pid and proc.listening(pid)[address.parse(c.at)] == inode


def test_wrong_settings_leave_the_old_ones(clock):
    c = clock()
    c.configure("heartbeat = often\n")
    became(c.server, "a.ini", "ready", count=2)
    c.server.wait_line("the old settings stay")
    assert c.ask() == "first"
    if c.language == "Python":  # which says it on the status channel
        c.server.wait_line(r"reload failed: a\.ini: .*often.*the old generation goes on serving")
        assert "often" in c.entry()["reason"]


def test_wrong_settings_at_the_start_are_final(clock):
    """Exit code 26."""
    c = clock(settings="heartbeat = often\n", wait=False)
    assert "exited with code 26" in became(c.server, "a.ini", "resting")
    c.configure("format = right\n")
    became(c.server, "a.ini", "ready")
    assert c.ask() == "right"


def test_it_ends_when_it_is_told_to(clock):
    """0 stop."""
    c = clock()
    c.vassals.remove("a.ini")
    assert "exited with code 0" in became(c.server, "a.ini", "gone")


def test_it_serves_who_waits_before_it_ends(clock):
    """2 stop gracefully."""
    c = clock("--emperor-graceful-shutdown")
    pid = c.entry()["pid"]
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: proc.state(pid) == "T")
    waiting = [connect(c.at) for _ in range(3)]
    c.vassals.remove("a.ini")
    became(c.server, "a.ini", "stopping")
    os.kill(pid, signal.SIGCONT)
    for w in waiting:
        with w:
            assert w.response().status == 200
    assert "exited with code 0" in became(c.server, "a.ini", "gone")


def test_it_says_where_it_is(clock):
    """116, after it has kept silent for too long and has not reloaded either."""
    c = clock("--emperor-required-heartbeat", "1", settings="heartbeat = 0.2\n")
    wait_until(lambda: c.entry()["last_heartbeat"])
    pid = c.entry()["pid"]
    os.kill(pid, signal.SIGSTOP)
    became(c.server, "a.ini", "reloading")
    became(c.server, "a.ini", "lost")
    os.kill(pid, signal.SIGCONT)
    c.server.wait_line({"Python": r'clock\.py", line \d+, in obey', "Perl": r"clock\.pl line \d+",
                        "C": r"/clock\(\+0x"}[c.language])
    became(c.server, "a.ini", "ready", count=2)
    assert c.entry()["pid"] != pid


def test_it_comes_with_a_connection_and_goes_when_it_is_idle(clock, vassals):
    """22, and a socket as descriptor 0."""
    c = clock("--emperor-on-demand-extension", ".at", settings="idle = 0.5\n", wait=False)
    became(c.server, "a.ini", "starting")  # its address is not there yet
    vassals.path("a.ini.at").write_text(c.at)
    vassals.touch("a.ini")
    became(c.server, "a.ini", "asleep")
    for n in (2, 3):
        assert c.ask()
        became(c.server, "a.ini", "retiring", count=n - 1)
        assert "exited with code 0" in became(c.server, "a.ini", "asleep", count=n)


def test_it_does_not_outlive_its_emperor(clock):
    c = clock()
    pid = c.entry()["pid"]
    c.server.kill(signal.SIGKILL)
    assert not proc.wait_gone([pid])


def test_the_examples_run_as_they_are(start, folder, compiled):
    """On the addresses that their README has."""
    server = start(FOLDER / "emperor.ini", "--emperor-stats", folder / "stats.sock",
                   "--emperor-wrapper-fallback", compiled, cwd=FOLDER / "vassals")
    became(server, "python.ini", "ready")
    became(server, "perl.ini", "asleep")
    became(server, "c.ini", "asleep")
    for port, language in (9091, "Python"), (9092, "Perl"), (9093, "C"):
        assert client.get(f"127.0.0.1:{port}").body.decode().endswith(f" from {language}\n")
    assert server.stop() == 0
    assert len(server.log.find("stopping -> gone, .* exited with code 0")) == 3


# What the Emperor makes of bytes

@pytest.mark.parametrize("byte, accepting, loyal", [(1, 0, 0), (5, 1, 0), (17, 0, 1)])
def test_bytes_that_end_a_start(govern, vassals, byte, accepting, loyal):
    vassals.write("a.ini", f"says {byte}\n")
    server = govern()
    became(server, "a.ini", "ready")
    entry = stats.vassal(server.stats, "a.ini")
    assert (entry["ready"], entry["accepting"], entry["loyal"]) == (1, accepting, loyal)
    last = {name: entry[f"last_{name}"] > 0 for name in ("ready", "accepting", "loyal")}
    assert last == {"ready": byte == 1, "accepting": byte == 5, "loyal": byte == 17}


def test_only_ready_ends_a_reload(govern, vassals):
    """The others may still come from what was there before."""
    server = govern()
    start_one(server, vassals)
    vassals.write("a.ini", "says 5 17 26\n")
    became(server, "a.ini", "reloading")
    wait_until(lambda: stats.vassal(server.stats, "a.ini")["last_heartbeat"])
    assert stats.vassal(server.stats, "a.ini")["state"] == "reloading"
    vassals.write("a.ini", "says 1\n")
    became(server, "a.ini", "ready", count=2)


def test_bytes_that_mean_nothing_are_passed_over(govern, vassals):
    """All but those that mean something, and those that need what is not there: 2 a configuration
    that is in no file, 30 an Emperor that sends reinforcement."""
    nothing = sorted(set(range(256)) - {1, 5, 17, 22, 26})
    vassals.write("a.ini", f"says {' '.join(map(str, nothing * 20))} 1\n")
    server = govern()
    after = server.log.mark()
    became(server, "a.ini", "ready")
    entry = stats.vassal(server.stats, "a.ini")
    assert (entry["accepting"], entry["loyal"], entry["last_heartbeat"]) == (0, 0, 0)
    assert len(server.log.find("vassal a.ini", after=after)) <= 3  # new, starting, ready
    assert [v["id"] for v in stats.read(server.stats)["vassals"]] == ["a.ini"]


def test_a_byte_that_asks_to_be_stopped(govern, vassals):
    vassals.write("a.ini", "says 1 22\n")
    server = govern()
    assert "asked to be stopped" in became(server, "a.ini", "retiring")
    assert said(server, "a.ini", "stop")["byte"] == 0
    became(server, "a.ini", "resting")


# Programs that know nothing of it

@pytest.fixture
def shell(emperor, folder):
    """shell(text, *arguments): an Emperor whose vassals are a shell script."""
    def run(text, *arguments):
        script = folder / "script"
        script.write_text(f"#!/bin/sh\n{text}")
        script.chmod(0o755)
        return emperor("--binary-path", script, *arguments)
    return run


def test_a_program_that_says_nothing_is_supervised(shell, vassals):
    server = shell("sleep 1000 &\nsleep 1000\n", "--emperor-curse-tolerance", "0.5")
    vassals.write("a.ini", "")
    became(server, "a.ini", "starting")
    wait_until(lambda: len(server.descendants()) == 3)
    entry = stats.vassal(server.stats, "a.ini")
    first = server.descendants()
    assert (entry["state"], entry["ready"]) == ("starting", 0) and entry["pid"] in first

    os.kill(entry["pid"], signal.SIGKILL)
    assert "killed by signal 9" in became(server, "a.ini", "backoff")
    assert not proc.wait_gone(first)
    server.kill(signal.SIGURG)  # it need not wait
    became(server, "a.ini", "starting", count=2)
    wait_until(lambda: len(server.descendants()) == 3)
    second = server.descendants()
    assert stats.vassal(server.stats, "a.ini")["respawns"] == 1

    vassals.touch("a.ini")
    became(server, "a.ini", "starting", count=3)
    assert not proc.wait_gone(second)
    wait_until(lambda: len(server.descendants()) == 3)
    third = server.descendants()
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    assert not proc.wait_gone(third)


def test_a_shell_script_can_be_ready(shell, vassals):
    server = shell("printf '\\001' >&$UWSGI_EMPEROR_FD\nexec cat <&$UWSGI_EMPEROR_FD >/dev/null\n",
                   "--emperor-curse-tolerance", "0.5")
    vassals.write("a.ini", "")
    became(server, "a.ini", "ready")
    pid = stats.vassal(server.stats, "a.ini")["pid"]
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    assert not proc.alive(pid)
