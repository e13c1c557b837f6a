# SPDX-License-Identifier: MIT
"""A client that takes its answer slowly gets all of it; one that takes nothing is cut off."""
import select
import socket
import time

import pytest

from harness.client import Connection, ProtocolError, request_bytes
from harness.data import pattern

SIZE = 4_000_000


@pytest.fixture
def slow(instance, free_address, folder):
    """A connection whose kernel takes little at a time."""
    (folder / "file").write_bytes(pattern(SIZE))
    address = free_address()
    server = instance(f"wsgi-file = {{apps}}/python/web.py\nhttp-socket = {address}\n"
                      "socket-timeout = 1")
    with Connection(address) as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200_000)
        c.server = server
        yield c


@pytest.mark.parametrize("target", [f"/bytes?n={SIZE}", f"/stream?n={SIZE}&size=100000",
                                    "/file?path={folder}/file"])
def test_a_slow_one_gets_everything(slow, folder, target):
    slow.send(request_bytes(target.replace("{folder}", str(folder))))
    received = b""
    end = time.monotonic() + 3.5  # at first too slow for the kernel to report room within a timeout
    while time.monotonic() < end:
        select.select([], [], [], 0.05)  # this is how slow the client is
        received += slow.socket.recv(16384)
    slow.buffer = received
    assert slow.response().body == pattern(SIZE)


def test_one_that_takes_nothing_is_cut_off(slow):
    slow.send(request_bytes(f"/bytes?n={SIZE * 4}"))
    slow.wait_input()
    slow.server.wait_line("/bytes")
    slow.server.wait_line("took nothing of its answer")
    with pytest.raises((ProtocolError, ConnectionResetError)):
        slow.response()
