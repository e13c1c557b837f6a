# SPDX-License-Identifier: MIT
"""Connections that pass from one worker to another: requests of a busy one to an idle sibling, and
idle connections of one that ends to those that stay. The client notices nothing."""
import collections
import contextlib
import hashlib
import json
import os
import pathlib
import signal

import pytest

from harness import client, proc, says
from harness.busy import busy, close, connect, connect_by_worker, hold_each, refuse
from harness.client import Connection, request_bytes
from harness.data import chunked, pattern
from harness.meeting import Meeting

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.fixture
def web(instance):
    return lambda settings="", **kw: instance(WEB + settings, **kw)


@pytest.fixture
def meeting(folder):
    with Meeting(folder) as m:
        yield m


@contextlib.contextmanager
def one_is_busy(server, meeting, n=1):
    """Of two workers one is in its application. -> (@n connections of it, pid of the other, what
    lets it go)"""
    clients = connect_by_worker(server, n + 1)
    first = next(iter(clients))
    c = clients[first].pop()
    c.send(request_bytes(meeting.target))
    visitor = meeting.arrive()
    assert visitor.pid == first
    [other] = set(clients) - {first}
    yield clients[first], other, visitor.release
    visitor.leave()
    assert c.response().body in (b"released", b"left alone")
    close(c, *sum(clients.values(), []))


# To an idle sibling

def body_cases():
    for size in (0, 10, 100_000, 5_000_000):
        data = pattern(size)
        length = [("Content-Length", str(size))]
        yield pytest.param(length, data, data, id=f"{size}")
        yield pytest.param([("Transfer-Encoding", "chunked")], chunked(data), data,
                           id=f"{size}-chunked")


@pytest.mark.plain
@pytest.mark.parametrize("fields, sent, body", body_cases())
def test_a_request_with_a_body(web, meeting, fields, sent, body):
    server = web("processes = 2")
    with one_is_busy(server, meeting) as ([c, *_], other, _):
        for _ in range(2):
            c.send(request_bytes("/digest", "POST", fields) + sent)
            answer = json.loads(c.response().body)
            assert (answer["length"], answer["sha256"]) == (
                len(body), hashlib.sha256(body).hexdigest())
        assert int(c.request("/pid").body) == other


@pytest.mark.plain
def test_a_request_without_a_body_and_what_follows(web, meeting):
    server = web("processes = 2")
    with one_is_busy(server, meeting) as ([c, *_], other, _):
        assert int(c.request("/pid").body) == other
        assert c.request("/pid", "HEAD").status == 200
        for _ in range(10):
            assert int(c.request("/pid").body) == other
        assert c.request("/pid", fields=[("Connection", "close")]).close
        assert c.at_end()


@pytest.mark.plain
def test_pipelined_requests(web, meeting):
    server = web("processes = 2")
    with one_is_busy(server, meeting) as ([c, *_], other, _):
        texts = [pattern(n * 211) for n in range(60)]
        c.send(request_bytes("/pid") + b"".join(
            request_bytes("/echo", "POST", body=t) for t in texts) + request_bytes("/pid"))
        assert int(c.response().body) == other
        for text in texts:
            assert c.response().body == text
        assert int(c.response().body) == other


def test_pipelined_requests_behind_a_large_body(web, meeting):
    server = web("processes = 2")
    with one_is_busy(server, meeting) as ([c, *_], other, _):
        c.send(request_bytes("/echo", "POST", body=pattern(2_000_000)) + request_bytes("/pid") * 5)
        assert c.response().body == pattern(2_000_000)
        for _ in range(5):
            assert int(c.response().body) == other


def test_part_of_a_next_request(web, meeting):
    server = web("processes = 2")
    with one_is_busy(server, meeting) as ([c, *_], other, _):
        next_one = request_bytes("/pid")
        c.send(request_bytes("/pid") + next_one[:20])
        assert int(c.response().body) == other
        c.send(next_one[20:])
        assert int(c.response().body) == other


@pytest.mark.parametrize("expect_more", [False, True])
def test_a_body_that_is_expected(web, meeting, expect_more):
    server = web("processes = 2")
    with one_is_busy(server, meeting) as ([c, *_], other, _):
        for _ in range(2):
            c.send(request_bytes("/echo", "POST", [("Content-Length", "5"),
                                                   ("Expect", "100-continue")]))
            assert c.interim().status == 100
            c.send(b"abcde" + (request_bytes("/pid") if expect_more else b""))
            assert c.response().body == b"abcde"
            if expect_more:
                assert int(c.response().body) == other


