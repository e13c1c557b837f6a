# SPDX-License-Identifier: MIT
"""HTTP/1.1 as a client sees it: connections, framing, bodies, limits, and clients that are slow,
rude or gone."""
import email.utils
import hashlib
import json
import re
import select
import socket
import struct
import threading
import time

import pytest

from harness import client, proc
from harness.client import Connection, request_bytes
from harness.data import chunked, pattern
from harness.meeting import Meeting
from harness.programs import PATIENCE, sanitized

WEB = "wsgi-file = {apps}/python/web.py\n"
MIB = 1024 * 1024


@pytest.fixture
def web(instance):
    """web(settings) -> a server of tests/apps/python/web.py."""
    return lambda settings="", **kw: instance(WEB + settings, **kw)


@pytest.fixture
def tcp(web, free_address):
    """The same on TCP."""
    def start(settings="", **kw):
        at = free_address()
        server = web(f"http-socket = {at}\n{settings}", **kw)
        server.address = at
        return server
    return start


def wait_until_closed(server, worker, n_descriptors):
    """Until @worker has no more than @n_descriptors; requests make its loop go round meanwhile."""
    with Connection(server.address) as c:
        for _ in range(100):
            assert c.request("/pid").body == b"%d" % worker
            if len(proc.descriptors(worker)) <= n_descriptors + 1:
                return
    raise AssertionError(f"more than {n_descriptors}: {proc.descriptors(worker)}")


def receive_buffer(c, size):
    """Makes what the kernel keeps for the client small."""
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


# Connections

@pytest.mark.plain
def test_a_connection_serves_many_requests(tcp):
    server = tcp()
    with Connection(server.address) as c:
        ports = {json.loads(c.request("/environ").body)["REMOTE_PORT"] for _ in range(10)}
        assert ports == {str(c.socket.getsockname()[1])}
        last = c.request(fields=[("Connection", "close")])
        assert last.close and c.at_end()


@pytest.mark.parametrize("version, fields, stays", [
    ("1.1", [], True),
    ("1.1", [("Connection", "close")], False),
    ("1.1", [("Connection", "Keep-Alive, CLOSE")], False),
    ("1.1", [("Connection", "foo"), ("Connection", "close")], False),
    ("1.0", [], False),
    ("1.0", [("Connection", "keep-alive")], True),
    ("1.0", [("Connection", "close, keep-alive")], False),
])
def test_who_keeps_a_connection(web, version, fields, stays):
    with Connection(web().address) as c:
        answer = c.request(version=version, fields=fields)
        assert answer.body == b"hello\n"
        assert answer.close is not stays
        if version == "1.0" and stays:
            assert answer.get("Connection") == "keep-alive"
        if stays:
            assert c.request().body == b"hello\n"
        else:
            assert c.at_end()


def test_an_idle_connection_is_closed_in_order(web):
    with Connection(web("http-keepalive = 0.2").address) as c:
        assert c.request().status == 200
        assert c.at_end()


def test_http_1_0_without_host(web):
    with Connection(web().address) as c:
        c.send(b"GET /query?old HTTP/1.0\r\n\r\n")
        answer = c.response()
        assert (answer.body, answer.close) == (b"old", True)
        assert c.at_end()


