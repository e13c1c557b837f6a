# SPDX-License-Identifier: MIT
"""Random events, one after another and several at once, and after each what all vassals are beside
what a model of them says. Everything follows from a number that is printed with the events when the
two differ: LIEGE_MODEL_SEED=N runs it again."""
import collections
import json
import os
import random
import signal
import socket
import time

import pytest

from harness import proc, stats
from harness.programs import PATIENCE
from harness.vassal_model import RUNS, Model

NAMES = ["a.ini", "b.ini", "c.ini", "d.ini", "e.ini", "f.ini"]
FENCE = "z.ini"  # is touched after the files of others, so it is told of after them
SAID = '{"vassal": '
LOOPS = {"waiting", "starting", "backoff", "ready", "lost", "reloading", "retiring", "asleep",
         "restarting", "outdated"}
STATES = {"up": {"ready"}, "absent": {None}, "looping": LOOPS}
SETTLED = r"\[emperor\] \d+ vassals$"
OPTIONS = ("--emperor-throttle", 1, "--emperor-max-throttle", 50, "--emperor-curse-tolerance", 0.5,
           "--emperor-required-heartbeat", 0.5, "--emperor-start-timeout", 0, "--emperor-log-direct")

# How often each comes, in a hundred; many do nothing unusual, so that the others meet something.
TEXTS = {
    "loyal": 20, "": 10, "loyal\nserve 1": 20, "loyal\nserve 3": 10, "serve 2": 5, "die 1": 6,
    "loyal\ndeaf": 4, "exit 26": 6, "exit 1": 3, "exit 0": 3, "retire": 5, "loyal\nretire": 3,
    "unready": 4, "hang-up": 2, "loyal\nbeats 1": 2, "loyal\nkept for good": 4, "loyal\nquit 0": 3,
    "quit 1": 3, "loyal\nquit 26": 4, "loyal\nchild": 3,
}


def words_of(text):
    return {word: rest for word, _, rest in (line.partition(" ") for line in text.splitlines())}


class Told:
    """What the vassals say, counted as it comes."""

    def __init__(self, log):
        self.log = log
        self.position = 0
        self.counts = collections.defaultdict(collections.Counter)
        self.read = {}  # name -> (pid, words) of its last configuration

    def update(self):
        lines = self.log.lines[self.position:]
        self.position += len(lines)
        for line in lines:
            if not line.startswith(SAID):
                continue
            said = json.loads(line)
            self.counts[said["vassal"]][said["event"]] += 1
            if "words" in said:
                self.read[said["vassal"]] = said["pid"], said["words"]


