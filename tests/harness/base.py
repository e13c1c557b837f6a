# SPDX-License-Identifier: MIT
"""The Emperor of a base vassal, at the level of bytes: this process has vassals forked and is the
parent of what comes (conftest.py makes it one). See src/ipc/adoption.h and src/ipc/status.h."""
import array
import contextlib
import os
import select
import signal
import socket
import struct

from .programs import PATIENCE

STATE, READY, FAILED, KEPT, FILE, WORKERS, BASE, GIVE_WAY = 1, 2, 3, 4, 5, 6, 7, 32
PIPE, CONFIG, SOCKET, STATUS, LOG, OLDER, SURROUNDINGS, ERRORS = (1 << i for i in range(8))
MODIFIER1 = 35
HEAD = struct.Struct("<HHIQ")  # of a status message: version, type, value, nothing


def packets():
    """A pair over which messages go."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for s in pair:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        s.setblocking(False)
    return pair


def rights(files):
    fds = [f if isinstance(f, int) else f.fileno() for f in files]
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]


def array_of(items):
    return b"".join(struct.pack("<H", len(i)) + i for i in map(os.fsencode, items))


def surroundings(cwd, environ, nofile=(1024, 4096)):
    fd = os.memfd_create("surroundings")
    texts = [str(cwd), "%d %d" % nofile, *(f"{k}={v}" for k, v in environ.items())]
    os.write(fd, b"".join(os.fsencode(t) + b"\0" for t in texts))
    return fd


class Link:
    """What a vassal and its Emperor have in common, seen from here: pipe and status channel."""

    def __init__(self, stack):
        self.pipe, self.theirs = socket.socketpair()
        self.status, self.their_status = packets()
        for s in (self.pipe, self.theirs, self.status, self.their_status):
            stack.callback(s.close)

    def given(self):
        """The vassal has its ends."""
        self.theirs.close()
        self.their_status.close()

    def say(self, byte):
        self.pipe.send(bytes([byte]))

    def hear(self, *types, timeout=PATIENCE):
        """Waits for a message of one of @types; -> (type, value, text)."""
        while True:
            assert select.select([self.status], [], [], timeout)[0], f"no message of {types}"
            data = self.status.recv(8192)
            assert data, f"the vassal ended without a message of {types}"
            _, kind, value, _ = HEAD.unpack_from(data)
            if kind in types:
                return kind, value, data[HEAD.size:].decode()

    def give_way(self, file):
        self.status.sendmsg([HEAD.pack(1, GIVE_WAY, 0, 0)], rights([file]))


class Adopted(Link):
    pid = pidfd = None

    def wait(self):
        """Waits for its end; -> exit code, negative for a signal."""
        assert select.select([self.pidfd], [], [], PATIENCE)[0], "it does not end"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Base(Link):
    """A base vassal that @start starts with @arguments."""

    def __init__(self, stack, start, *arguments, **how):
        super().__init__(stack)
        self.stack = stack
        fds = self.theirs.fileno(), self.their_status.fileno()
        names = {"LIEGE_EMPEROR_FD": str(fds[0]), "LIEGE_STATUS_FD": str(fds[1])}
        self.server = start(*arguments, pass_fds=fds, env={**names, **how.pop("env", {})}, **how)
        self.given()
        self.address = None

    def wait_open(self):
        """Waits until vassals are forked from it; -> generation."""
        _, generation, self.address = self.hear(BASE)
        return generation

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        self.stack.callback(s.close)
        s.settimeout(PATIENCE)
        s.connect(self.address)
        return s

    def request(self, argv, parts):
        """Sends a request, with @parts as {bit: file}; -> connection."""
        s = self.connect()
        body = array_of(argv)
        head = struct.pack("<BHB", MODIFIER1, len(body), sum(parts))
        s.sendmsg([head + body], rights([parts[bit] for bit in sorted(parts)]))
        return s

    def adopt(self, *argv, parts=None, status=True):
        """Has a vassal with this command line forked; -> Adopted."""
        v = Adopted(self.stack)
        ends = {PIPE: v.theirs, **({STATUS: v.their_status} if status else {}), **(parts or {})}
        with self.request(["liege", *map(str, argv)], ends) as s:
            v.pid, v.pidfd = self.answer(s)
        v.given()
        self.stack.callback(end, v)
        return v

    def answer(self, connection):
        """-> pid and pidfd."""
        data, extra, _, _ = connection.recvmsg(2048, socket.CMSG_SPACE(4))
        modifier1, size, _ = struct.unpack_from("<BHB", data)
        assert modifier1 == MODIFIER1 and size == len(data) - 4, data
        key = data[6:6 + data[4]]
        value = data[8 + data[4]:].decode()
        assert key == b"pid", value
        fds = array.array("i", extra[0][2])
        self.stack.callback(os.close, fds[0])
        return int(value), fds[0]


def end(vassal):
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        signal.pidfd_send_signal(vassal.pidfd, signal.SIGKILL)
        os.waitpid(vassal.pid, 0)