def test_http_1_0_gets_no_chunks(web):
    with Connection(web().address) as c:
        c.send(b"GET /stream?n=100000&size=1000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = c.response()
        assert answer.get("Transfer-Encoding") is answer.get("Content-Length") is None
        assert answer.body == pattern(100000)


@pytest.mark.plain
def test_fifty_requests_in_one_segment(tcp):
    with Connection(tcp().address) as c:
        c.send(b"".join(request_bytes(f"/query?{n}") for n in range(50)))
        for n in range(50):
            assert c.response().body == b"%d" % n
        assert c.request("/query?after").body == b"after"


def test_pipelined_requests_with_bodies(web):
    with Connection(web().address) as c:
        bodies = [pattern(n * 37) for n in range(40)]
        c.send(b"".join(
            request_bytes("/echo", "POST", body=b) if n % 2 else
            request_bytes("/echo", "POST", [("Transfer-Encoding", "chunked")], chunked(b, 100))
            for n, b in enumerate(bodies)))
        for body in bodies:
            assert c.response().body == body


def test_a_pipeline_ends_with_the_connection(web):
    server = web()
    with Connection(server.address) as c:
        c.send(request_bytes() + request_bytes(fields=[("Connection", "close")]) +
               request_bytes("/follower") * 3)
        assert not c.response().close
        assert c.response().close
        assert c.at_end()
    assert b"follower" not in client.get(server.address, "/calls").body


def test_pipelined_answers_that_the_client_does_not_take(web):
    """Large ones: the server stops reading when it cannot write, and loses nothing."""
    with Connection(web().address) as c:
        requests = request_bytes("/bytes?n=1000000") * 20
        sender = threading.Thread(target=c.send, args=(requests,))
        sender.start()
        for _ in range(20):
            assert c.response().body == pattern(1_000_000)
        sender.join()


@pytest.mark.parametrize("fields, body", [
    ([], pattern(50)),
    ([("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")],
     b"5;name=\"a;b\";other\r\nhello\r\n00A\r\n 0123 5678\r\n0\r\nX-Sum: 1\r\n\r\n"),
])
def test_byte_by_byte(tcp, fields, body):
    with Connection(tcp().address) as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for byte in request_bytes("/echo?q=1", "POST", fields, body if not fields else None):
                c.send(bytes([byte]))
            for byte in body if fields else b"":
                c.send(bytes([byte]))
            assert c.response().body == (b"hello 0123 5678" if fields else body)


def test_a_request_in_two_parts_wherever_it_is_cut(web):
    request = request_bytes("/echo", "POST", [("X-Name", "value")], b"the body")
    with Connection(web().address) as c:
        for cut in range(1, len(request)):
            c.send(request[:cut])
            c.send(request[cut:])
            assert c.response().body == b"the body"


# Methods and framing

def test_head_has_the_head_of_get(web):
    with Connection(web().address) as c:
        get, head = c.request("/bytes?n=5000"), c.request("/bytes?n=5000", "HEAD")
        assert head.body == b""
        assert [f for f in head.fields if f[0] != "Date"] == [
            f for f in get.fields if f[0] != "Date"]
        assert c.request("/stream?n=5000&size=10", "HEAD").body == b""
        assert c.request("/nothing", "HEAD").status == 200
        assert c.request().body == b"hello\n"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_a_body(web, status):
    with Connection(web().address) as c:
        target = "/status?is=" + status.replace(" ", "+")
        for method in ("GET", "HEAD"):
            answer = c.request(target, method)
            assert f"{answer.status} {answer.reason}" == status
            assert answer.get("Transfer-Encoding") is None
            assert not answer.close
        assert c.request().body == b"hello\n"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_methods(web, method):
    with Connection(web().address) as c:
        assert json.loads(c.request("/environ", method).body)["REQUEST_METHOD"] == method


@pytest.mark.plain
def test_chunks_both_ways(web):
    with Connection(web().address) as c:
        for size in (1, 100, 8192, 100_000):
            answer = c.request("/stream?n=200000&size=%d" % size)
            assert answer.get("Transfer-Encoding") == "chunked"
            assert answer.get("Content-Length") is None
            assert answer.body == pattern(200_000)
        for size in (1, 4096, 300_000):
            c.send(request_bytes("/digest", "POST", [("Transfer-Encoding", "chunked")]) +
                   chunked(pattern(300_000), size))
            seen = json.loads(c.response().body)
            assert seen["sha256"] == hashlib.sha256(pattern(300_000)).hexdigest()
            assert seen["announced"] == "300000"  # a WSGI application has no other way to know


def test_trailers_are_dropped(web):
    with Connection(web().address) as c:
        c.send(request_bytes("/environ", "POST", [("Transfer-Encoding", "chunked")]) +
               b"3\r\nabc\r\n0\r\nX-Trailer: secret\r\nCookie: secret\r\n\r\n")
        assert "secret" not in c.response().body.decode()


def test_expect_100_continue(web):
    with Connection(web().address) as c:
        expect = [("Expect", "100-continue"), ("Content-Length", "4")]
        c.send(request_bytes("/echo", "POST", expect))
        assert c.interim().status == 100
        c.send(b"body")
        assert c.response().body == b"body"

        c.send(request_bytes("/echo", "POST", expect) + b"body")
        assert c.response().body == b"body"  # with or without an interim one

        c.send(request_bytes("/echo", "POST", expect[:1] + [("Transfer-Encoding", "chunked")]))
        assert c.interim().status == 100
        c.send(chunked(b"more"))
        assert c.response().body == b"more"


def test_expect_of_an_old_client_is_ignored(web):
    with Connection(web().address) as c:
        c.send(request_bytes("/echo", "POST", [("Expect", "100-continue"),
                                               ("Content-Length", "4")], version="1.0"))
        c.send(b"body")
        assert c.line() == b"HTTP/1.1 200 OK"


def test_a_refused_request_is_not_asked_for(web):
    with Connection(web("limit-post = 1000").address) as c:
        c.send(request_bytes("/echo", "POST", [("Expect", "100-continue"),
                                               ("Content-Length", "1001")]))
        assert c.line() == b"HTTP/1.1 413 Content Too Large"


def test_date_and_server(web):
    with Connection(web().address) as c:
        answer = c.request()
        assert answer.get("Server") == "liege"
        date = email.utils.parsedate_to_datetime(answer.get("Date")).timestamp()
        assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT",
                            answer.get("Date"))
        assert abs(date - time.time()) <= 2
        own = c.request("/headers?Server=mine&Date=yesterday")
        assert (own.all("Server"), own.all("Date")) == (["mine"], ["yesterday"])


