# SPDX-License-Identifier: MIT
"""Requests that two programs could read differently. Each is sent with a well-formed follower in
the same segment: the answer is a refusal, the connection ends, and the application is never called,
neither for the bad request nor for the follower. The classes are those of published vulnerabilities
of HTTP servers, on each kind of listener."""
import json
import socket
import struct

import pytest

from harness import client, proc
from harness.client import Connection, request_bytes

FOLLOWER = b"GET /follower HTTP/1.1\r\nHost: test\r\n\r\n"


def head(*lines, start=b"POST /bad HTTP/1.1", host=b"Host: test"):
    return b"\r\n".join([start, *([host] if host else []), *lines, b"", b""])


def te(value):
    """A request with this Transfer-Encoding line and a body that is well-formed in chunks."""
    return head(b"Transfer-Encoding" + value) + b"5\r\nhello\r\n0\r\n\r\n"


def cl(value, body=b"hello"):
    return head(b"Content-Length" + value) + body


def chunks(body):
    return head(b"Transfer-Encoding: chunked") + body


ODD_BLANKS = b"\x00\x01\x08\x0b\x0c\x0e\x1c\x1d\x1e\x1f\x7f\x85\xa0"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"

# name: (requests, statuses that may come)
CASES = {
    "several_transfer_encodings": ([
        te(b": chunked\r\nTransfer-Encoding: identity"),
        te(b": identity\r\nTransfer-Encoding: chunked"),
        te(b": chunked\r\nTransfer-Encoding: chunked"),
        te(b": chunked, identity"), te(b": identity, chunked"), te(b": chunked, chunked"),
        te(b": chunked\r\ntransfer-encoding: xchunked"),
    ], {400}),
    "unknown_transfer_encoding_beside_a_length": ([
        head(b"Transfer-Encoding: xchunked", b"Content-Length: 5") + b"hello",
        head(b"Content-Length: 5", b"Transfer-Encoding: xchunked") + b"hello",
        te(b": xchunked"), te(b": gzip"), te(b": identity"), te(b": "), te(b":"),
        te(b": \"chunked\""), te(b": chunke"), te(b": chunkedd"), te(b": chunked;q=1"),
        te(b": ch\xc2\xb5nked"),
    ], {400, 501}),
    "odd_bytes_around_chunked": (
        [te(b": " + bytes([c]) + b"chunked") for c in ODD_BLANKS + b",;"] +
        [te(b": chunked" + bytes([c])) for c in ODD_BLANKS + b";"],
        {400}),
    "odd_bytes_in_a_name": (
        [cl(bytes([c]) + b": 3")
         for c in b"\x00\x01\x08\t\n\x0b\x0c\r\x1f \"(),/;<=>?@[\\]{}\x7f\x80\x85\xa0\xff"] +
        [head(bytes([c]) + b"Content-Length: 3") + b"abc" for c in b"\x00\t\x0b\x0c\r \x85\xa0"] +
        [head(b": empty"), head(b"Con\ntent-Length: 3") + b"abc"],
        {400}),
    "control_bytes_in_a_value": (
        [head(b"X: a" + bytes([c]) + b"Transfer-Encoding: chunked") + b"0\r\n\r\n"
         for c in b"\r\n\x00\x01\x0b\x0c\x7f"] +
        [head(b"X: a\r\rY: b"), head(b"X: a\r")],
        {400}),
    "a_lone_line_feed": ([
        b"GET /bad HTTP/1.1\nHost: test\r\n\r\n",
        b"GET /bad HTTP/1.1\r\nHost: test\nX: y\r\n\r\n",
        b"GET /bad HTTP/1.1\r\nHost: test\n\r\n",
        b"GET /bad HTTP/1.1\r\nHost: test\r\n\n",
        b"GET /bad HTTP/1.1\nHost: test\n\n",
        b"\nGET /bad HTTP/1.1\r\nHost: test\r\n\r\n",
        b"\rGET /bad HTTP/1.1\r\nHost: test\r\n\r\n",
        chunks(b"5\nhello\r\n0\r\n\r\n"), chunks(b"5\r\nhello\n0\r\n\r\n"),
        chunks(b"5\r\nhello\r\n0\n\r\n"), chunks(b"5\r\nhello\r\n0\r\n\n"),
        chunks(b"5\r\nhello\r\n0\r\nX: y\n\r\n"), chunks(b"5;x\nhello\r\n0\r\n\r\n"),
    ], {400}),
    "a_coding_before_chunked": ([
        te(b": gzip, chunked"), te(b": deflate,chunked"), te(b": compress, gzip, chunked"),
    ], {501}),
    "no_white_space_before_chunked": (
        [te(b":" + bytes([c]) + b"chunked") for c in b"\x00\x0b\x0c\r\x1f\x85\xa0"], {400}),
    "a_length_that_is_not_one": ([
        cl(b": 5\r\nContent-Length: 6"), cl(b": 6\r\nContent-Length: 5"),
        cl(b": 5\r\nContent-Length: 5"), cl(b": 5, 5"), cl(b": 5,"), cl(b": abc"), cl(b": 5 5"),
        cl(b": 0\r\nContent-Length: 44", SMUGGLED), cl(b": 44\r\nContent-Length: 0", SMUGGLED),
    ], {400}),
    "a_length_that_is_written_oddly": (
        [cl(b":" + v) for v in (
            b" +1", b" -1", b" 0x1", b" 1_0", b" \"1\"", b" ", b"", b" 1.0", b" 1e0", b" 1;",
            b" \x0b1", b" 1\x0b", b" \xa01", b" " + b"1" * 20, b" 0o5", b" \xd9\xa1", b" 1\x00")],
        {400, 413}),
    "a_chunk_size_that_is_written_oddly": (
        [chunks(v + b"\r\nhello\r\n0\r\n\r\n") for v in (
            b"+5", b"-5", b"0x5", b"5_", b" 5", b"\t5", b"", b"\"5\"", b"5 ;x", b"g", b"5\x00",
            b"5\x0b", b"5\xa0", b"1" * 17, b"F" * 20, b"ffffffffffffffff5", b"5\r", b"5,5")],
        {400}),
    "a_line_before_the_colon": ([
        cl(b" : 5"), cl(b"\t: 5"), te(b" : chunked"), te(b"\t: chunked"),
        head(b" Transfer-Encoding: chunked") + b"0\r\n\r\n",
        b"GET /bad HTTP/1.1\r\n Host: test\r\n\r\n",
    ], {400}),
    "a_folded_line": ([
        te(b":\r\n chunked"), te(b": chun\r\n ked"), te(b":\r\n\tchunked"), cl(b":\r\n 5"),
        head(b"X: a\r\n b"), head(b"X: a\r\n Content-Length: 5") + b"hello",
    ], {400}),
    "chunks_in_http_1_0": ([
        head(b"Transfer-Encoding: chunked", start=b"POST /bad HTTP/1.0") + b"0\r\n\r\n",
        head(b"Transfer-Encoding: chunked", b"Connection: keep-alive", start=b"POST /bad HTTP/1.0")
        + b"0\r\n\r\n",
    ], {400}),
    "both_length_and_chunks": ([
        head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
        head(b"Transfer-Encoding: chunked", b"Content-Length: 0") + b"5\r\nhello\r\n0\r\n\r\n",
        head(b"Content-Length: 4", b"Transfer-Encoding: chunked")
        + b"2a\r\n" + SMUGGLED + b"\r\n0\r\n\r\n",
        head(b"Content-Length: 6", b"tRANSFER-ENCODING: chunked") + b"0\r\n\r\nG",
        head(b"Content-Length: 44", b"Transfer-Encoding: chunked", start=b"GET /bad HTTP/1.1")
        + b"0\r\n\r\n" + SMUGGLED,
        head(b"Content-Length:", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    ], {400}),
    "an_empty_length": ([
        cl(b":"), cl(b": "), cl(b":\t"), cl(b": \r\nContent-Length: 43", SMUGGLED),
        cl(b": 43\r\nContent-Length: ", SMUGGLED),
    ], {400}),
    "a_chunk_without_its_end": (
        [chunks(b"3\r\nabc" + end + b"0\r\n\r\n") for end in (
            b"XX", b"", b"\r", b"\n", b"\r\r", b"X\r\n", b"\n\r", b"\r\n\r\n", b"\x00\x00",
            b"0\r\n")],
        {400}),
    "trailers_that_are_a_request": ([
        chunks(b"0\r\n" + SMUGGLED), chunks(b"0\r\nGET /smuggled HTTP/1.1\r\nX: y\r\n\r\n"),
        chunks(b"0\r\n: x\r\n\r\n"), chunks(b"0\r\nX\r\n\r\n"), chunks(b"0\r\nX : y\r\n\r\n"),
        chunks(b"0\r\nX: a\r\n b\r\n\r\n"), chunks(b"0\r\nX: a\x00\r\n\r\n"),
        chunks(b"0\r\n\rX: a\r\n\r\n"),
    ], {400}),
    "trailers_that_must_not_be": (
        [chunks(b"0\r\n" + name + b": 5\r\n\r\n") for name in (
            b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"Trailer", b"TE",
            b"Authorization", b"Content-Type", b"content-LENGTH")], {400}),
    "more_than_one_of_what_must_be_one": ([
        head(b"Host: test"), head(b"Host: other"), head(b"host: test"),
        head(b"Content-Type: a/b", b"Content-Type: a/b", b"Content-Length: 5") + b"hello",
    ], {400}),
    "a_host_that_is_not_one": ([
        head(host=None), head(host=b"Host: a b"), head(host=b"Host: a/b"), head(host=b"Host: a@b"),
        head(host=b"Host: a,b"), head(host=b"Host: a:b"), head(host=b"Host: a:1:2"),
        head(host=b"Host: a\x01"), head(host=b"Host: [::1"), head(host=b"Host: test?x"),
        head(start=b"GET http://other/bad HTTP/1.1"),
        head(start=b"GET http://test:81/bad HTTP/1.1"),
    ], {400}),
    "a_length_that_overflows": (
        [cl(b": " + str(n).encode()) for n in (2**64, 2**64 + 5, 2**65, 10**30)] +
        [cl(b": 18446744073709551617\r\nContent-Length: 5")], {400, 413}),
    "a_request_line_of_many_parts": ([head(start=line) for line in (
        b"GET /bad HTTP/1.1 HTTP/1.1", b"GET /bad /worse HTTP/1.1", b"GET  /bad HTTP/1.1",
        b"GET /bad  HTTP/1.1", b"GET\t/bad HTTP/1.1", b"GET /bad\x0bHTTP/1.1", b"GET /bad",
        b"GET /bad HTTP/1.1 ", b"GET /bad HTTP/01.1", b"GET /bad HTTP/1.10", b"GET /bad http/1.1",
        b"GET /b\x00ad HTTP/1.1", b"GET bad HTTP/1.1", b" GET /bad HTTP/1.1",
        b"GET /bad#f HTTP/1.1", b"GE\rT /bad HTTP/1.1", b"GET /bad HTTP/1.1\rX: y",
    )], {400, 501, 505}),
    "published_payloads": ([
        b"GET /xx HTTP/1.1\r\nHost:localhost\r\nContent-Length: 3\r\nContent-Length: 1\r\n\r\n"
        b"abc\r\n\r\n",
        b"GET /xx HTTP/1.1\r\nHost:localhost\r\nContent-Length: 1\r\nContent-Length: 3\r\n\r\n"
        b"abc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 36\r\nContent-Length: 0\r\n\r\n"
        b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:localhost\r\nContent-Length: 1\r\nContent-Length: 5\r\n\r\n"
        b"abc\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nContent-Length: 47\r\nContent-Length: 0\r\nHost: 127.0.0.1\r\n\r\n"
        b"GET /smuggle HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /hello HTTP/1.1\r\nHost: 127.0.0.1:6464\r\nContent-Length: 6\r\n"
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\nX",
        b"POST /user HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\nContent-Length: 43\r\n\r\n"
        b"POST /evil HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\nTransfer-Encoding: chunked\r\n"
        b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    ], {400}),
    "another_protocol_in_the_middle": ([
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + head(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello", b"\x00\x05\x00\x00", b"\r\n" * 50 + head(),
    ], {400, 501, 505}),
}


@pytest.fixture
def web(instance, folder, free_address):
    """A server with one worker on a UNIX socket and on TCP. -> it, and both addresses"""
    at = [f"{folder}/s", free_address()]
    server = instance("".join(f"http-socket = {a}\n" for a in at) +
                      "wsgi-file = {apps}/python/web.py\nlimit-post = 10m")
    return server, at


def assert_never_called(address):
    assert json.loads(client.get(address, "/calls").body) == []


def refuse(address, request, statuses):
    with Connection(address) as c:
        c.send(request + FOLLOWER)
        answer = c.response()
        assert answer.status in statuses, (request, answer)
        assert answer.close, request
        assert c.at_end(), request


@pytest.mark.parametrize("name", CASES)
def test_refused(web, name):
    server, addresses = web
    requests, statuses = CASES[name]
    for address in addresses:
        for request in requests:
            refuse(address, request, statuses)
        assert_never_called(address)
    server.wait_line(": answered [45]..: .", count=2 * len(requests))


@pytest.mark.parametrize("name", CASES)
def test_refused_as_the_second_request_of_a_connection(web, name):
    """What was learnt from a good request before does not help, and the good one is answered."""
    _, [address, _] = web
    requests, statuses = CASES[name]
    for request in requests:
        with Connection(address) as c:
            assert c.request("/good").status == 200
            c.send(request_bytes("/good") + request + FOLLOWER)
            assert c.response().status == 200
            answer = c.response()
            assert answer.status in statuses and answer.close, (request, answer)
            assert c.at_end(), request
    assert set(json.loads(client.get(address, "/calls").body)) == {"/good"}


@pytest.mark.parametrize("name", CASES)
def test_refused_byte_by_byte(web, name):
    """However the bytes are cut: the refusal does not depend on what is read together."""
    _, [_, address] = web
    requests, statuses = CASES[name]
    for request in requests:
        with Connection(address) as c:
            c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                for byte in request + FOLLOWER:
                    c.send(bytes([byte]))
            except OSError:
                pass  # it had heard enough
            answer = c.response()
            assert answer.status in statuses and answer.close, (request, answer)
    assert_never_called(address)


def test_one_refusal_and_no_more(web):
    """A well-formed request behind a bad one is never served, however often it is tried."""
    server, addresses = web
    bad = cl(b": 5, 5")
    for n in range(500):
        refuse(addresses[n % 2], bad, {400})
        with Connection(addresses[n % 2]) as c:
            c.send(bad)
            c.send(FOLLOWER * 3)
            assert c.response().status == 400
            assert c.at_end()
    assert_never_called(addresses[0])


def test_connections_that_are_reset_at_once(web):
    """Half-open ones cost neither time nor descriptors."""
    server, [path, address] = web
    worker = int(client.get(address, "/pid").body)
    before = len(proc.descriptors(worker))
    for _ in range(3000):
        with Connection(address) as c:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with Connection(path) as c:
        for _ in range(1000):  # makes its loop go round until it has seen them all
            assert c.request("/pid").body == b"%d" % worker
            if len(proc.descriptors(worker)) <= before + 1:
                break
        assert len(proc.descriptors(worker)) <= before + 1
        used, slept = proc.cpu_seconds([worker]), proc.context_switches(worker)
        assert c.silent(0.5)
        assert proc.cpu_seconds([worker]) - used <= 0.02
        assert proc.context_switches(worker) - slept <= 2


@pytest.mark.only_plain
def test_adversarial_fields_are_read_in_linear_time(instance):
    server = instance("wsgi-file = {apps}/python/web.py\nbuffer-size = 512k\n"
                      "limit-request-field-size = 128k\nlimit-request-fields = 4096\n"
                      "disable-logging = yes")
    worker = int(client.get(server.address, "/pid").body)
    values = [b"a\t " * 21000, b" " * 64000, b"," * 64000, b"chunked," * 8000, b"\"\\" * 32000,
              b"=;" * 32000, b"close " * 10000]
    with Connection(server.address) as c:
        for name in (b"X", b"Connection", b"Cookie", b"Expect-CT", b"Accept"):
            for value in values:
                before = proc.run_nanoseconds([worker])
                for _ in range(20):
                    c.send(b"GET / HTTP/1.1\r\nHost: a\r\n%b: %b\r\n\r\n" % (name, value))
                    assert c.response().status == 200
                assert (proc.run_nanoseconds([worker]) - before) / 20 < 2_000_000, (name, value[:9])
        before = proc.run_nanoseconds([worker])
        for _ in range(10):
            c.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 4000 + b"\r\n")
            assert c.response().status == 200
        assert (proc.run_nanoseconds([worker]) - before) / 10 < 30_000_000


def test_chunk_extensions_are_bounded(web):
    """Four KiB in a whole body, and not an unbounded time until then."""
    server, addresses = web
    extended = b"1;" + b"x" * 500 + b"\r\na\r\n"
    for address in addresses:
        refuse(address, chunks(extended * 9 + b"0\r\n\r\n"), {400})
        refuse(address, chunks(b"1;" + b"x" * 5000 + b"\r\na\r\n0\r\n\r\n"), {400})
        refuse(address, chunks(b"0" * 5000 + b"5\r\nhello\r\n0\r\n\r\n"), {400})
        with Connection(address) as c:  # without an end
            c.send(chunks(b"1;" + b"x" * 5000))
            assert c.response().status == 400
            assert c.at_end()
    assert_never_called(addresses[0])
    with Connection(addresses[0]) as c:
        c.send(chunks(extended * 7 + b"0\r\n\r\n"))
        assert c.response().status == 200


@pytest.mark.parametrize("part", [
    b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0", b"5\r\nhello\r\n", b"5\r\nhell", b"5\r\n", b"5",
    b"5\r\nhello\r\n0\r\nX: y\r\n",
])
def test_a_truncated_body_is_never_complete(web, part):
    _, addresses = web
    for address in addresses:
        for request in (chunks(part), cl(b": 6")):
            with Connection(address) as c:
                c.send(request)
                c.end_sending()
                assert c.at_end()
        assert_never_called(address)


def test_a_body_is_refused_at_the_first_byte_too_many(instance):
    server = instance("wsgi-file = {apps}/python/web.py\nlimit-post = 1000")
    for request in (cl(b": 1001", b""), chunks(b"3e9\r\n"),
                    chunks(b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\n")):
        with Connection(server.address) as c:
            c.send(request)  # and waits: the answer comes before the body
            answer = c.response()
            assert (answer.status, answer.close) == (413, True)
    assert_never_called(server.address)


def test_a_body_of_a_get_is_a_body(web):
    """What looks like a request in a body with a length is the body."""
    _, addresses = web
    for address in addresses:
        for method in ("GET", "DELETE", "OPTIONS", "POST"):
            with Connection(address) as c:
                assert c.request("/echo", method, body=SMUGGLED).body == SMUGGLED
                assert c.request("/query?next").body == b"next"
    assert "/smuggled" not in json.loads(client.get(addresses[0], "/calls").body)


def test_a_field_with_an_underscore_is_not_the_one_with_a_hyphen(web):
    _, [address, _] = web
    environ = json.loads(client.get(address, "/environ", fields=[
        ("X_Forwarded_For", "10.0.0.1"), ("X-Forwarded-For", "10.0.0.2"), ("Content_Length", "99"),
        ("X_Only", "10.0.0.3")]).body)
    assert environ["HTTP_X_FORWARDED_FOR"] == "10.0.0.2"
    assert not [k for k, v in environ.items() if v in ("10.0.0.1", "10.0.0.3", "99")]


@pytest.mark.parametrize("field", [
    "X-A=a%0d%0aSet-Cookie:%20b", "X-A=a%0aSet-Cookie:%20b", "X-A=a%0dSet-Cookie:%20b", "X-A=a%00b",
    "X-A%0d%0aX-B=c", "X%20A=b", "X-A%3a=b", "%20X=a",
])
def test_an_application_cannot_start_a_second_head(web, field):
    server, [address, _] = web
    with Connection(address) as c:
        answer = c.request("/headers?" + field)
        assert answer.status == 500
        assert not answer.all("Set-Cookie")
    server.wait_line("error: .*/headers")
