# SPDX-License-Identifier: MIT
"""Malformed requests of the protocols that web servers speak to applications: none crashes anything,
none is served. In front there is a web server that can be trusted to be one, but the lengths in its
packets are not (CVE-2020-11984 and CVE-2021-36160 were wrong sums of them, in a proxy)."""
import pytest

from . import delivery, fastcgi, scgi, uwsgi
from .fastcgi import ABORT_REQUEST, BEGIN_REQUEST, GET_VALUES, PARAMS, STDIN, begin, record, stream
from .kinds import Request, variables

POST = variables(Request("/a", "POST", body=b"hello"))
SIZES = (0, 1, 2, 3, 4, 127, 128, 255, 256, 257, 32767, 32768, 65534, 65535)
NO_LENGTHS = (b"+5", b"-5", b"0x5", b"5_0", b"5.0", b"five", b"5 5", b"5,5", b"5\0", b"\n5",
              b"4294967301x", b"18446744073709551617", b"9" * 30)


def but(**changes):
    """The variables of a good request, with changes; None: without that one."""
    found = {**POST, **{k.encode(): v for k, v in changes.items()}}
    return {k: v for k, v in found.items() if v is not None}


def table(found):
    return pytest.mark.parametrize("data", [row[1] for row in found],
                                   ids=[row[0].replace(" ", "_") for row in found])


# Wrong whatever the protocol is that says it.
VARIABLES = [
    *[(f"length {v.decode()!r}", but(CONTENT_LENGTH=v)) for v in NO_LENGTHS],
    ("no method", but(REQUEST_METHOD=None)), ("empty method", but(REQUEST_METHOD=b"")),
    ("method of two lines", but(REQUEST_METHOD=b"GET\r\nX: y")),
    ("method with a blank", but(REQUEST_METHOD=b"GET /x")),
    ("field of two lines", but(HTTP_X=b"a\r\nSet-Cookie: b")), ("field with a NUL", but(HTTP_X=b"\0")),
    ("path with a NUL", but(PATH_INFO=b"/a\0b")),
]