@pytest.mark.plain
@pytest.mark.parametrize("where", ["127.0.0.1:0", "[::1]:0", "unix"])
def test_the_application_is_told_the_same_of_the_client(instance, meeting, folder, where,
                                                        kernel_ports, free_address):
    if where == "unix":
        at = f"{folder}/s"
    else:
        at = where.rpartition(":")[0] + f":{kernel_ports(1)}"
    server = instance(f"http-socket = {folder}/first\nhttp-socket = {at}\nprocesses = 2\n{WEB}")
    server.address = at
    fields = [("X-Some", "thing"), ("Cookie", "a=b")]
    with one_is_busy(server, meeting) as ([c, *_], other, _):
        told = json.loads(c.request("/environ?a=%20b", fields=fields).body)
        assert int(c.request("/pid").body) == other
        with Connection(at) as fresh:
            expected = json.loads(fresh.request("/environ?a=%20b", fields=fields).body)
            name = fresh.socket.getsockname()
        if where != "unix":
            assert told["REMOTE_ADDR"] == c.socket.getsockname()[0]
            assert told["REMOTE_PORT"] == str(c.socket.getsockname()[1])
            assert expected["REMOTE_PORT"] == str(name[1])
        else:
            assert told["REMOTE_ADDR"] == ""
        for environ in (told, expected):
            environ.pop("REMOTE_PORT", None)
            for key in list(environ):
                if isinstance(environ[key], str) and " at 0x" in environ[key]:
                    del environ[key]
        assert told == expected


@pytest.mark.plain
def test_many_at_once(web, meeting):
    server = web("processes = 2")
    with one_is_busy(server, meeting, n=40) as (clients, other, release):
        for n, c in enumerate(clients):
            c.send(request_bytes("/echo", "POST", body=pattern(n * 1000)) + request_bytes("/pid"))
        for n, c in enumerate(clients):
            assert c.response().body == pattern(n * 1000)
            assert int(c.response().body) == other
        release()
        for c in clients:
            assert c.request("/pid").status == 200


def test_both_are_busy_and_the_first_that_is_free_goes_on(web, meeting):
    server = web("processes = 2")
    clients = connect_by_worker(server, 3)
    held = [clients[pid].pop() for pid in clients]
    visitors = []
    for c in held:
        c.send(request_bytes(meeting.target))
        visitors.append(meeting.arrive())
    waiting = [c for some in clients.values() for c in some[1:]]
    for c in waiting:
        c.send(request_bytes("/pid"))
    for some in clients.values():
        refuse(some[0])
    visitors[1].release()
    for c in waiting:
        assert int(c.response().body) == visitors[1].pid
    visitors[0].release()
    for c in held:
        assert c.response().body == b"released"
    close(*held, *sum(clients.values(), []))


@pytest.mark.plain
def test_a_client_that_has_gone_is_not_served(web, meeting):
    """It closed its connection while its request waited for whoever is free."""
    server = web("processes = 2")
    clients = connect_by_worker(server, 4)
    held, visitors = hold_each(clients, meeting)
    for some in clients.values():
        some[0].send(request_bytes("/goes", "POST", body=pattern(100_000)))
        some[1].send(request_bytes("/stays", fields=[("Connection", "close")]))
        refuse(some[2])
        some[0].close()
        some[1].end_sending()
    for c, v in zip(held, visitors):
        v.release()
        assert c.response().body == b"released"
    for some in clients.values():
        assert some[1].response().status == 200
    served = [path for c in held for path in json.loads(c.request("/calls").body)]
    assert served.count("/stays") == 2 and "/goes" not in served
    close(*held, *sum(clients.values(), []))


# A worker that is lost

