# SPDX-License-Identifier: MIT
"""Workers share what comes: connections that are kept open spread over them."""
import collections

import pytest

from harness.client import Connection


@pytest.mark.plain
def test_kept_connections_spread_over_the_workers(instance):
    server = instance("wsgi-file = {apps}/python/web.py\nprocesses = 4")
    clients, workers = [], collections.Counter()
    for _ in range(64):
        clients.append(Connection(server.address))
        workers[clients[-1].request("/pid").body] += 1
    for c in clients:
        c.close()
    assert len(workers) == 4
    assert max(workers.values()) <= 32, workers
