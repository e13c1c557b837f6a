# SPDX-License-Identifier: MIT
"""Sends bytes in pieces that arrive as pieces: the next one follows when the server has taken the
one before, which the kernel tells (SIOCOUTQ of a UNIX socket, sock_diag(7) of the server's end of a
TCP connection). So a test knows how the server's reads were cut, without a clock."""
import errno
import fcntl
import os
import re
import socket
import struct
import time

from harness.programs import PATIENCE

SIOCOUTQ = 0x5411
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, NLMSG_ERROR = 4, 20, 1, 2
ALL_STATES, ANY_COOKIE = 0xffffffff, b"\xff" * 8
DIAG_RQUEUE = 16 + 4 + 48 + 4  # struct nlmsghdr, then in struct inet_diag_msg


class _Diag:
    """How much of a TCP connection over IPv4 its other end, on this machine, has not read."""

    _socket = None

    @classmethod
    def unread(cls, s):
        if not cls._socket:
            cls._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        (server, server_port), (client, client_port) = s.getpeername(), s.getsockname()
        asked = struct.pack("=BBxxI", socket.AF_INET, socket.IPPROTO_TCP, ALL_STATES) + \
            struct.pack("!HH", server_port, client_port) + \
            socket.inet_aton(server).ljust(16, b"\0") + \
            socket.inet_aton(client).ljust(16, b"\0") + struct.pack("=I", 0) + ANY_COOKIE
        cls._socket.send(struct.pack("=IHHII", 16 + len(asked), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST,
                                     0, 0) + asked)
        reply = cls._socket.recv(65536)
        if struct.unpack_from("=H", reply, 4)[0] == NLMSG_ERROR:
            code = -struct.unpack_from("=i", reply, 16)[0]
            if code != errno.ENOENT:
                raise OSError(code, "sock_diag")
            return 0  # it has been closed
        return struct.unpack_from("=I", reply, DIAG_RQUEUE)[0]


def unread(s):
    """Bytes sent on the socket @s that the server has not read."""
    if s.family == socket.AF_UNIX:
        return struct.unpack("i", fcntl.ioctl(s.fileno(), SIOCOUTQ, b"\0" * 4))[0]
    try:
        return _Diag.unread(s)
    except OSError as e:
        if e.errno == errno.ENOTCONN:
            return 0
        raise


def wait_taken(connection):
    deadline = time.monotonic() + PATIENCE
    while unread(connection.socket) > 0:
        os.sched_yield()
        assert time.monotonic() < deadline, "the server reads no more"


def deliver(connection, pieces):
    """Sends each of @pieces after the one before has been read. Returns False if the server closed
    the connection meanwhile: what it said is still there to be read."""
    if connection.socket.family != socket.AF_UNIX:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for n, piece in enumerate(pieces, 1):
        try:
            connection.send(piece)
        except TimeoutError:
            raise
        except OSError:
            return False
        if n < len(pieces):
            wait_taken(connection)
    return True


def cuts(data):
    """Where a parser may change its state: after each run of what is no delimiter, and around each
    of CR and LF."""
    return sorted({i for m in re.finditer(rb"[\r\n]|[^\r\n\t :;,=?/]+", data)
                   for i in m.span() if 0 < i < len(data)})


def line_cuts(data):
    """The same for lines alone: before, within and after what ends them."""
    return sorted({i for m in re.finditer(rb"[\r\n]", data) for i in m.span() if 0 < i < len(data)})


def split(data, places):
    return [data[i:j] for i, j in zip([0, *places], [*places, len(data)])]


def ways(data):
    """How the same bytes may arrive. -> (name, pieces)"""
    yield "in one piece", [data]
    yield "byte by byte", [data[i:i + 1] for i in range(len(data))]
    yield "cut at all places", split(data, cuts(data))
    for i in line_cuts(data):
        yield f"cut at {i}", split(data, [i])
