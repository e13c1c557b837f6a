# SPDX-License-Identifier: MIT
"""The load generator and what is computed from its trace: a benchmark is worth what it counts."""
import collections
import csv
import json
import socket
import subprocess
import sys
import threading

import pytest

from harness import programs

sys.path.insert(0, str(programs.ROOT / "bench"))
from lib import sharedqueue  # noqa: E402 (the path comes first)
from lib.load import Request  # noqa: E402

pytestmark = pytest.mark.plain

LOAD = programs.BUILD / "bench" / "load" / "load"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def load(folder):
    """load(address, *arguments) -> (summary, rows of the trace)"""
    def run(at, *arguments):
        trace = folder / "trace"
        done = subprocess.run([LOAD, "--trace", trace, *map(str, arguments), str(at)], check=True,
                              capture_output=True, text=True, timeout=programs.PATIENCE)
        with trace.open() as f:
            return json.loads(done.stdout), list(csv.DictReader(f))
    return run


@pytest.fixture
def scripted(folder):
    """scripted([bytes, ...]): a server that answers the requests of each connection with these, one
    after the other (None: with nothing), and then ends the connection. -> its address"""
    listener = socket.socket(socket.AF_UNIX)
    path = str(folder / "scripted.sock")

    def serve(answers):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            with s:
                for answer in answers:
                    data = b""
                    while b"\r\n\r\n" not in data and (piece := s.recv(65536)):
                        data += piece
                    if b"\r\n\r\n" in data and answer:
                        s.sendall(answer)

    def start(answers):
        listener.bind(path)
        listener.listen(100)
        threading.Thread(target=serve, args=(answers,), daemon=True).start()
        return path

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def outcomes(rows):
    return collections.Counter(r["outcome"] for r in rows)


def test_a_closed_loop_counts_every_answer(instance, load):
    server = instance(f"wsgi-file = {programs.ROOT}/bench/apps/work.py\nprocesses = 2")
    summary, rows = load(server.address, "--keep-alive", 4, "--per-request", 2, "--seconds", 0.5,
                         "--request", "1 GET /bytes/1000 expect=1000",
                         "--request", "1 POST /upload upload=300000")
    assert summary["statuses"] == {"200": len(rows)} and len(rows) > 0
    assert set(outcomes(rows)) == {"answered"}
    assert {r["kind"] for r in rows} == {"0", "1"}
    assert all(int(r["scheduled"]) <= int(r["began"]) <= int(r["ended"]) <= int(r["done"])
               for r in rows)


def test_an_open_loop_keeps_to_its_schedule(instance, load):
    server = instance(f"wsgi-file = {programs.ROOT}/bench/apps/work.py")
    arguments = ["--keep-alive", 4, "--open", "400:0.5", "--open", "100:0.5", "--seed", 7,
                 "--request", "9 GET /", "--request", "1 GET /sleep/5"]
    schedules = []
    for _ in range(2):
        summary, rows = load(server.address, *arguments)
        rows.sort(key=lambda r: int(r["id"]))
        assert set(outcomes(rows)) == {"answered"}
        schedules.append([(int(r["scheduled"]) - summary["began_us"], r["kind"]) for r in rows])
    assert schedules[0] == schedules[1]
    first = sum(at < 500000 for at, _ in schedules[0])
    assert 150 < first < 250 and 25 < len(schedules[0]) - first < 80


def test_waiting_for_a_free_client_is_part_of_the_latency(instance, load):
    server = instance(f"wsgi-file = {programs.ROOT}/bench/apps/work.py")
    _, rows = load(server.address, "--keep-alive", 1, "--open", "1000:0.1",
                   "--request", "1 GET /sleep/5")
    rows.sort(key=lambda r: int(r["id"]))
    for before, r in zip(rows, rows[1:]):
        assert int(r["sent"]) >= int(before["done"])
    assert int(rows[-1]["done"]) - int(rows[-1]["scheduled"]) > 2 * 5000


@pytest.mark.parametrize("answers, expected", [
    ([HELLO, None], {"answered", "end-on-reuse"}),
    ([None], {"no-answer"}),
    ([HELLO[:-1]], {"short"}),
    ([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"], {"answered"}),
    ([HELLO + b"more"], {"invalid"}),
    ([b"nonsense"], {"invalid"}),
], ids=["end on reuse", "no answer", "short", "until the end", "too much", "no HTTP"])
def test_each_way_to_fail_has_its_name(scripted, load, answers, expected):
    _, rows = load(scripted(answers), "--keep-alive", 1, "--open", "200:0.1")
    assert set(outcomes(rows)) == expected


def test_a_wrong_body_is_not_an_answer(scripted, load):
    _, rows = load(scripted([HELLO]), "--per-request", 1, "--open", "100:0.1", "--request",
                   "1 GET / expect=5")
    assert set(outcomes(rows)) == {"invalid"}


def test_a_server_that_is_not_there_is_no_connection(folder, load):
    _, rows = load(folder / "nobody.sock", "--keep-alive", 2, "--open", "100:0.1")
    assert set(outcomes(rows)) == {"no-connection"}


def test_a_client_that_waits_too_long_goes_away(instance, load):
    server = instance(f"wsgi-file = {programs.ROOT}/bench/apps/work.py")
    _, rows = load(server.address, "--keep-alive", 2, "--open", "100:0.1", "--timeout", 0.05,
                   "--request", "1 GET /sleep/300")
    assert outcomes(rows)["timeout"] == len(rows)
    assert all(int(r["done"]) - int(r["scheduled"]) >= 50000 for r in rows)


@pytest.mark.parametrize("arguments", [
    [], ["--keep-alive", "x"], ["--keep-alive", "1", "--open", "5"],
    ["--keep-alive", "1", "--request", "1 GET"],
    ["--keep-alive", "1", "--request", "1 GET / expect=-1"], ["--keep-alive", "1", "--seconds", "-1"]])
def test_what_it_does_not_understand_it_refuses(arguments):
    done = subprocess.run([LOAD, *arguments, "127.0.0.1:1"], capture_output=True, text=True,
                          timeout=programs.PATIENCE)
    assert done.returncode == 2 and done.stderr.startswith("load: ")


def request(scheduled, began, ended, pid):
    return Request(0, 0, "keep-alive", scheduled, scheduled, ended, "answered", 200, 0, began, ended,
                   pid)


def test_the_ideal_queue_is_first_come_first_served():
    rows = [request(0, 0, 100, 1), request(10, 10, 110, 2), request(20, 110, 120, 1),
            request(30, 120, 130, 2)]
    assert sharedqueue.ideal_waits(rows, 2) == [0, 0, 80, 80]
    assert sharedqueue.waits(rows) == [0, 0, 90, 90]


def test_waiting_beside_an_idle_worker_is_found():
    rows = [request(0, 0, 100, 1), request(10, 100, 200, 1), request(150, 150, 160, 2)]
    assert sharedqueue.longest_wait_beside_idle(rows, 2) == 90
    late = request(10, 100, 200, 1)._replace(sent=60)
    assert sharedqueue.longest_wait_beside_idle([rows[0], late], 2) == 40
    assert sharedqueue.longest_wait_beside_idle(rows, 2, since=150) == 0
    both_busy = [request(0, 0, 100, 1), request(0, 0, 100, 2), request(10, 100, 110, 1)]
    assert sharedqueue.longest_wait_beside_idle(both_busy, 2) == 0