UWSGI = [
    ("a size that is too small", uwsgi.packet(uwsgi.pairs(POST), size=100) + b"hello"),
    ("a size in the other order",
     b"\0" + len(uwsgi.pairs(POST)).to_bytes(2, "big") + b"\0" + uwsgi.pairs(POST) + b"hello"),
    ("a size of 0", uwsgi.packet(b"")),
    ("a size of 0, and variables", uwsgi.packet(uwsgi.pairs(POST), size=0) + b"hello"),
    ("a name beyond the block", uwsgi.packet(uwsgi.pairs(POST) + uwsgi.text(b"X", 2)) + b"hello"),
    ("a name alone", uwsgi.packet(uwsgi.pairs(POST) + uwsgi.text(b"X")) + b"hello"),
    ("half a size", uwsgi.packet(uwsgi.pairs(POST) + uwsgi.text(b"X") + b"\1") + b"hello"),
    ("a value beyond the block",
     uwsgi.packet(uwsgi.pairs(POST) + uwsgi.text(b"X") + uwsgi.text(b"y", 2)) + b"hello"),
    ("a value of 65535", uwsgi.packet(uwsgi.pairs(POST) + uwsgi.text(b"X") + b"\xff\xff") + b"hello"),
    ("a value that leads into the body", uwsgi.packet(
        uwsgi.pairs(POST) + uwsgi.text(b"X") + uwsgi.text(b"", 5)) + b"hello"),
    ("an HTTP request", b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"),
    *[(f"modifier {n}", uwsgi.packet(uwsgi.pairs(POST), modifier1=n) + b"hello") for n in (
        17, 22, 31, 32, 33, 35, 48, 72, 96, 97, 98, 99, 100, 109, 110, 111, 115, 173, 224, 255)],
]

SCGI = [
    *[(f"size {s.decode()!r}", scgi.netstring(scgi.pairs(scgi.complete(POST)), s) + b"hello")
      for s in (b"", b"0", b"1", b"+300", b"-1", b" 300", b"0x10", b"0300", b"3 00", b"x",
                b"9" * 20, b"18446744073709551617", b"99999999")],
    ("another comma", (scgi.encode(POST, b"hello")).replace(b"\0,hello", b"\0;hello")),
    ("no comma", (scgi.encode(POST, b"hello")).replace(b"\0,hello", b"\0hello")),
    ("no colon", scgi.encode(POST, b"hello").replace(b":", b"", 1)),
    ("no CONTENT_LENGTH", scgi.netstring(b"SCGI\0001\0" + scgi.pairs(but(CONTENT_LENGTH=None)))),
    ("CONTENT_LENGTH not first", scgi.netstring(
        b"SCGI\0001\0" + scgi.pairs(scgi.complete(POST)).replace(b"SCGI\0001\0", b"")) + b"hello"),
    ("an empty CONTENT_LENGTH", scgi.netstring(
        b"CONTENT_LENGTH\0\0SCGI\0001\0" + scgi.pairs(but(CONTENT_LENGTH=None)))),
    ("no SCGI", scgi.netstring(scgi.pairs({b"CONTENT_LENGTH": b"5", **POST})) + b"hello"),
    ("SCGI of 2", scgi.encode(POST, b"hello").replace(b"SCGI\0001", b"SCGI\0002")),
    ("two CONTENT_LENGTH", scgi.netstring(
        scgi.pairs(scgi.complete(POST)) + b"CONTENT_LENGTH\0006\0") + b"hello!"),
    ("a name without a value", scgi.netstring(scgi.pairs(scgi.complete(POST)) + b"X\0") + b"hello"),
    ("a value without its end", scgi.netstring(scgi.pairs(scgi.complete(POST)) + b"X\0y") + b"hello"),
    ("an empty name", scgi.netstring(scgi.pairs(scgi.complete(POST)) + b"\0y\0") + b"hello"),
    ("nothing in it", scgi.netstring(b"")),
    ("an HTTP request", b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"),
]

BLOCK = fastcgi.pairs(POST)
BODY = stream(STDIN, b"hello")


def params(block):
    return begin() + stream(PARAMS, block) + BODY


FASTCGI = [
    *[(f"version {n}", record(BEGIN_REQUEST, b"\0\1\0\0\0\0\0\0", version=n)
       + stream(PARAMS, BLOCK) + BODY) for n in (0, 2, 255)],
    *[(f"role {n}", begin(role=n) + stream(PARAMS, BLOCK) + BODY) for n in (0, 2, 3, 4, 65535)],
    ("a begin of 7 bytes", record(BEGIN_REQUEST, b"\0\1\0\0\0\0\0") + stream(PARAMS, BLOCK) + BODY),
    ("a begin of nothing", record(BEGIN_REQUEST) + stream(PARAMS, BLOCK) + BODY),
    ("variables of another request", begin() + stream(PARAMS, BLOCK, 2) + BODY),
    ("a body before the variables", begin() + BODY + stream(PARAMS, BLOCK)),
    ("no variables", begin() + stream(PARAMS, b"") + BODY),
    ("a body that is too short", begin() + stream(PARAMS, BLOCK) + stream(STDIN, b"hell")),
    ("no body", begin() + stream(PARAMS, BLOCK) + stream(STDIN, b"")),
    ("a size beyond the record", params(BLOCK + b"\1\2Xy")),
    ("a size of 127 alone", params(BLOCK + b"\x7f")),
    ("sizes without a pair", params(BLOCK + b"\1\1")),
    ("half a size of four bytes", params(BLOCK + b"\x80\0")),
    ("a size of 2 GiB", params(BLOCK + b"\xff\xff\xff\xff\1Xy")),
    ("two sizes of 2 GiB", params(BLOCK + b"\xff\xff\xff\xff\xff\xff\xff\xffXy")),
    ("a record that is cut", begin() + record(PARAMS, BLOCK, size=65535)),
    ("padding that is cut", begin() + record(PARAMS, BLOCK)[:6] + b"\xff\0" + BLOCK),
    ("an abort", begin() + stream(PARAMS, BLOCK) + record(ABORT_REQUEST)),
    ("an HTTP request", b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"),
]

# Records of a request that has not begun are ignored (section 3.3).
FASTCGI_IGNORED = [
    ("no begin", stream(PARAMS, BLOCK) + BODY),
    ("a begin of request 0", begin(request=0) + stream(PARAMS, BLOCK, 0) + stream(STDIN, b"hello", 0)),
    ("a body alone", BODY), ("an abort alone", record(ABORT_REQUEST)),
    ("a body of another one", stream(STDIN, b"hello", 7)),
]


def refuse(site, data):
    """In one piece and byte by byte, with a good request behind it."""
    for pieces in ([data], delivery.split(data, range(1, len(data)))):
        with site.kind.connect() as c:
            if delivery.deliver(c, pieces):
                delivery.deliver(c, [site.kind.encode(Request("/follower"))])
            try:
                c.end_sending()
            except OSError:
                pass  # it has been closed already
            status = site.kind.refusal(c)
            assert status is None or 400 <= status <= 599, status
        assert site.seen() == []


@pytest.mark.parametrize("vars_", [row[1] for row in VARIABLES],
                         ids=[row[0].replace(" ", "_") for row in VARIABLES])
def test_variables(gateway, vars_):
    refuse(gateway, gateway.kind.protocol.encode(vars_, b"hello"))


@table(UWSGI)
def test_uwsgi(uwsgi_site, data):
    refuse(uwsgi_site, data)


def test_uwsgi_sizes(uwsgi_site):
    """Sizes that do not fit each other, in each place: nothing happens, whatever the answer is."""
    good = uwsgi.pairs(POST)
    for size in SIZES:
        for data in (uwsgi.packet(good, size=size), uwsgi.packet(uwsgi.text(b"X", size) + good),
                     uwsgi.packet(uwsgi.text(b"X") + uwsgi.text(b"y", size) + good)):
            with uwsgi_site.kind.connect() as c:
                delivery.deliver(c, [data + b"hello"])
                c.end_sending()
                uwsgi_site.kind.refusal(c)
    uwsgi_site.seen()


@table(SCGI)
def test_scgi(scgi_site, data):
    refuse(scgi_site, data)


@table(FASTCGI)
def test_fastcgi(fastcgi_site, data):
    refuse(fastcgi_site, data)


@table(FASTCGI_IGNORED)
def test_fastcgi_records_of_no_request(fastcgi_site, data):
    """They are not served; a good request behind them may be."""
    with fastcgi_site.kind.connect() as c:
        delivery.deliver(c, [data, fastcgi_site.kind.encode(Request("/follower"))])
        c.end_sending()
        fastcgi_site.kind.refusal(c)
    assert fastcgi_site.seen() in ([], [["GET", "/follower", ""]])


def test_fastcgi_in_any_records(fastcgi_site):
    """A stream is its bytes: records of any size, with any padding, are the same request."""
    for size, padding in ((1, 0), (7, 1), (8, 255), (65535, 255)):
        data = fastcgi.encode(POST, b"hello", size=size, padding=padding)
        with fastcgi_site.kind.connect() as c:
            c.send(data)
            assert fastcgi.read(c, "POST").status == 200
    assert fastcgi_site.seen() == [["POST", "/a", "hello"]] * 4


def test_fastcgi_connection_that_is_kept(fastcgi_site):
    """With FCGI_KEEP_CONN one request comes after the other, with any number."""
    with fastcgi_site.kind.connect() as c:
        for number in (1, 1, 2, 65535):
            c.send(fastcgi.encode(POST, b"hello", flags=fastcgi.KEEP_CONN, request=number))
            assert fastcgi.read(c, "POST", number).status == 200
    assert fastcgi_site.seen() == [["POST", "/a", "hello"]] * 4


def test_fastcgi_connection_that_is_not_kept(fastcgi_site):
    """What comes behind the request is not looked at."""
    with fastcgi_site.kind.connect() as c:
        c.send(fastcgi.encode(POST, b"hello") * 3)
        assert fastcgi.read(c, "POST").status == 200
        try:
            assert c.at_end()
        except ConnectionResetError:
            pass  # there was more than it wanted
    assert fastcgi_site.seen() == [["POST", "/a", "hello"]]


def test_fastcgi_questions(fastcgi_site):
    """GET_VALUES is answered with what is known, an unknown type with UNKNOWN_TYPE (section 4)."""
    with fastcgi_site.kind.connect() as c:
        c.send(record(GET_VALUES, fastcgi.pairs({b"FCGI_MPXS_CONNS": b"", b"X": b""}), request=0))
        kind, number, content = fastcgi.read_record(c)
        assert (kind, number) == (fastcgi.GET_VALUES_RESULT, 0)
        assert content == fastcgi.pairs({b"FCGI_MPXS_CONNS": b"0"})
        c.send(record(200, b"what", request=0))
        kind, number, content = fastcgi.read_record(c)
        assert (kind, number, content) == (fastcgi.UNKNOWN_TYPE, 0, b"\xc8" + b"\0" * 7)
    assert fastcgi_site.seen() == []


def test_fastcgi_two_requests_at_once(fastcgi_site):
    """A second one on the connection is told that it cannot be, or both are served; never mixed."""
    with fastcgi_site.kind.connect() as c:
        c.send(begin(flags=fastcgi.KEEP_CONN) + begin(request=2, flags=fastcgi.KEEP_CONN))
        c.send(stream(PARAMS, fastcgi.pairs(but(PATH_INFO=b"/two")), 2) + stream(PARAMS, BLOCK))
        c.send(stream(STDIN, b"other", 2) + BODY)
        c.end_sending()
        c.to_end()
    assert [s for s in fastcgi_site.seen() if s not in (["POST", "/a", "hello"],
                                                        ["POST", "/two", "other"])] == []
