# SPDX-License-Identifier: MIT
"""A place where a test and the application under test meet: the application calls from within a
request and goes on only when the test lets it. So a test knows that a request is being served, and
decides when its answer comes, without a clock."""
import select
import socket

from .programs import PATIENCE


class Meeting:
    """Listens on a socket below @folder; the application /wait of tests/apps/python/web.py calls
    .target. Use as a context manager."""

    def __init__(self, folder, name="meeting"):
        self.path = folder / name
        self.target = f"/wait?at={self.path}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.settimeout(PATIENCE)
        self._listener.bind(str(self.path))
        self.path.chmod(0o666)
        self._listener.listen(1000)
        self._visitors = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for visitor in self._visitors:
            visitor.leave()
        self._listener.close()
        self.path.unlink()

    def arrive(self):
        """Waits for the next request to come by. -> Visitor"""
        s, _ = self._listener.accept()
        visitor = Visitor(s)
        self._visitors.append(visitor)
        return visitor

    def somebody_waits(self):
        """True if a request has come by that nobody has taken with arrive()."""
        return bool(select.select([self._listener], [], [], 0)[0])


class Visitor:
    """A request that waits in its worker."""

    def __init__(self, s):
        self._socket = s
        self._socket.settimeout(PATIENCE)
        self.pid = int(s.makefile("r").readline())

    def release(self, answer="released"):
        """Lets it go on; its answer's body is @answer."""
        self._socket.sendall(answer.encode())
        self.leave()

    def leave(self):
        self._socket.close()
