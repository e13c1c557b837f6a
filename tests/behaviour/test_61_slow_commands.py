# SPDX-License-Identifier: MIT
"""What happens to a vassal while the command of emperor-on-demand-exec has not answered yet, and while
it waits for another socket."""
import json
import os
import signal
import socket

import pytest

from harness import says, stats
from harness.foreign import became, said, start_one
from harness.programs import PATIENCE

SCRIPT = """#!/bin/sh
echo "asked $1" >&2
[ ! -e {folder}/slow ] || read -r line < {folder}/gate
[ ! -e "$1.at" ] || cat "$1.at"
"""


class Answers:
    """Whether the command answers at once, or when it is told to."""

    def __init__(self, folder):
        self.slow, self.gate = folder / "slow", folder / "gate"
        os.mkfifo(self.gate)
        self.fd = os.open(self.gate, os.O_RDWR)  # what is written waits for its reader

    def wait(self):
        self.slow.touch()

    def come(self):
        self.slow.unlink()
        os.write(self.fd, b"\n")


@pytest.fixture
def answers(folder):
    (folder / "where").write_text(SCRIPT.format(folder=folder))
    (folder / "where").chmod(0o755)
    made = Answers(folder)
    yield made
    os.close(made.fd)


@pytest.fixture
def slow(govern, folder, answers):
    """An Emperor that asks such a command."""
    return govern("--emperor-on-demand-exec", folder / "where", "--emperor-control",
                  folder / "control", "--emperor-max-throttle", 100, "--emperor-curse-tolerance", 0.3)


@pytest.fixture
def order(folder):
    """order(command, wait=): of an operator, for a.ini. -> the file that the answer is read from"""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE)

        def run(command, wait=True):
            s.connect(str(folder / "control"))
            request = {"v": 1, "command": command, "vassal": "a.ini", "wait": wait}
            s.sendall(json.dumps(request).encode() + b"\n")
            return s.makefile()
        yield run


def asked(server, count):
    server.wait_line(r"^asked a\.ini", count=count)


def place(vassals, folder, name="x"):
    vassals.path("a.ini.at").write_text(f"{folder}/{name}\n")


def test_a_new_vassal_that_is_touched_meanwhile_is_started(slow, vassals, answers):
    answers.wait()
    vassals.write("a.ini", "loyal\n")
    asked(slow, 1)
    vassals.touch("a.ini")
    asked(slow, 2)
    slow.kill(signal.SIGHUP)
    asked(slow, 3)
    answers.come()
    became(slow, "a.ini", "ready")


def test_one_whose_file_is_back_before_it_has_ended_is_started_again(slow, vassals, answers):
    start_one(slow, vassals, text="loyal\ndeaf\n")
    answers.wait()
    vassals.remove("a.ini")
    said(slow, "a.ini", "stop")
    vassals.write("a.ini", "loyal\n")
    asked(slow, 2)
    said(slow, "a.ini", "started", count=2)  # when it was killed
    answers.come()
    became(slow, "a.ini", "ready", count=2)
    vassals.touch("a.ini")
    said(slow, "a.ini", "reloaded")


def test_one_whose_file_goes_again_meanwhile_is_not_started(slow, vassals, answers):
    start_one(slow, vassals, text="loyal\ndeaf\n")
    answers.wait()
    vassals.remove("a.ini")
    said(slow, "a.ini", "stop")
    vassals.write("a.ini", "loyal\n")
    asked(slow, 2)
    vassals.remove("a.ini")
    became(slow, "a.ini", "gone")
    assert slow.log.find('"event": "started"')[1:] == []


def test_the_end_of_the_emperor_is_the_end_of_the_question(slow, vassals, answers):
    start_one(slow, vassals, text="loyal\ndeaf\n")
    answers.wait()
    vassals.remove("a.ini")
    said(slow, "a.ini", "stop")
    vassals.write("a.ini", "loyal\n")
    asked(slow, 2)
    slow.kill(signal.SIGTERM)
    slow.kill(signal.SIGHUP)
    assert slow.wait() == 0
    assert slow.log.find('"event": "started"')[1:] == []


def test_an_operator_who_waits_hears_that_it_is_gone(slow, vassals, folder, answers, order):
    place(vassals, folder)
    vassals.write("a.ini", "loyal\n")
    became(slow, "a.ini", "asleep")
    answers.wait()
    with order("reload") as answer:
        asked(slow, 2)
        vassals.remove("a.ini")
        became(slow, "a.ini", "gone")
        assert json.loads(answer.readline())["state"] == "gone"


