# SPDX-License-Identifier: MIT
"""Workers whose application is busy, and knowing what they have read meanwhile."""
import contextlib

from .client import Connection, request_bytes


@contextlib.contextmanager
def busy(address, meeting):
    """One request that is in the application of a worker of tests/apps/python/web.py until its
    visitor is released, or the block ends. -> (its connection, its visitor)"""
    with Connection(address) as c:
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        yield c, visitor
        visitor.leave()


def refuse(connection):
    """Has the worker of @connection answer it without its application. What was sent to that worker
    before has been read then, for it takes one event after the other."""
    connection.send(b"GET / HTTP/1.1\r\n\r\n")  # no Host
    assert connection.response().status == 400


def settle(server):
    """The same for an instance of one worker."""
    with Connection(server.address) as c:
        refuse(c)


def connect(server, n):
    """@n connections that wait for their next request."""
    found = [Connection(server.address) for _ in range(n)]
    for c in found:
        assert c.request().status == 200
    return found


def connect_by_worker(server, n, workers=2):
    """As many connections of each worker, and @n at least: {pid: [connections]}."""
    found = {}
    while len(found) < workers or min(map(len, found.values())) < n:
        c = Connection(server.address)
        found.setdefault(int(c.request("/pid").body), []).append(c)
    return found


def hold_each(clients, meeting):
    """Takes one connection of each worker out of @clients, and has the application hold its request.
    -> (the connections, their visitors)"""
    held, visitors = [connections.pop() for connections in clients.values()], []
    for c in held:
        c.send(request_bytes(meeting.target))
        visitors.append(meeting.arrive())
    return held, visitors


def close(*connections):
    for c in connections:
        c.close()
