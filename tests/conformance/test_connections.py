# SPDX-License-Identifier: MIT
"""Connections (RFC 9112 section 9): who keeps them, pipelines, what is said before the body comes, what
has no body, and clients that stop in the middle."""
import json
import socket
import struct

import pytest

from harness.client import request_bytes
from harness.meeting import Meeting

from . import delivery
from .rules import CLOSED, FOLLOWER, chunks, cl, head, play, rows

A = b"GET /a HTTP/1.1"
OLD = b"GET /a HTTP/1.0"
KEEP = b"Connection: keep-alive"
CLOSE = b"Connection: close"

KEPT = [
    ("1.1", head(start=A), "GET /a"),
    ("1.1 keep-alive", head(KEEP, start=A), "GET /a"),
    ("1.1 with another option", head(b"Connection: x", start=A), "GET /a"),
    ("1.1 an option that contains close", head(b"Connection: closed, not-close", start=A),
     "GET /a"),
    ("1.1 close within quotes", head(b'Connection: "close"', start=A), "GET /a"),
    ("1.1 close", head(CLOSE, start=A), ["GET /a", CLOSED]),
    ("1.1 close in capitals", head(b"Connection: CLOSE", start=A), ["GET /a", CLOSED]),
    ("1.1 close in a list", head(b"Connection: x,\tclose , y", start=A), ["GET /a", CLOSED]),
    ("1.1 close after empty items", head(b"Connection: ,, close", start=A), ["GET /a", CLOSED]),
    ("1.1 close in a second field", head(KEEP, CLOSE, start=A), ["GET /a", CLOSED]),
    ("1.1 close and then keep-alive", head(CLOSE, KEEP, start=A), ["GET /a", CLOSED]),
    ("1.1 Proxy-Connection says nothing", head(b"Proxy-Connection: close", start=A), "GET /a"),
    ("1.0", head(start=OLD), ["GET /a", CLOSED]),
    ("1.0 keep-alive", head(KEEP, start=OLD), "GET /a"),
    ("1.0 keep-alive in capitals", head(b"Connection: Keep-Alive", start=OLD), "GET /a"),
    ("1.0 keep-alive and close", head(b"Connection: keep-alive, close", start=OLD),
     ["GET /a", CLOSED]),
    ("1.0 with another option", head(b"Connection: x", start=OLD), ["GET /a", CLOSED]),
    ("1.0 Proxy-Connection says nothing", head(b"Proxy-Connection: keep-alive", start=OLD),
     ["GET /a", CLOSED]),
]

PIPELINES = [
    ("two", head(start=A) * 2, ["GET /a"] * 2),
    ("twenty", head(start=A) * 20, ["GET /a"] * 20),
    ("with empty lines between", head(start=A) + b"\r\n" + head(start=A), ["GET /a"] * 2),
    ("with bodies of both kinds",
     head(b"Content-Length: 1", start=b"POST /a HTTP/1.1") + b"1"
     + head(b"Transfer-Encoding: chunked", start=b"POST /b HTTP/1.1") + b"1\r\n2\r\n0\r\n\r\n"
     + head(b"Content-Length: 0", start=b"POST /c HTTP/1.1"), ["POST /a 1", "POST /b 2", "POST /c"]),
    ("with a HEAD", head(start=b"HEAD /a HTTP/1.1") + head(start=A), ["HEAD /a", "GET /a"]),
    ("up to one that closes", head(start=A) + head(CLOSE, start=A) + head(start=A) * 3,
     ["GET /a", "GET /a", CLOSED]),
    ("up to one of 1.0", head(start=A) + head(start=OLD) + head(start=A), ["GET /a"] * 2 + [CLOSED]),
    ("of 1.0 that are kept", head(KEEP, start=OLD) * 3, ["GET /a"] * 3),
    ("up to a bad one", head(start=A) * 2 + cl(b": 5, 5") + head(start=A), ["GET /a"] * 2 + [400]),
    ("up to a bad body", head(start=A) + chunks(b"5\r\nhelloXX"), ["GET /a", 400]),
    ("up to a bad length", head(start=A) + head(b"Content-Length: x"), ["GET /a", 400]),
    ("with a PROXY line", head(start=A) + b"PROXY TCP4 1.1.1.1 1.1.1.1 1 2\r\n" + head(start=A),
     ["GET /a", 400]),
    ("with bytes behind a body", cl(b": 5", b"hello!").replace(b"/bad", b"/a"),
     ["POST /a hello", {400, 501}]),
]

WITHOUT_A_BODY = [
    # the application's status and body, Content-Length that may be there
    ("HEAD", "200 OK", b"hello", {None, "5"}),
    ("HEAD", "404 Not Found", b"hello", {None, "5"}),
    ("GET", "204 No Content", b"hello", {None}),
    ("HEAD", "204 No Content", b"hello", {None}),
    ("GET", "304 Not Modified", b"hello", {None, "5"}),
    ("HEAD", "304 Not Modified", b"hello", {None, "5"}),
    ("GET", "200 OK", b"", {"0"}),
]

# What a client may have sent when it stops.
HALVES = [
    b"", b"G", b"GET ", b"GET /a", b"GET /a HTTP/1.1", b"GET /a HTTP/1.1\r\n",
    b"GET /a HTTP/1.1\r\nHost: te", head(start=A)[:-1], head(start=A)[:-2],
    cl(b": 5", b""), cl(b": 5", b"hel"), cl(b": 5", b"hell"),
    *[chunks(part) for part in (
        b"", b"1", b"5\r\n", b"5\r\nhe", b"5\r\nhello", b"5\r\nhello\r", b"5\r\nhello\r\n",
        b"5\r\nhello\r\n0", b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0\r\n\r",
        b"5\r\nhello\r\n0\r\nX: y", b"5\r\nhello\r\n0\r\nX: y\r\n")],
]


