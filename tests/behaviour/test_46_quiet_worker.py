# SPDX-License-Identifier: MIT
"""What a worker costs that has nothing to do, and what its threads cost one that has: system calls,
as strace(1) counts them."""
import re

import pytest

from harness import client
from harness.client import Connection
from harness.strace import traced

pytestmark = pytest.mark.only_plain  # the sanitizers make calls of their own

WEB = "wsgi-file = {apps}/python/web.py\ndisable-logging = yes\n"


def calls(path, names=r"\w+"):
    """[(thread, name)] of the calls that were begun, without those that attaching interrupted."""
    found = re.findall(rf"^(\d+) +({names})\(", path.read_text(), re.MULTILINE)
    return [(int(thread), name) for thread, name in found if name != "restart_syscall"]


@pytest.mark.parametrize("threads", [1, 4])
def test_an_idle_worker_makes_no_system_call(instance, folder, threads):
    """With as many clients as may be connected; it was busy a moment ago."""
    server = instance(f"{WEB}threads = {threads}")
    clients = [Connection(server.address) for _ in range(20)]
    for c in clients:
        pid = int(c.request("/pid").body)
    for n in range(10):
        path = folder / f"trace{n}"
        with traced(pid, path, "-f"):
            assert clients[0].silent(0.5)
        threads_seen = {}
        for thread, name in calls(path):
            threads_seen.setdefault(thread, []).append(name)
        # Each thread sleeps in one call, which shows when strace attaches to it.
        if all(len(names) <= 1 for names in threads_seen.values()):
            break
    else:
        pytest.fail(f"it does not rest: {threads_seen}")
    for c in clients:
        c.close()


def test_short_requests_wake_no_thread(instance, folder):
    """The thread that leads answers a thousand requests and asks nobody for anything. On a busy
    machine a call may be interrupted for long, and the lead taken: one quiet run of several counts."""
    server = instance(WEB)
    counts = []
    with Connection(server.address) as c:
        pid = int(c.request("/pid").body)
        for n in range(10):
            path = folder / f"trace{n}"
            with traced(pid, path, "-f"):
                for _ in range(1000):
                    assert c.request("/").status == 200
            made = calls(path)
            assert len([1 for _, name in made if name in ("sendmsg", "sendto")]) >= 1000
            counts.append(len([1 for thread, name in made
                               if thread == pid and name in ("futex", "write")]))
            if counts[-1] < 20:
                break
    assert min(counts) < 20, counts
    assert client.get(server.address).status == 200