@pytest.mark.plain
@pytest.mark.parametrize("n_killed", [1, 2])
def test_a_killed_worker_loses_nothing_that_waits(web, meeting, n_killed):
    server = web("processes = 2")
    clients = connect_by_worker(server, 6)
    held, visitors = hold_each(clients, meeting)
    probes = [some.pop() for some in clients.values()]
    waiting = sum(clients.values(), [])
    bodies = [pattern(n % 10 * 6000) for n in range(len(waiting))]  # each is read at once
    for c, body in zip(waiting, bodies):
        c.send(request_bytes("/echo", "POST", body=body) + request_bytes("/pid"))
    for probe in probes:
        refuse(probe)
    victims = visitors[:n_killed]
    for v in victims:
        os.kill(v.pid, signal.SIGKILL)
    for c, body in zip(waiting, bodies):
        assert c.response().body == body
        assert int(c.response().body) not in {v.pid for v in visitors}
    for c, v in zip(held, visitors):
        if v in victims:
            assert c.at_end()
        else:
            v.release()
            assert c.response().body == b"released"
    close(*held, *probes, *waiting)


@pytest.mark.plain
@pytest.mark.parametrize("processes", [1, 2])
def test_harakiri_costs_the_stuck_request_only(web, meeting, processes):
    server = web(f"processes = {processes}\nharakiri = 1")
    idle = connect(server, 20)
    waiting = connect(server, 2 * processes)
    with contextlib.ExitStack() as stack:
        stuck = [stack.enter_context(busy(server.address, meeting)) for _ in range(processes)]
        for c in waiting:
            c.send(request_bytes("/pid"))
        pids = {v.pid for _, v in stuck}
        assert len(pids) == processes
        server.wait_line(r"error: harakiri: GET /wait\?at=\S* from \S+ has been running for 1.0 s: "
                         r"this worker is killed", count=processes)
        for c, visitor in stuck:
            assert c.at_end()
        assert not proc.wait_gone(pids)
    for c in waiting:
        assert int(c.response().body) not in pids
    for c in idle:
        assert int(c.request("/pid").body) not in pids
    close(*idle, *waiting)


def test_a_request_within_harakiri_is_not_harmed(web):
    server = web("harakiri = 3")
    with Connection(server.address) as c:
        first = c.request("/pid").body
        for _ in range(2):
            assert c.request("/sleep?s=1.8").body == b"slept"
        c.send(request_bytes("/sleep?s=0.6") * 6)
        for _ in range(6):
            assert c.response().body == b"slept"
        assert c.request("/pid").body == first
    assert not server.log.find("harakiri:|killed by")


# A worker that ends

def reload(server, generation):
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(generation))


def end_one(server, clients):
    """An operator ends a worker that has some of @clients. -> its pid"""
    pid = int(clients[0].request("/pid").body)
    os.kill(pid, signal.SIGTERM)
    return pid


@pytest.mark.plain
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("how", ["TERM", "HUP"])
def test_idle_connections_live_on(web, processes, how):
    server = web(f"processes = {processes}")
    clients = connect(server, 200)
    workers = {c.request("/pid").body for c in clients}
    if how == "TERM":
        old = [end_one(server, clients)]
    else:
        old = list(map(int, workers))
        reload(server, 2)
    assert not proc.wait_gone(old)
    answers = [c.request("/pid") for c in clients]
    assert not any(a.close for a in answers)
    pids = collections.Counter(int(a.body) for a in answers)
    assert not set(old) & set(pids)
    close(*clients)


@pytest.mark.plain
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("how", ["TERM", "HUP"])
def test_idle_connections_of_a_busy_worker_live_on(web, meeting, processes, how):
    server = web(f"processes = {processes}")
    clients = connect(server, 200)
    with busy(server.address, meeting) as (c, visitor):
        if how == "TERM":
            os.kill(visitor.pid, signal.SIGTERM)
            if processes == 2:
                for other in clients:
                    assert int(other.request("/pid").body) != visitor.pid
        else:
            reload(server, 2)
            for other in clients:
                assert int(other.request("/pid").body) != visitor.pid
        visitor.release()
        assert c.response().body == b"released"
        assert not proc.wait_gone([visitor.pid])
        for other in [c, *clients]:
            answer = other.request("/pid")
            assert int(answer.body) != visitor.pid and not answer.close
    close(*clients)


@pytest.mark.plain
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("how", ["TERM", "HUP"])
def test_requests_that_wait_are_answered_when_their_worker_ends(web, meeting, processes, how):
    server = web(f"processes = {processes}")
    clients = connect_by_worker(server, 5, workers=processes)
    held, visitors = hold_each(clients, meeting)
    probes = [some.pop() for some in clients.values()]
    waiting = sum(clients.values(), [])
    for n, c in enumerate(waiting):
        c.send(request_bytes("/pid") + request_bytes(f"/query?{n}"))
    for probe in probes:
        refuse(probe)
    if how == "TERM":
        os.kill(visitors[0].pid, signal.SIGTERM)
    else:
        reload(server, 2)  # the next generation is idle
        assert int(waiting[0].response().body) not in {v.pid for v in visitors}
    for v in visitors:
        v.release()
    for c in held:
        assert c.response().body == b"released"
    for c in waiting[how == "HUP":]:
        assert c.response().body.isdigit()
    for n, c in enumerate(waiting):
        assert c.response().body == b"%d" % n
        assert c.request("/query?more").body == b"more"
    close(*held, *probes, *waiting)


