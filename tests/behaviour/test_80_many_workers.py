# SPDX-License-Identifier: MIT
"""More workers than fit into one message queue, than there are descriptors, than the system lets a
user have: they start, or the start fails and says why."""
import resource

import pytest

from harness import says
from harness.client import get

HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


def test_hundreds_of_workers_start(instance):
    server = instance("wsgi-file = {folder}/app.py\nprocesses = 500", {"app.py": HELLO}, wait=False)
    server.wait_line("serves with 500 workers", timeout=120)
    assert get(server.address).body == b"hello"


@pytest.mark.parametrize("lazy", ["no", "yes"])
def test_too_few_descriptors_fail_the_start(instance, lazy):
    server = instance(f"wsgi-file = {{folder}}/app.py\nprocesses = 40\nlazy-apps = {lazy}",
                      {"app.py": HELLO}, wait=False,
                      limits=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50)))
    assert server.wait() == says.BOOT_ERROR
    assert server.log.find("Too many open files") and server.log.find("cannot start: ")


@pytest.mark.needs_root
@pytest.mark.only_plain  # LeakSanitizer needs a process at the end
@pytest.mark.parametrize("lazy", ["no", "yes"])
def test_too_few_processes_fail_the_start(instance, folder, lazy):
    folder.chmod(0o777)
    server = instance(f"uid = 54321\nwsgi-file = {{folder}}/app.py\nprocesses = 40\nlazy-apps = {lazy}",
                      {"app.py": HELLO}, wait=False,
                      limits=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (10, 10)))
    assert server.wait() == says.BOOT_ERROR
    assert server.log.find("cannot start: .*Resource temporarily unavailable")
