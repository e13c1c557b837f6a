# SPDX-License-Identifier: MIT
"""What an instance says of itself over its stats socket."""
import os
import signal
import socket

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.load import Load
from harness.meeting import Meeting
from harness.stats import read

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.fixture
def web(instance, folder):
    def start(settings="", **kw):
        server = instance(f"stats = {folder}/stats\n{WEB}{settings}", **kw)
        server.stats = str(folder / "stats")
        return server
    return start


def read_until(server, good):
    """The first document that good() likes: a worker counts a request after its answer, say."""
    while not good(found := read(server.stats)):
        assert server.running()
    return found


def test_who_and_what(web):
    server = web("processes = 2\nthreads = 2")
    found = read_until(server, lambda d: d["load"] == 0)
    assert found["pid"] == server.pid and found["name"] == "app.ini"
    assert found["uid"] == os.getuid()
    assert [(s["name"], s["proto"]) for s in found["sockets"]] == [(server.address, "http")]
    [generation] = found["generations"]
    assert (generation["number"], generation["state"], generation["ready"]) == (1, "serving", 2)
    assert sorted(w["id"] for w in found["workers"]) == [1, 2]
    pids = {w["pid"] for w in found["workers"]} | {generation["zygote"]["pid"]}
    assert pids == set(proc.children(server.pid))


@pytest.mark.only_plain
def test_the_memory_of_each_process(web):
    found = read(web().stats)
    [worker] = found["workers"]
    real = proc.memory(worker["pid"])
    assert 0.5 < worker["pss"] / real["Pss"] < 2
    assert 0.5 < worker["rss"] / real["Rss"] < 2
    assert worker["uss"] <= worker["pss"] <= worker["rss"] < worker["vsz"]


def test_requests_and_what_waits(web, folder):
    server = web()
    for _ in range(5):
        assert client.get(server.address).status == 200
    read_until(server, lambda d: [(w["requests"], w["status"]) for w in d["workers"]] == [(5, "idle")])
    with Meeting(folder) as meeting, Connection(server.address) as busy, \
            Connection(server.address) as other:
        other.request()
        busy.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        found = read(server.stats)
        assert found["workers"][0]["status"] == "busy" and found["load"] == 1
        assert found["workers"][0]["connections"] == 2
        other.send(request_bytes())
        read_until(server, lambda d: d["queue"]["waiting"] == d["queue"]["depth"] == 1)
        visitor.release()
        assert busy.response().status == other.response().status == 200
    assert read(server.stats)["queue"]["taken"] >= 1


def test_generations_that_finish_are_there(web, folder):
    server = web()
    with Meeting(folder) as meeting, Connection(server.address) as busy:
        busy.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        server.kill(signal.SIGHUP)
        server.wait_line(says.serving(2))
        found = read(server.stats)
        assert [(g["number"], g["state"]) for g in found["generations"]] == \
            [(2, "serving"), (1, "draining")]
        assert {(w["generation"], w["state"]) for w in found["workers"]} == \
            {(2, "ready"), (1, "draining")}
        visitor.release()
        busy.response()
    server.wait_line(says.ended(1))
    assert len(read(server.stats)["generations"]) == 1


def test_the_inputs_of_cheaper(web):
    server = web("processes = 4\ncheaper = 1")
    cheaper = read(server.stats)["cheaper"]
    assert (cheaper["algo"], cheaper["min"], cheaper["max"]) == ("spare", 1, 4)


def test_a_client_that_does_not_read_holds_up_nobody(web):
    server = web("processes = 3")
    idle = []
    for _ in range(40):
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        s.connect(server.stats)
        idle.append(s)
    assert client.get(server.address).status == 200
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    for s in idle:
        s.close()
    assert read(server.stats)["pid"] == server.pid


def test_the_new_master_serves_them_when_the_old_one_has_ended(web):
    server = web()
    server.kill(signal.SIGUSR2)
    new = int(server.wait_line(r"the new master \(pid (\d+)\) serves").group(1))
    assert read(server.stats)["pid"] == server.pid
    server.kill(signal.SIGQUIT)
    server.wait_line("the old master has ended")
    while read_pid(server.stats) != new:
        pass
    os.kill(new, signal.SIGINT)
    assert not proc.wait_gone([new])
    assert not os.path.exists(server.stats)


def read_pid(address):
    try:
        return read(address)["pid"]
    except OSError:
        return None


def test_an_address_that_cannot_be_is_an_error(instance, folder):
    server = instance(f"stats = {folder}/missing/stats\n{WEB}", wait=False)
    assert server.wait() == 1
    server.log.wait("cannot start: stats: .*/missing/stats")


SLOW_START = """
import os
from time import sleep
sleep(float(os.environ["BOOT"]))
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "1")])
    return [b"x"]
"""


def replace_all(instance, folder, boot, max_requests):
    server = instance(f"module = app\nlazy-apps = yes\nprocesses = 8\nmax-requests = {max_requests}\n"
                      f"stats = {folder}/stats\ndisable-logging = yes", {"app.py": SLOW_START},
                      env={"BOOT": str(boot)})
    first = {w["pid"] for w in read(str(folder / "stats"))["workers"]}
    fewest = 8
    with Load(server.address, keep_alive=16, per_request=4) as load:
        while first & set(proc.children(server.pid)):
            workers = read(str(folder / "stats"))["workers"]
            fewest = min(fewest, sum(w["state"] == "ready" for w in workers))
    load.assert_clean()
    assert fewest >= 7


@pytest.mark.plain
def test_seven_of_eight_are_ready_while_slow_starters_are_replaced(instance, folder):
    replace_all(instance, folder, 0.3, 200)


@pytest.mark.soak
@pytest.mark.plain
def test_seven_of_eight_are_ready_with_a_start_of_two_seconds(instance, folder):
    replace_all(instance, folder, 2, 1000)