class Trial:
    def __init__(self, server, vassals, folder, seed, commands):
        self.server, self.vassals, self.folder, self.seed = server, vassals, folder, seed
        self.commands = commands  # tell where vassals listen
        self.random = random.Random(seed)
        self.told = Told(server.log)
        self.models = {name: Model(name) for name in [*NAMES, FENCE]}
        self.calls = collections.defaultdict(collections.deque)
        self.killed = set()
        self.history = []
        self.serial = 0
        self.settle(fence=True)

    # Files

    def _write(self, m, text, in_place=False):
        self.serial += 1
        text = f"{text}\nn {self.serial}\n".lstrip("\n")
        if in_place:
            self.vassals.path(m.name).write_text(text)
        else:
            self.vassals.write(m.name, text)
        return words_of(text)

    def _choose_text(self, quits=True):
        texts = [t for t in TEXTS if quits or "quit" not in t]
        return self.random.choices(texts, [TEXTS[t] for t in texts])[0]

    def _is_there(self, m):
        return self.vassals.path(m.name).exists()

    def change(self, m):
        """-> its words then"""
        in_place = self.random.random() < 0.3
        return self._write(m, self._text_for(m), in_place)

    def _text_for(self, m):
        """One that loops may start with a text before it is told to load it."""
        return self._choose_text(quits=m.state != "looping")

    def _place(self, m):
        """Where it listens from now on: it, nobody else, or nowhere."""
        at = self.vassals.path(m.name + ".at")
        m.place = self.random.choice([None, f"{self.folder}/{m.name}.1", f"{self.folder}/{m.name}.2"])
        if m.place:
            at.write_text(m.place + "\n")
        else:
            at.unlink(missing_ok=True)

    # Single events: each does it, and tells the model

    def do_write(self, m):
        m.write(self.change(m))

    def do_move(self, m):
        self._place(m)
        m.write(self._write(m, self._choose_text()) if m.state == "absent" else self._touch(m))

    def _touch(self, m):
        self.vassals.touch(m.name)
        return m.words

    def do_touch(self, m):
        if m.state != "absent":
            m.write(self._touch(m))

    def do_remove(self, m):
        if m.state != "absent":
            self.vassals.remove(m.name)
            m.remove()

    def do_kill(self, m):
        if m.state in RUNS:
            self._kill(m)
            m.kill()

    def _kill(self, m):
        pid = self.told.read[m.name][0]
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def do_call(self, m):
        if m.socket:
            self._call(m)
            m.call()

    def _call(self, m):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(PATIENCE)
        s.connect(m.socket)
        s.sendall(b"?")
        self.calls[m.name].append(s)

    def _order(self, m, command, expected):
        if m.state == "absent":
            return
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(f"{self.folder}/control.sock")
            s.sendall(json.dumps({"v": 1, "command": command, "vassal": m.name}).encode() + b"\n")
            answer = json.loads(s.makefile().readline())
        wanted = expected()
        assert wanted is None or answer["done"] == wanted, answer

    def do_halt(self, m):
        self._order(m, "stop", m.halt)

    def do_resume(self, m):
        self._order(m, "start", m.resume)

    def do_order(self, m):
        self._order(m, "reload", m.reload)

    def do_hup(self, m):
        self.server.kill(signal.SIGHUP)
        for each in self.models.values():
            each.reload()
            each.exact &= not self.commands  # a touch may come before the answer

    def do_urg(self, m):
        self.server.kill(signal.SIGURG)

    def do_upgrade(self, m):
        after = self.server.log.mark()
        self.server.kill(signal.SIGUSR2)
        self.server.wait_line("the upgrade is done", after=after)
        self.server.wait_line("the Emperor is there", after=after)
        assert self.server.log.find("the upgrade failed", after=after) == []

    def do_again(self, m):
        """As some editors save a file."""
        if m.state == "absent":
            return
        with self.stopped():
            self.vassals.remove(m.name)
            words = self._write(m, self._text_for(m))
        m.write(words)

    def do_nothing_new(self, m):
        """It comes and goes unseen."""
        if m.state == "absent":
            with self.stopped():
                self._write(m, "loyal")
                self.vassals.remove(m.name)

    # Several at once, in an order that is the Emperor's choice

    def stopped(self):
        return Stopped(self.server.pid)

    def burst(self):
        if any("quit" in m.words for m in self.models.values()):
            return  # what it does depends on how often it is told
        rounds = self.random.sample(NAMES, self.random.randint(2, 4))
        signals = [s for s in (signal.SIGHUP, signal.SIGURG, signal.SIGUSR2)
                   if self.random.random() < 0.3]
        after = self.server.log.mark()
        self.history.append(f"at once: {signals}")
        with self.stopped():
            for name in rounds:
                self._one_of_many(self.models[name])
            for s in signals:
                self.server.kill(s)
        if signal.SIGHUP in signals:
            for m in self.models.values():
                m.reload()
        if signal.SIGUSR2 in signals:
            self.server.wait_line("the upgrade is done", after=after)
            self.server.wait_line("the Emperor is there", after=after)
        for m in self.models.values():
            m.exact = False

    def _one_of_many(self, m):
        what = self.random.choice(["files", "files", "kill", "call"])
        self.history.append(f"  {what} {m}")
        if what == "kill":
            self.do_kill(m)
        elif what == "call":
            self.do_call(m)
        else:
            self._files(m)

    def _files(self, m):
        words = m.words if self._is_there(m) else None
        looping = m.state == "looping"  # it starts meanwhile, with what is there then
        for _ in range(1 if looping else self.random.randint(1, 3)):
            step = self.random.choice(["write", "remove", "touch"])
            if step == "write":
                words = self._write(m, self._choose_text(quits=False))
            elif words is not None and step == "remove":
                self.vassals.remove(m.name)
                words = None
            elif words is not None:
                self.vassals.touch(m.name)
        if words is not None:
            m.write(words)
        elif m.state != "absent":
            m.remove()

    # Looking

    def step(self):
        m = self.models[self.random.choice(NAMES)]
        event = self.random.choices(list(EVENTS), EVENTS.values())[0]
        if event == "burst":
            self.burst()
        else:
            self.history.append(f"{event} {m}")
            getattr(self, f"do_{event}")(m)
        self.settle(fence=event not in ("kill", "call", "urg"))

    def remove_all(self):
        for name in NAMES:
            self.do_remove(self.models[name])
        self.settle(fence=True)

    def settle(self, fence=False):
        """Waits until everything is as the model says."""
        if fence:
            self._pass_fence()
        for m in self.models.values():
            self._hear_answers(m)
        self._await(self.models.values())
        self.killed.clear()  # others may have their numbers from now on
        self._recount()

    def _await(self, models):
        deadline = time.monotonic() + PATIENCE
        while True:
            mark = self.server.log.mark()
            differs = self._difference(models)
            if not differs and not self._asks() and not self._difference(models):
                return
            if time.monotonic() > deadline:
                self.fail(differs or "a command is asked for ever")
            self.server.log.wait_more(mark, deadline - time.monotonic() if differs else 0.02)

    def _pass_fence(self):
        m = self.models[FENCE]
        for _ in range(1 if m.exact else 2):  # SIGHUP may have it read the first one early
            m.write(self._write(m, "loyal"))
            self._await([m])

    def _hear_answers(self, m):
        calls = self.calls[m.name]
        for _ in range(m.answered):
            with calls.popleft() as s:
                try:
                    heard = s.recv(100)
                except OSError as e:
                    heard = e
                if not isinstance(heard, bytes) or not heard:
                    self.fail(f"{m}: a connection has no answer but {heard!r}")
        for _ in range(m.lost):
            calls.popleft().close()
        m.answered = m.lost = 0

    def _asks(self):
        """Whether the Emperor has a child that is no vassal, so that an answer is still to come."""
        if not self.commands:
            return False
        children = proc.all_children(self.server.pid)
        return children - {v["pid"] for v in stats.read(self.server.stats)["vassals"]}

    def hang_up(self):
        for calls in self.calls.values():
            for s in calls:
                s.close()

    def _difference(self, models):
        entries = {v["id"]: v for v in stats.read(self.server.stats)["vassals"]}
        self.told.update()
        found = [d for m in models if (d := self._compare(m, entries.get(m.name)))]
        extra = set(entries) - set(self.models)
        return "\n".join(found + [f"there is {name}" for name in extra])

    def _compare(self, m, entry):
        state, pid = (entry["state"], entry["pid"]) if entry else (None, -1)
        said_pid, said_words = self.told.read.get(m.name, (-1, {}))
        counts = {k: self.told.counts[m.name][k] for k in m.counts}
        if state not in STATES.get(m.state, {m.state}):
            return f"{m}, but it is {state}"
        if m.state in RUNS and (pid != said_pid or pid in self.killed or not proc.alive(pid)):
            return f"{m}, but process {pid} does not run"
        if m.state in ("asleep", "resting", "held") and pid != -1:
            return f"{m}, but process {pid} runs"
        if m.state in (*RUNS, "looping") and said_words != m.read:
            return f"{m}, but it has read {said_words} and not {m.read}"
        if entry and m.state != "looping" and entry["on_demand"] != (m.socket or ""):
            return f"{m}, but its socket is {entry['on_demand']!r}"
        if m.exact and counts != m.counts:
            return f"{m}, but the counts are {counts}"
        return None

    def _recount(self):
        """Takes over the counts where the model cannot know them."""
        for m in self.models.values():
            m.exact &= not self._may_reload_by_itself(m)
        unknown = [m for m in self.models.values() if not m.exact and m.state != "looping"
                   and not self._may_reload_by_itself(m)]
        if not unknown:
            return
        after = self.server.log.mark()
        self.server.kill(signal.SIGUSR1)
        self.server.wait_line(SETTLED, after=after)
        self.told.update()
        for m in unknown:
            m.counts = {k: self.told.counts[m.name][k] for k in m.counts}
            m.exact = True

    @staticmethod
    def _may_reload_by_itself(m):
        """Because it has sent a heartbeat and sends no more: once, at a time of its own."""
        return m.state == "up" and "beats" in m.first

    def fail(self, differs):
        last = "\n".join(self.history[-12:])
        pytest.fail(f"LIEGE_MODEL_SEED={self.seed}, after {len(self.history)} events, the last of "
                    f"which were\n{last}\n\n{differs}", pytrace=False)