def test_fields_that_belong_to_the_server(web):
    with Connection(web().address) as c:
        answer = c.request("/headers?Transfer-Encoding=gzip&Keep-Alive=timeout%3D5&X-Own=yes")
        assert answer.body == b"headers\n"
        assert answer.get("Transfer-Encoding") is answer.get("Keep-Alive") is None
        assert answer.get("X-Own") == "yes"
        assert c.request("/headers?Connection=close").close


# Bodies

@pytest.mark.plain
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_of_64_mib(web, folder, framing):
    spool = folder / "spool"
    spool.mkdir()
    server = web("post-buffering = 64k", env={"TMPDIR": spool})
    worker = int(client.get(server.address, "/pid").body)
    before = proc.memory(worker)["Rss"]
    body = pattern(64 * MIB)
    with Connection(server.address) as c:
        if framing == "length":
            c.send(request_bytes("/digest", "POST", body=body))
        else:
            c.send(request_bytes("/digest", "POST", [("Transfer-Encoding", "chunked")]))
            c.send(chunked(body, 1_000_000))
        seen = json.loads(c.response().body)
        assert (seen["length"], seen["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
        assert list(spool.iterdir()) == []
        if not sanitized():
            assert proc.memory(worker)["Rss"] - before < 8 * MIB
        assert c.request().status == 200
    assert not [w for w in proc.descriptors(worker).values() if str(spool) in w]


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 2048, 65535, 65536, 65537, 200_000])
def test_bodies_around_the_buffer(web, size):
    with Connection(web("post-buffering = 1k").address) as c:
        for _ in range(2):
            assert c.request("/echo", "POST", body=pattern(size)).body == pattern(size)
            c.send(request_bytes("/echo", "POST", [("Transfer-Encoding", "chunked")]) +
                   chunked(pattern(size), 1000))
            assert c.response().body == pattern(size)


def test_a_body_is_not_begun_before_it_is_complete(web):
    """A slow upload costs no worker."""
    server = web()
    with Connection(server.address) as slow, Connection(server.address) as other:
        slow.send(request_bytes("/echo", "POST", [("Content-Length", "100")]) + b"x" * 99)
        for _ in range(10):
            assert other.request().status == 200
        slow.send(b"x")
        assert slow.response().body == b"x" * 100
    assert json.loads(client.get(server.address, "/calls").body).index("/echo") == 10


def test_the_spool_cannot_be_written(web, folder):
    server = web("post-buffering = 1k", env={"TMPDIR": folder / "missing"})
    with Connection(server.address) as c:
        c.send(request_bytes("/echo", "POST", body=b"x" * 10_000))
        assert c.response().status == 500
        server.wait_line("answered 500: the request body cannot be stored")
    assert client.get(server.address).status == 200


# Limits

