# SPDX-License-Identifier: MIT
"""Rules of HTTP/1.1 as data, and what plays them. A rule is a row (name, bytes, outcome). The outcome
is an item, or a list of items in the order of the answers:

    "POST /path body"   the application was given this, and its answer came
    400 or {400, 501}   refused with one of these and "Connection: close", then the end
    CLOSED              the client wanted no more: the answer before said "Connection: close", then
                        the end

Behind the bytes of each rule comes a well-formed request. Where the outcome does not end the
connection that one is served too, which shows that the server found the end of what came before;
where it does, nobody ever sees it. Each rule is played in every way in which bytes can arrive, alone
and behind another request, and comes out the same."""
import pytest

from harness.programs import PATIENCE

from . import delivery

FOLLOWER = b"GET /follower HTTP/1.1\r\nHost: test\r\n\r\n"
FIRST = b"GET /first HTTP/1.1\r\nHost: test\r\n\r\n"
CLOSED = "closed"


def head(*lines, start=b"POST /bad HTTP/1.1", host=b"Host: test"):
    """The head of a request; @host: its first field line, or None."""
    return b"\r\n".join([start, *([host] if host else []), *lines, b"", b""])


def cl(value, body=b"hello"):
    """A request with the line Content-Length@value."""
    return head(b"Content-Length" + value) + body


def te(value, body=b"5\r\nhello\r\n0\r\n\r\n"):
    """A request with the line Transfer-Encoding@value."""
    return head(b"Transfer-Encoding" + value) + body


def chunks(body):
    return te(b": chunked", body)


def each(name, requests, outcome):
    """Rows for many requests with one outcome."""
    return [(f"{name} {n}", request, outcome) for n, request in enumerate(requests, 1)]


def rows(*tables):
    """The mark that runs a test for each rule of @tables."""
    found = [row for table in tables for row in table]
    return pytest.mark.parametrize("data, outcome", [row[1:] for row in found],
                                   ids=[row[0].replace(" ", "_") for row in found])


def play(site, data, outcome):
    """Sends @data and the follower in all ways, and behind a good request, and checks what comes of
    it."""
    items = list(outcome) if isinstance(outcome, list) else [outcome]
    if isinstance(items[-1], str) and items[-1] != CLOSED:
        items.append("GET /follower")
    expected = []
    for way, pieces in delivery.ways(data + FOLLOWER):
        expected += _play_once(site, pieces, items, f"{data!r}, {way}")
    expected += _play_once(site, [FIRST + data + FOLLOWER], ["GET /first", *items],
                           f"{data!r}, behind another one")
    assert site.seen() == expected, data


def _play_once(site, pieces, items, what):
    """-> what the application must have been given"""
    with site.kind.connect() as c:
        delivery.deliver(c, pieces)
        try:
            _read(c, items)
        except Exception as e:
            site.seen()  # what is left of this one shall not fail the next one
            raise AssertionError(f"{what}: {type(e).__name__}: {e}") from e
    return [_seen(item) for item in items if isinstance(item, str) and item != CLOSED]


def refused(site, requests, statuses=400):
    """Each of @requests is refused, however it arrives."""
    for request in requests:
        play(site, request, statuses)


def _seen(item):
    method, path, body = [*item.split(" ", 2), ""][:3]
    return [method, path.partition("?")[0], body]


def _ends(c):
    """A client that announced its last request and sends more may be reset for it."""
    try:
        return c.at_end()
    except ConnectionResetError:
        return True


def _read(c, items):
    """Reads the answers that @items announce."""
    c.socket.settimeout(PATIENCE)
    answer = None
    for item in items:
        if item == CLOSED:
            assert answer.close, f"{answer} does not say that it is the last"
            assert _ends(c), "more than the last answer"
        elif isinstance(item, str):
            assert not (answer and answer.close), f"{answer} is not the last"
            answer = c.response(item.split()[0])
            assert answer.status < 400, f"{answer} instead of {item}"
        else:
            answer = c.response()
            allowed = {item} if isinstance(item, int) else item
            assert answer.status in allowed, f"{answer} instead of {allowed}"
            assert answer.close, f"{answer} does not say that it is the last"
            assert c.at_end(), "more than the refusal"
    if items[-1] != CLOSED and isinstance(items[-1], str):
        assert not c.buffer, f"more than the answers: {c.buffer!r}"
        assert not answer.close, f"{answer} closes"