class Stopped:
    """The Emperor sees everything at once that happens meanwhile."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        while proc.state(self.pid) != "T":
            os.sched_yield()

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


EVENTS = {"write": 20, "touch": 8, "remove": 8, "kill": 10, "call": 20, "move": 8, "halt": 5,
          "resume": 8, "order": 5, "hup": 3, "urg": 2, "upgrade": 3, "again": 4, "nothing_new": 2,
          "burst": 10}


@pytest.fixture
def try_out(govern, vassals, folder):
    """try_out(n, seed, *arguments): n random events."""
    def run(n, seed, *arguments):
        seed = int(os.environ.get("LIEGE_MODEL_SEED", seed))
        print(f"LIEGE_MODEL_SEED={seed}")
        server = govern("--emperor-control", f"{folder}/control.sock", *OPTIONS, *arguments)
        trial = Trial(server, vassals, folder, seed, arguments[0] != BY_FILE[0])
        before = len(proc.descriptors(server.pid))
        try:
            for _ in range(n):
                trial.step()
            trial.remove_all()
            assert len(proc.descriptors(server.pid)) == before, proc.descriptors(server.pid)
        finally:
            trial.hang_up()
        assert server.stop() == 0
    return run


@pytest.fixture
def by_command(folder):
    """The arguments that have a command say which socket starts a vassal."""
    script = folder / "where"
    script.write_text('#!/bin/sh\n[ ! -e "$1.at" ] || cat "$1.at"\n')
    script.chmod(0o755)
    return "--emperor-on-demand-exec", script


BY_FILE = "--emperor-on-demand-extension", ".at"


@pytest.mark.plain
def test_150_events(try_out):
    try_out(150, 1, *BY_FILE)


@pytest.mark.plain
def test_50_events_of_today(try_out):
    try_out(50, time.time_ns(), *BY_FILE)


@pytest.mark.plain
def test_events_while_a_command_is_asked(try_out, by_command):
    try_out(75, 2, *by_command)


@pytest.mark.soak
def test_10000_events(try_out):
    try_out(10000, time.time_ns(), *BY_FILE)


@pytest.mark.soak
def test_10000_events_while_a_command_is_asked(try_out, by_command):
    try_out(10000, time.time_ns(), *by_command)