LIMITS = "buffer-size = 8k\nlimit-request-line = 1k\nlimit-request-field-size = 2k\n" \
         "limit-request-fields = 20\nlimit-post = 1000\n"


@pytest.mark.parametrize("request_, status, reason", [
    (b"GET / HTTP/1.1\r\n\r\n", 400, "HTTP/1.1 without a Host field"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400, ""),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "TLS handshake"),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP version"),
    (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "unknown method"),
    (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501, "no proxy"),
    (request_bytes("/echo", "POST", [("Content-Length", "1001")]), 413, "limit-post"),
    (request_bytes("/echo", "POST", [("Transfer-Encoding", "chunked")]) +
     chunked(b"x" * 1001, 100), 413, "limit-post"),
    (request_bytes("/" + "x" * 1024), 414, "limit-request-line"),
    (request_bytes("/" + "x" * 9000), 414, "buffer-size"),
    (request_bytes(fields=[("X-Long", "x" * 2048)]), 431, "limit-request-field-size"),
    (request_bytes(fields=[("X", "x")] * 20), 431, "limit-request-fields"),
    (request_bytes(fields=[("X", "x" * 1800)] * 5), 431, "buffer-size"),
])
def test_limits(tcp, request_, status, reason):
    server = tcp(LIMITS)
    with Connection(server.address) as c:
        c.send(request_ + request_bytes("/follower"))
        answer = c.response()
        assert (answer.status, answer.close) == (status, True)
        assert answer.body and answer.get("Content-Type") == "text/plain"
        assert c.at_end()
    server.wait_line(rf"127\.\S+: answered {status}: .*{reason}")
    assert json.loads(client.get(server.address, "/calls").body) == []


def test_just_below_the_limits(web):
    with Connection(web(LIMITS).address) as c:
        assert c.request("/" + "x" * 1023).status == 200
        assert c.request("/echo", "POST", body=b"x" * 1000).status == 200
        c.send(request_bytes("/echo", "POST", [("Transfer-Encoding", "chunked")]) +
               chunked(b"x" * 1000, 7))
        assert c.response().status == 200
        assert c.request(fields=[("X", "x" * (2048 - 5))]).status == 200
        assert c.request(fields=[("X", "x")] * 19).status == 200


@pytest.mark.parametrize("settings, begun, reason", [
    ("http-timeout = 0.3", b"GET / HTTP/1.1\r\nHost:", "http-timeout"),
    ("socket-timeout = 0.3", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
     "socket-timeout"),
    ("socket-timeout = 0.3",
     b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf",
     "socket-timeout"),
])
def test_a_request_that_does_not_come(web, settings, begun, reason):
    server = web(settings)
    with Connection(server.address) as c:
        c.send(begun)
        answer = c.response()
        assert (answer.status, answer.close) == (408, True)
        assert c.at_end()
    server.wait_line(rf"answered 408: .*{reason}")


def test_a_head_in_drops_is_not_waited_for_longer(web):
    """Slowloris: each byte is a sign of life, but does not win time."""
    server = web("http-timeout = 0.5")
    with Connection(server.address) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        readable = select.poll()
        readable.register(c.socket, select.POLLIN)
        while not readable.poll(50):
            c.send(b"X: y\r\n")
        assert c.response().status == 408


# Clients

def test_a_slow_reader_gets_every_byte(web):
    server = web("processes = 2")
    with Connection(server.address) as slow:
        receive_buffer(slow, 4096)
        slow.send(request_bytes("/stream?n=%d&size=500000" % (20 * MIB)))
        for _ in range(100):  # others are served meanwhile
            assert client.get(server.address).body == b"hello\n"
        answer = slow.response()
        assert answer.body == pattern(20 * MIB)


@pytest.mark.plain
def test_an_answer_that_nobody_takes_costs_no_worker(web):
    """One worker: what the application has finished is the loop's to send."""
    server = web()
    with Connection(server.address) as slow:
        slow.send(request_bytes("/bytes?n=%d" % (20 * MIB)))
        slow.wait_input()
        for _ in range(20):
            assert client.get(server.address).body == b"hello\n"
        assert slow.response().body == pattern(20 * MIB)
        assert slow.request().body == b"hello\n"


