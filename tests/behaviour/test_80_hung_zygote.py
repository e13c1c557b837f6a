# SPDX-License-Identifier: MIT
"""A warm process that does not fork any more is replaced, and so are the workers that wait for it."""
import os
import signal

from harness import proc
from harness.client import get

WEB = "wsgi-file = {apps}/python/web.py\nstart-timeout = 1\n"


def test_it_is_replaced(instance):
    server = instance(WEB)
    worker = int(get(server.address, "/pid").body)
    zygote, = [p for p in server.children() if p != worker]
    os.kill(zygote, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    server.wait_line("worker 1 did not become ready within 1 s: the zygote is killed")
    assert int(get(server.address, "/pid").body) not in (zygote, worker)
    assert not proc.alive(zygote)
