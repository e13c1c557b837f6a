# SPDX-License-Identifier: MIT
"""The Emperor of one vassal, as the vassal sees it: a pipe with bytes in both directions and, for
an on-demand vassal, the listening socket that is its descriptor 0."""
import select
import socket
import time

from .programs import PATIENCE

STOP, RELOAD, STOP_GRACEFULLY = 0, 1, 2
READY, ACCEPTING, LOYAL, STOP_ME, HEARTBEAT, SOS = 1, 5, 17, 22, 26, 30


class Ruler:
    """@address: a path, or (host, port); None: the vassal is not started on demand."""

    def __init__(self, address=None):
        self.pipe, self.vassals_end = socket.socketpair()
        self.listener = None
        if address is not None:
            self.listener = socket.socket(
                socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
            self.listener.bind(address)
            self.listener.listen(64)
        self.heard = []  # (byte, when)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in (self.pipe, self.vassals_end, self.listener):
            if s:
                s.close()

    def arguments(self):
        """For the start of the vassal's process."""
        fd = self.vassals_end.fileno()
        found = {"pass_fds": (fd,), "env": {"UWSGI_EMPEROR_FD": str(fd)}}
        if self.listener:
            found["stdin"] = self.listener
        return found

    def say(self, byte):
        self.pipe.send(bytes([byte]))

    def _hear(self, seconds):
        """-> whether the vassal can say more"""
        said = b"\0"
        if select.select([self.pipe], [], [], max(0, seconds))[0]:
            now, said = time.monotonic(), self.pipe.recv(64)
            self.heard += [(byte, now) for byte in said]
        return said != b""

    def times(self, byte):
        return [when for b, when in self.heard if b == byte]

    def wait(self, byte, count=1, timeout=PATIENCE):
        """Waits until the vassal has said @byte @count times in all; -> when it said the last one."""
        deadline = time.monotonic() + timeout
        while len(self.times(byte)) < count:
            left = deadline - time.monotonic()
            assert left > 0 and self._hear(left), \
                f"{count} times {byte} expected, heard {[b for b, _ in self.heard]}"
        return self.times(byte)[count - 1]

    def hears_nothing(self, byte, seconds):
        """Listens for @seconds; -> True if @byte was not said meanwhile."""
        self._hear(0)  # what was said before
        before, deadline = len(self.times(byte)), time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._hear(left)
        return len(self.times(byte)) == before