def test_an_operator_who_stops_it_hears_that_it_is_held(slow, vassals, answers, order):
    start_one(slow, vassals)
    answers.wait()
    vassals.touch("a.ini")
    asked(slow, 2)
    with order("stop") as answer:
        became(slow, "a.ini", "held")
        answers.come()
        assert json.loads(answer.readline()) | {"reason": ""} == {
            "v": 1, "vassal": "a.ini", "done": True, "state": "held", "reason": ""}


def test_what_an_operator_starts_is_started_if_it_is_touched_meanwhile(slow, vassals, answers, order):
    start_one(slow, vassals)
    with order("stop") as answer:
        assert json.loads(answer.readline())["done"]
    answers.wait()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(answers.slow.parent / "control"))
        s.sendall(b'{"v": 1, "command": "start", "vassal": "a.ini"}\n')
        asked(slow, 2)
    vassals.touch("a.ini")
    asked(slow, 3)
    answers.come()
    became(slow, "a.ini", "ready", count=2)


def test_a_socket_that_changes_while_it_is_called_is_changed(slow, vassals, folder, answers):
    place(vassals, folder, "x")
    vassals.write("a.ini", "loyal\n")
    became(slow, "a.ini", "asleep")
    answers.wait()
    place(vassals, folder, "y")
    vassals.touch("a.ini")
    asked(slow, 2)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{folder}/x")
        became(slow, "a.ini", "ready")
        answers.come()
        became(slow, "a.ini", "asleep", count=2)
    assert stats.vassal(slow.stats, "a.ini")["on_demand"] == f"{folder}/y"


def upgrade(server):
    server.kill(signal.SIGUSR2)
    server.wait_line(says.EMPEROR_READY, count=2)


def test_an_upgrade_asks_again_before_a_reload(slow, vassals, answers):
    start_one(slow, vassals)
    answers.wait()
    vassals.touch("a.ini")
    asked(slow, 2)
    upgrade(slow)
    asked(slow, 3)
    answers.come()
    said(slow, "a.ini", "reloaded")


def test_an_upgrade_asks_again_before_a_start(slow, vassals, answers):
    vassals.write("a.ini", "exit 1\n")
    became(slow, "a.ini", "backoff")
    answers.wait()
    mark = slow.log.mark()
    slow.wait_line("^asked", after=mark)
    mark = slow.log.mark()
    upgrade(slow)
    slow.wait_line("^asked", after=mark)
    answers.come()
    said(slow, "a.ini", "started", after=mark)


def test_an_upgrade_keeps_what_an_operator_wants(slow, vassals, answers, order):
    start_one(slow, vassals)
    with order("stop") as answer:
        assert json.loads(answer.readline())["done"]
    answers.wait()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(answers.slow.parent / "control"))
        s.sendall(b'{"v": 1, "command": "start", "vassal": "a.ini"}\n')
        asked(slow, 2)
    upgrade(slow)
    asked(slow, 3)
    answers.come()
    became(slow, "a.ini", "ready", count=2)


def test_an_upgrade_keeps_the_socket_that_it_gets_next(slow, vassals, folder):
    start_one(slow, vassals, text="loyal\ndeaf\n")
    place(vassals, folder)
    vassals.touch("a.ini")
    said(slow, "a.ini", "stop")
    os.kill(slow.pid, signal.SIGSTOP)
    slow.kill(signal.SIGUSR2)
    os.kill(slow.pid, signal.SIGCONT)
    became(slow, "a.ini", "asleep")
    assert stats.vassal(slow.stats, "a.ini")["on_demand"] == f"{folder}/x"
    slow.wait_line(says.EMPEROR_READY, count=2)


def test_a_socket_that_cannot_be_had_keeps_nobody_from_going(slow, vassals, folder):
    """The other one has it."""
    place(vassals, folder)
    vassals.path("b.ini.at").write_text(f"{folder}/y\n")
    vassals.write("a.ini", "loyal\n")
    became(slow, "a.ini", "asleep")
    vassals.write("b.ini", "loyal\ndeaf\n")
    became(slow, "b.ini", "asleep")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{folder}/y")
        became(slow, "b.ini", "ready")
    vassals.path("b.ini.at").write_text(f"{folder}/x\n")
    vassals.touch("b.ini")
    said(slow, "b.ini", "stop")
    vassals.remove("b.ini")
    became(slow, "b.ini", "gone")
    assert slow.stop() == 0