def drop(server, line):
    """Takes @line out of the configuration and reloads."""
    new = pathlib.Path(f"{server.config}.new")
    new.write_text(server.config.read_text().replace(line, ""))
    new.rename(server.config)
    reload(server, 2)


def test_idle_connections_to_a_socket_that_is_no_longer_configured(instance, folder):
    server = instance(f"http-socket = {folder}/stays\nhttp-socket = {folder}/goes\n{WEB}")
    stays, goes = ([Connection(folder / name) for _ in range(20)] for name in ("stays", "goes"))
    for c in [*stays, *goes]:
        assert c.request().status == 200
    drop(server, f"http-socket = {folder}/goes\n")
    for c in goes:
        assert c.at_end()
    for c in stays:
        answer = c.request()
        assert answer.status == 200 and not answer.close
    close(*stays, *goes)


@pytest.mark.parametrize("processes", [1, 2])
def test_requests_to_a_socket_that_is_no_longer_configured(instance, meeting, folder, processes):
    """They were accepted, and so they are answered."""
    server = instance(f"http-socket = {folder}/stays\nhttp-socket = {folder}/goes\n{WEB}"
                      f"processes = {processes}")
    server.address = f"{folder}/goes"
    clients = connect_by_worker(server, 3, workers=processes)
    held, visitors = hold_each(clients, meeting)
    probes = [some.pop() for some in clients.values()]
    waiting = sum(clients.values(), [])
    for c in waiting:
        c.send(request_bytes("/pid"))
    for probe in probes:
        refuse(probe)
    drop(server, f"http-socket = {folder}/goes\n")
    for c in waiting:
        answer = c.response()
        assert int(answer.body) not in {v.pid for v in visitors} and answer.close
        assert c.at_end()
    for c, v in zip(held, visitors):
        v.release()
        assert c.response().body == b"released"
        assert c.at_end()
    close(*held, *probes, *waiting)


def test_an_end_of_the_instance_closes_in_order(web, meeting):
    server = web("processes = 2")
    clients = connect(server, 50)
    with busy(server.address, meeting) as (c, visitor):
        server.kill(signal.SIGQUIT)
        for other in clients:
            assert other.at_end()
        visitor.release()
        assert c.response().body == b"released"
    assert server.wait() == 0
    close(*clients)


@pytest.mark.plain
@pytest.mark.parametrize("processes", [1, 2])
def test_requests_that_wait_are_answered_at_the_end_of_the_instance(web, meeting, processes):
    server = web(f"processes = {processes}")
    clients = connect_by_worker(server, 5, workers=processes)
    held, visitors = hold_each(clients, meeting)
    probes = [some.pop() for some in clients.values()]
    waiting = sum(clients.values(), [])
    for n, c in enumerate(waiting):
        c.send(request_bytes(f"/query?{n}"))
    for probe in probes:
        refuse(probe)
    server.kill(signal.SIGQUIT)
    for v in visitors:
        v.release()
    for c in held:
        assert c.response().body == b"released"
    for n, c in enumerate(waiting):
        assert c.response().body == b"%d" % n
        assert c.at_end()
    close(*held, *probes, *waiting)
    assert server.wait() == 0


def test_what_was_handed_on_is_counted_out(web, meeting):
    """Nothing is left in the queue, and no descriptor in the workers, however often it happens."""
    server = web("processes = 2")
    before = None
    for n in range(30):
        with one_is_busy(server, meeting) as ([c, *_], other, _):
            assert c.request("/echo", "POST", body=pattern(100_000)).body == pattern(100_000)
            open_now = len(proc.descriptors(other))
        if n == 0:
            before = open_now
    assert open_now <= before + 20
    for generation in range(2, 5):
        reload(server, generation)
        server.wait_line(says.ended(generation - 1))
    assert client.get(server.address).status == 200
