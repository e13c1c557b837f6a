# SPDX-License-Identifier: MIT
"""A program under test: started, watched through its log, stopped, and checked for what it must not
leave behind."""
import collections
import os
import re
import signal
import subprocess
import threading
import time

from . import proc
from .programs import LIEGE, PATIENCE, environment

SANITIZER = re.compile(r"ERROR: (Address|Leak|Undefined)\w*Sanitizer|LeakSanitizer|runtime error:"
                       r"|AddressSanitizer:DEADLYSIGNAL")
# A forked process looks for the threads of its parent, and what is killed loses its own meanwhile.
NO_REPORT = re.compile(r"(==\d+==(Running thread \d+ was not suspended"
                       r"|Unable to get registers from thread \d+).*\n)+")
ABORTED = re.compile(r"Assertion `.*' failed|stack smashing detected|buffer overflow detected")


class Log:
    """The lines that come out of a pipe, read by a thread of its own until its last writer ends."""

    def __init__(self, pipe):
        self.lines = []
        self.ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe):
        with pipe:
            for raw in pipe:
                with self._changed:
                    self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def mark(self):
        """The present end, for wait(after=...)."""
        return len(self.lines)

    def wait(self, pattern, after=0, count=1, timeout=PATIENCE):
        """Waits for the @count-th line from @after on that @pattern finds; returns the match."""
        regex = re.compile(pattern)
        deadline = time.monotonic() + timeout
        position = after
        with self._changed:
            while True:
                while position < len(self.lines):
                    m = regex.search(self.lines[position])
                    position += 1
                    count -= bool(m)
                    if count == 0:
                        return m
                left = deadline - time.monotonic()
                if self.ended or left <= 0 or not self._changed.wait(left):
                    why = "the log ended" if self.ended else f"nothing for {timeout:g} s"
                    raise AssertionError(f"no line like {pattern!r} ({why}) in:\n{self.text(after)}")

    def wait_more(self, after, timeout=PATIENCE):
        """Waits until there are lines from @after on; returns whether there are."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or len(self.lines) > after, max(0, timeout))
            return len(self.lines) > after

    def wait_end(self, timeout=PATIENCE):
        with self._changed:
            return self._changed.wait_for(lambda: self.ended, timeout)

    def find(self, pattern, after=0):
        regex = re.compile(pattern)
        return [line for line in self.lines[after:] if regex.search(line)]

    def text(self, after=0):
        return "\n".join(self.lines[after:])


class Server:
    """A running program. Its standard output and error are the log."""

    def __init__(self, arguments, report_dir, cwd=None, env=None, program=LIEGE, wrapper=(),
                 limits=None, stdin=subprocess.DEVNULL, pass_fds=()):
        self.report_dir = report_dir
        read_fd, write_fd = os.pipe()
        try:
            self.process = subprocess.Popen(
                [*map(str, wrapper), str(program), *map(str, arguments)],
                stdin=stdin, stdout=write_fd, stderr=write_fd, cwd=cwd, pass_fds=pass_fds,
                env=environment(report_dir, **(env or {})), preexec_fn=limits)
        finally:
            os.close(write_fd)
        self.log = Log(os.fdopen(read_fd, "rb"))
        self.pid = self.process.pid
        self.expect_reports = False  # set by tests that provoke a crash on purpose

    def wait_line(self, pattern, **kw):
        return self.log.wait(pattern, **kw)

    def kill(self, sig):
        self.process.send_signal(sig)

    def wait(self, timeout=PATIENCE):
        """Waits for the end, and for the last line of the log unless other processes hold it open;
        returns the exit code, negative for a signal."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"process {self.pid} does not end; its log:\n"
                                 f"{self.log.text()}") from None
        self.log.wait_end(2)
        return code

    def stop(self, sig=signal.SIGINT, timeout=PATIENCE):
        """Asks it to end, waits, and returns the exit code."""
        if self.process.poll() is None:
            self.kill(sig)
        return self.wait(timeout)

    def running(self):
        return self.process.poll() is None

    def descendants(self):
        return proc.descendants(self.pid)

    def children(self):
        return proc.children(self.pid)

    def clean_up(self):
        """Ends whatever still runs and returns what is wrong, as a list of sentences."""
        problems = []
        if self.running():
            below = self.descendants()
            self.kill(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                problems.append(f"process {self.pid} did not end within {PATIENCE:g} s of SIGINT")
                self.process.kill()
                self.process.wait()
                proc.kill_all(below)
        problems += self._left_behind()
        if not self.log.wait_end():
            problems.append("the log is still held open by some process")
        if not self.expect_reports:
            problems += self.reports()
        return problems

    def _left_behind(self):
        """Processes that outlive their root: with adopt_orphans() they are our children now."""
        deadline = time.monotonic() + 5
        while left := proc.reap_adopted(Registry.running_pids()):
            if proc.wait_gone(left[:1], deadline - time.monotonic()):
                names = collections.Counter(proc.command_line(p) for p in left)
                proc.kill_all(left)
                proc.reap_adopted(Registry.running_pids())
                return [f"left running: {dict(names)}"]
        return []

    def reports(self):
        """What the sanitizers and the C library have to say."""
        found = [f"{p.name}:\n{text[:8000]}" for p in sorted(self.report_dir.glob("report.*"))
                 if not NO_REPORT.fullmatch(text := p.read_text(errors="replace"))]
        for i, line in enumerate(self.log.lines):
            if SANITIZER.search(line) or ABORTED.search(line):
                found.append("\n".join(self.log.lines[i:i + 60]))
                break
        return found


class Registry:
    """All servers of the test that runs now, so that none is taken for an orphan of another, and
    those that several tests share."""

    servers = []
    shared = []

    @classmethod
    def add(cls, server):
        cls.servers.append(server)
        return server

    @classmethod
    def running_pids(cls):
        return {s.pid for s in cls.servers + cls.shared if s.process.returncode is None}

    @classmethod
    def share(cls, server):
        """Leaves @server alone until end()."""
        cls.shared.append(server)
        return server

    @classmethod
    def end(cls, server):
        """Ends a shared one. Returns its problems."""
        problems = server.clean_up()
        cls.shared.remove(server)
        return problems

    @classmethod
    def clean_up(cls):
        """Ends all, the last one first. Returns [(server, problems)] of those with problems."""
        found = [(s, s.clean_up()) for s in reversed(cls.servers)]
        cls.servers = []
        return [(s, problems) for s, problems in found if problems]
