# SPDX-License-Identifier: MIT
"""Time that an application takes is not held against clients: no connection is closed for silence
while the worker was not listening."""

import pytest

from harness.client import Connection, request_bytes

WEB = "disable-logging = yes\nwsgi-file = {apps}/python/web.py\n"


def test_pipelined_requests_may_take_longer_than_a_client_may_be_silent(instance):
    server = instance(WEB + "http-keepalive = 0.5")
    with Connection(server.address) as c:
        c.send(request_bytes("/sleep?s=0.05") * 40)
        for _ in range(40):
            assert c.response().body == b"slept"


def test_a_connection_is_kept_after_a_call_longer_than_the_keepalive(instance):
    server = instance(WEB + "http-keepalive = 0.5")
    with Connection(server.address) as c:
        assert c.request("/sleep?s=1").body == b"slept"
        assert c.silent(0.2)
        assert c.request("/").body == b"hello\n"


@pytest.mark.parametrize("state", ["idle", "head", "body"])
def test_requests_of_many_connections_wait_for_a_long_call(instance, state):
    server = instance(WEB + "http-keepalive = 0.5\nhttp-timeout = 0.5\nsocket-timeout = 0.5")
    request = request_bytes("/echo", method="POST", body=b"x" * 10)
    first = {"idle": 0, "head": 10, "body": len(request) - 5}[state]
    with Connection(server.address) as long:
        clients = [Connection(server.address) for _ in range(200)]
        for c in clients:
            if state == "idle":
                assert c.request("/").status == 200
            else:
                c.send(request[:first])
        long.send(request_bytes("/sleep?s=1.5"))
        for c in clients:
            c.send(request[first:])
        assert long.response().body == b"slept"
        for c in clients:
            assert c.response().body == b"x" * 10
            c.close()
