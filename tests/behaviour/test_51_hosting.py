# SPDX-License-Identifier: MIT
"""An Emperor that hosts real applications: what an administrator sees of files that come, change and
go, of processes that die, and of applications that are broken."""
import os
import signal
import time

import pytest

from harness import client, proc, says, stats
from harness.load import Load

HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", __import__("os").getpid().__str__())])
    return [b"VERSION"]
"""


class Host:
    """An Emperor with vassals that run small WSGI applications, one file each."""

    def __init__(self, folder, vassals, emperor):
        self.folder, self.vassals, self.server = folder, vassals, emperor

    def socket(self, name):
        return str(self.folder / f"{name}.sock")

    def code(self, name, body="one", text=HELLO):
        path = self.folder / f"{name}.py"
        path.write_text(text.replace("VERSION", body))
        return path

    def add(self, name, body="one", settings="", text=HELLO):
        self.code(name, body, text)
        self.configure(name, settings)

    def configure(self, name, settings=""):
        self.vassals.write(f"{name}.ini", f"[liege]\nhttp-socket = {self.socket(name)}\n"
                                          f"wsgi-file = {self.folder}/{name}.py\n{settings}\n")

    def ready(self, name, after=0):
        return self.server.wait_line(says.vassal_is(f"{name}.ini", "ready"), after=after)

    def get(self, name, target="/"):
        return client.get(self.socket(name), target)

    def master(self, name):
        return stats.vassal(self.server.stats, f"{name}.ini")["pid"]

    def workers(self, name, n=1):
        """Pids of the workers, by asking them: those that answer."""
        return {int(self.get(name).get("X-Pid")) for _ in range(n)}


@pytest.fixture
def host(folder, vassals, emperor):
    return Host(folder, vassals, emperor())


def test_a_renamed_file_is_served_and_a_removed_one_is_gone(host):
    host.add("app")
    host.ready("app")
    assert host.get("app").body == b"one"
    below = host.server.descendants()
    assert len(below) >= 3  # master, zygote, worker
    began = time.monotonic()
    host.vassals.remove("app.ini")
    assert proc.wait_gone(below, 5) == []
    assert time.monotonic() - began < 1
    assert not os.path.exists(host.socket("app"))


def test_touch_reloads_into_the_new_code(host):
    host.add("app")
    host.ready("app")
    host.code("app", "two")
    mark = host.server.log.mark()
    host.vassals.touch("app.ini")
    host.ready("app", after=mark)
    assert host.get("app").body == b"two"


def test_twenty_reloads_in_twenty_seconds_cost_no_request(host):
    host.add("app", settings="processes = 2")
    host.ready("app")
    with Load(host.socket("app"), keep_alive=64, per_request=16,
              check=lambda body: body in (b"one",)) as load:
        load.wait_for(500)
        began = time.monotonic()
        for i in range(20):
            mark = host.server.log.mark()
            host.vassals.touch("app.ini")
            host.ready("app", after=mark)
            # One reload a second: load goes on in between, as many answers as it takes.
            while time.monotonic() - began < i + 1:
                load.wait_for(50)
    load.assert_clean()


def test_a_killed_worker_is_replaced_and_nobody_else_notices(host):
    host.add("app", settings="processes = 2")
    host.ready("app")
    victim = next(iter(host.workers("app")))
    mark = host.server.log.mark()
    os.kill(victim, signal.SIGKILL)
    host.server.wait_line(r"worker \d killed by signal 9", after=mark)
    for _ in range(20):
        assert host.get("app").status == 200
    assert victim not in host.workers("app", 10)


def test_a_killed_master_is_respawned(host):
    host.add("app")
    host.add("other")
    host.ready("app")
    host.ready("other")
    assert host.get("app").status == 200
    other = host.master("other")
    mark = host.server.log.mark()
    family = [host.master("app"), *proc.descendants(host.master("app"))]
    os.kill(family[0], signal.SIGKILL)
    assert proc.wait_gone(family, 5) == []
    host.ready("app", after=mark)
    assert host.get("app").status == 200
    assert host.master("app") != family[0]
    assert host.master("other") == other


@pytest.mark.needs_root
def test_nothing_survives_the_emperor(host):
    host.add("plain")
    host.add("other", settings="uid = nobody\ngid = nogroup\nprocesses = 2")
    host.folder.chmod(0o777)
    host.add("stopped", settings="uid = nobody\ngid = nogroup")
    for name in ("plain", "stopped"):
        host.ready(name)
    mark = host.server.log.mark()
    host.configure("other", "uid = nobody\ngid = nogroup\nprocesses = 2")
    host.ready("other")
    below = host.server.descendants()
    assert len(below) >= 10 and mark >= 0
    assert {tuple(proc.status(p, "Uid")) for p in below} != {("0",) * 4}
    for pid in [host.master("stopped"), *proc.descendants(host.master("stopped"))]:
        os.kill(pid, signal.SIGSTOP)
    host.server.kill(signal.SIGKILL)
    began = time.monotonic()
    host.server.wait()
    assert proc.wait_gone(below, 5) == []
    assert time.monotonic() - began < 1


def test_a_syntax_error_is_reported_with_its_place_and_a_fixed_file_comes_up(host):
    host.add("good")
    host.ready("good")
    pid = host.master("good")
    host.add("bad", text="def application(environ, start_response:\n    pass\n")
    host.server.wait_line(r"bad\.ini.*bad\.py:1: SyntaxError")
    assert host.get("good").status == 200
    mark = host.server.log.mark()
    host.add("bad")
    host.ready("bad", after=mark)
    assert host.get("bad").status == 200
    assert host.master("good") == pid


def test_a_bad_value_is_reported_with_its_place(host):
    host.add("bad", settings="processes = many")
    host.server.wait_line(r"bad\.ini:4: .*processes.*many")
    mark = host.server.log.mark()
    host.configure("bad", "processes = 2")
    host.ready("bad", after=mark)


def test_an_unreadable_file_is_reported_with_its_cause(host):
    host.add("bad", settings=f"include = {host.folder}/missing.ini")
    host.server.wait_line(r"bad\.ini:4: .*missing\.ini.*No such file")
    mark = host.server.log.mark()
    host.configure("bad")
    host.ready("bad", after=mark)


def test_a_broken_deploy_keeps_the_old_generation(host):
    host.add("app")
    host.ready("app")
    pids = host.workers("app")
    host.code("app", text="import nothing_of_that_name\n")
    mark = host.server.log.mark()
    host.vassals.touch("app.ini")
    host.server.wait_line(r"app\.ini.*reload failed.*app\.py:1: ModuleNotFoundError", after=mark)
    host.ready("app", after=mark)
    assert host.get("app").body == b"one"
    assert host.workers("app") == pids
    assert "ModuleNotFoundError" in stats.vassal(host.server.stats, "app.ini")["reason"]
    host.code("app", "three")
    mark = host.server.log.mark()
    host.vassals.touch("app.ini")
    host.ready("app", after=mark)
    assert host.get("app").body == b"three"


@pytest.mark.only_plain
def test_a_thousand_reloads_leave_descriptors_and_memory_where_they_were(host):
    host.add("app")
    host.ready("app")

    def reload(n):
        for _ in range(n):
            mark = host.server.log.mark()
            host.vassals.touch("app.ini")
            host.ready("app", after=mark)
            host.server.wait_line(says.GENERATION_ENDED, after=mark)

    def measure():
        pids = host.server.pid, host.master("app")
        while proc.all_children(pids[0]) != {pids[1]}:
            os.sched_yield()  # the question has had memory measured
        return ([len(proc.descriptors(p)) for p in pids],
                [proc.memory(p)["Private_Dirty"] for p in pids])

    reload(20)
    descriptors, memory = measure()
    reload(1000)
    descriptors_after, memory_after = measure()
    assert descriptors_after == descriptors
    for before, after in zip(memory, memory_after):
        assert after < before + 128 * 1024, (memory, memory_after)