def test_a_client_that_takes_nothing_is_cut_off(web):
    server = web("socket-timeout = 0.3")
    for target in ("/bytes?n=%d", "/stream?n=%d&size=500000"):
        with Connection(server.address) as c:
            c.send(request_bytes(target % (20 * MIB)))
            gone = select.poll()
            gone.register(c.socket, select.POLLRDHUP)
            assert gone.poll(PATIENCE * 1000), "the server holds on"
            with pytest.raises(client.ProtocolError):
                c.response()
            assert client.get(server.address).body == b"hello\n"


@pytest.mark.parametrize("target", ["/bytes?n=20000000", "/stream?n=20000000&size=100000"])
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_goes_while_it_is_answered(tcp, target, reset):
    server = tcp()
    worker = int(client.get(server.address, "/pid").body)
    before = len(proc.descriptors(worker))
    for _ in range(10):
        with Connection(server.address) as c:
            c.send(request_bytes(target))
            c.wait_input()
            if reset:
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until_closed(server, worker, before)
    assert not server.log.find("Traceback")


def test_clients_that_go_before_they_are_served(tcp, folder):
    """They wait in the queue, send a request or half of one, and reset."""
    server = tcp("http-timeout = 1")
    with Meeting(folder) as meeting, Connection(server.address) as busy:
        busy.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        before = len(proc.descriptors(visitor.pid))
        for n in range(300):
            with Connection(server.address) as c:
                c.send([b"", b"GET / HT", request_bytes(), request_bytes() * 3][n % 4])
                if n % 3:
                    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        struct.pack("ii", 1, 0))
        visitor.release()
        assert busy.response().body == b"released"
        wait_until_closed(server, visitor.pid, before)


@pytest.mark.plain
@pytest.mark.parametrize("target, body", [
    ("/query?half", b"half"), ("/bytes?n=3000000", pattern(3_000_000)),
    ("/stream?n=3000000&size=100000", pattern(3_000_000)),
])
def test_a_client_that_has_said_everything(tcp, target, body):
    """Half-closed: it sends no more, and wants its answers."""
    with Connection(tcp().address) as c:
        c.send(request_bytes("/query?first") + request_bytes(target))
        c.end_sending()
        assert c.response().body == b"first"
        assert c.response().body == body
        assert c.at_end()


def test_half_a_request_and_then_the_end(web):
    server = web()
    for part in (b"", b"GET", request_bytes()[:-1],
                 request_bytes("/half", "POST", body=b"12345")[:-1],
                 request_bytes("/half", "POST", [("Transfer-Encoding", "chunked")])
                 + b"3\r\nabc\r\n0\r\n"):
        with Connection(server.address) as c:
            c.send(part)
            c.end_sending()
            assert c.at_end()
    assert json.loads(client.get(server.address, "/calls").body) == []


@pytest.mark.plain
@pytest.mark.parametrize("target", ["/bytes?n=3145728", "/stream?n=3145728&size=65536"])
def test_three_mib_for_many(tcp, target):
    server = tcp("processes = 2")
    whole, wrong = pattern(3 * MIB), []

    def fetch():
        with Connection(server.address) as c:
            for _ in range(5):
                if c.request(target).body != whole:
                    wrong.append(c)

    threads = [threading.Thread(target=fetch) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# The access log

def test_a_request_is_a_line(tcp):
    server = tcp()
    with Connection(server.address) as c:
        c.request("/query?x=1", "POST", body=b"abc")
    server.wait_line(r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d app\.ini 127\.\S+ '
                     r'"POST /query\?x=1 HTTP/1\.1" 200 3 \d+\.\d{3}ms$')


def test_what_a_client_sends_stays_in_its_line(web):
    server = web()
    with Connection(server.address) as c:
        c.send(b'GET /"quoted"\\ HTTP/1.1\r\nHost: a\r\n\r\n')
        assert c.response().status in (200, 400)
        c.request("/" + "y" * 5000)
    server.wait_line(r'"GET /y{511} HTTP/1\.1" 200')
    line = server.log.find("quoted")
    assert all(r'"GET /\x22quoted\x22\x5c HTTP/1.1" 200' in text for text in line)


def test_the_log_can_be_turned_off(web):
    server = web("disable-logging = yes")
    assert client.get(server.address, "/query?unseen").body == b"unseen"
    assert server.stop() == 0
    assert not server.log.find("unseen")