@rows(KEPT)
def test_who_keeps_a_connection(http, data, outcome):
    play(http, data, outcome)


@rows(PIPELINES)
def test_pipeline(http, data, outcome):
    play(http, data, outcome)


def test_an_old_client_is_told_that_it_may_go_on(http):
    with http.kind.connect() as c:
        for _ in range(2):
            c.send(head(KEEP, start=OLD))
            assert c.response().get("Connection") == "keep-alive"
    http.seen()


@pytest.mark.parametrize("method, status, body, lengths", WITHOUT_A_BODY)
def test_an_answer_without_a_body(http, method, status, body, lengths):
    """Nothing follows its head: the next answer on the connection does (RFC 9112 section 6.3)."""
    target = "/respond?status=" + status.replace(" ", "+")
    with http.kind.connect() as c:
        c.send(request_bytes(target, method, body=body) + FOLLOWER)
        answer = c.response(method)
        assert answer.status == int(status[:3])
        assert answer.body == b"" and answer.get("Transfer-Encoding") is None
        assert answer.get("Content-Length") in lengths
        assert json.loads(c.response().body)["environ"]["PATH_INFO"] == "/follower"
    http.seen()


@pytest.mark.parametrize("half", HALVES, ids=lambda half: repr(half[-12:].decode()))
def test_half_a_request_and_then_the_end(http, half):
    """The connection ends in order, and the application never knew."""
    for pieces in ([half], delivery.split(half, delivery.cuts(half))):
        with http.kind.connect() as c:
            delivery.deliver(c, pieces)
            c.end_sending()
            assert c.at_end()
    assert http.seen() == []


@pytest.mark.parametrize("half", HALVES, ids=lambda half: repr(half[-12:].decode()))
def test_half_a_request_and_then_a_reset(http, half):
    with http.kind.connect() as c:
        c.send(half)
        if c.socket.family != socket.AF_UNIX:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert http.seen() == []


def test_a_client_that_has_said_everything_gets_its_answers(http):
    """It shuts down its half of the connection after its requests."""
    with http.kind.connect() as c:
        c.send(request_bytes("/a", "POST", body=b"hello") + FOLLOWER)
        c.end_sending()
        assert json.loads(c.response().body)["body"] == "hello"
        assert c.response().status == 200
        assert c.at_end()
    http.seen()


def test_a_client_that_goes_before_it_is_answered(http, folder):
    """Its answer goes nowhere, and the next client gets its own."""
    with Meeting(folder) as meeting:
        with http.kind.connect() as c:
            c.send(request_bytes(meeting.target))
            visitor = meeting.arrive()
        visitor.release("for nobody")
        assert http.ask("/own")["environ"]["PATH_INFO"] == "/own"
    assert http.seen() == [["GET", "/wait", ""], ["GET", "/own", ""]]


EXPECT = [("Expect", "100-continue")]


@pytest.mark.parametrize("fields, body", [
    ([("Content-Length", "5")], b"hello"),
    ([("Transfer-Encoding", "chunked")], b"5\r\nhello\r\n0\r\n\r\n"),
])
def test_expect(http, fields, body):
    """A client that waits is told to go on, once; one that does not wait is answered (RFC 9110
    section 10.1.1)."""
    request = request_bytes("/a", "POST", EXPECT + fields)
    with http.kind.connect() as c:
        c.send(request)
        assert c.interim().status == 100
        for byte in body:
            c.send(bytes([byte]))
        answer = c.response()
        assert json.loads(answer.body)["body"] == "hello"
        c.send(request + body + FOLLOWER)
        assert json.loads(c.response().body)["body"] == "hello"
        assert c.response().status == 200 and not c.buffer
    http.seen()


def test_expect_of_a_request_that_is_refused(http):
    """It is not asked for its body."""
    with http.kind.connect() as c:
        c.send(request_bytes("/a", "POST", EXPECT + [("Content-Length", "99999999999")]))
        assert c.line() == b"HTTP/1.1 413 Content Too Large"
    assert http.seen() == []


def test_expect_without_a_body(http):
    """There is nothing to go on with."""
    with http.kind.connect() as c:
        c.send(request_bytes("/a", "GET", EXPECT))
        assert c.line() == b"HTTP/1.1 200 OK"
    http.seen()


def test_expect_of_an_old_client(http):
    """An interim answer would confuse it."""
    with http.kind.connect() as c:
        c.send(request_bytes("/a", "POST", EXPECT + [("Content-Length", "5")], version="1.0"))
        c.send(b"hello")
        assert c.line() == b"HTTP/1.1 200 OK"
    http.seen()


def test_an_answer_is_framed_for_its_client(http):
    """Without a length: in chunks for 1.1, up to the end for 1.0, which knows no chunks."""
    with http.kind.connect() as c:
        c.send(request_bytes("/iterate?3"))
        answer = c.response()
        assert answer.get("Transfer-Encoding") == "chunked" and len(answer.body) == 30_000
        c.send(head(KEEP, start=b"GET /iterate?3 HTTP/1.0"))
        answer = c.response()
        assert answer.get("Transfer-Encoding") is None and answer.close
        assert len(answer.body) == 30_000
    http.seen()
