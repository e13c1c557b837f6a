# SPDX-License-Identifier: MIT
"""What holds whichever socket a request comes through: what the application is told, how much it can be
sent, what it can and cannot answer."""
import hashlib
import json
import urllib.parse

import pytest

from harness.data import pattern
from harness.meeting import Meeting

from . import delivery
from .kinds import Request

PATHS = [
    # target, the path as the application is given it, query
    ("/", "/", ""), ("/a/b", "/a/b", ""), ("/a%2Fb", "/a/b", ""), ("/a%2fb?c%2Fd", "/a/b", "c%2Fd"),
    ("/%2561", "/%61", ""), ("/a%3Fb", "/a?b", ""), ("/a%23b", "/a#b", ""), ("/a;b=c", "/a;b=c", ""),
    ("/a//b", "/a//b", ""), ("//a", "//a", ""), ("/../a", "/../a", ""), ("/a/./b", "/a/./b", ""),
    ("/%2e%2e/a", "/../a", ""), ("/a%20b+c", "/a b+c", ""), ("/%C3%A4", "/\xc3\xa4", ""),
    ("/%FF", "/\xff", ""), ("/a?b?c", "/a", "b?c"), ("/a?", "/a", ""), ("/a\\b", "/a\\b", ""),
    ("/a%0d%0ab", "/a\r\nb", ""),
]

HEADS = [
    # what the application puts into its status or a field
    {"X-A": "a\r\nSet-Cookie: b"}, {"X-A": "a\nSet-Cookie: b"}, {"X-A": "a\rSet-Cookie: b"},
    {"X-A": "a\0b"}, {"X-A": "a\x0bb"}, {"X-A": "\x7f"}, {"X-A": "a\r\n\r\n<html>"}, {"X-A": "a\r\n"},
    {"X-A": "\n"}, {"X-A": "a\r\n b"}, {"X-A\r\nX-B": "c"}, {"X-A\nX-B": "c"}, {"X A": "b"},
    {"X-A:": "b"}, {" X-A": "b"}, {"": "b"}, {"X-A\0": "b"}, {"X-\xe4": "b"}, {"X(A": "b"},
    {"status": "200 OK\r\nSet-Cookie: b"}, {"status": "200 OK\nX: y"}, {"status": "200 O\rK"},
    {"status": "200 \0"}, {"status": "200\r\n"}, {"status": "20"}, {"status": "2000 OK"},
    {"status": "abc"}, {"status": ""}, {"status": "-20 OK"}, {"status": "100 Continue"},
    {"status": "101 Switching"}, {"status": "999 X"}, {"status": " 200 OK"},
    {"Content-Length": "x"}, {"Content-Length": "-1"}, {"Content-Length": "+5"},
    {"Content-Length": "5, 5"}, {"Content-Length": ""}, {"Content-Length": "99999999999999999999"},
]


def target_of(fields):
    return "/respond?" + urllib.parse.urlencode(list(fields), encoding="latin-1")


@pytest.mark.parametrize("target, path, query", PATHS, ids=[row[0] for row in PATHS])
def test_path(site, target, path, query):
    """Decoded once, and nothing else is done to it; as it was sent it is there too."""
    environ = site.ask(target)["environ"]
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", path)
    assert environ["QUERY_STRING"] == query
    assert environ["REQUEST_URI"] == target
    site.seen()


@pytest.mark.parametrize("fields", HEADS, ids=[repr(next(iter(h.items()))) for h in HEADS])
def test_an_application_cannot_write_a_second_head(site, fields):
    """What would end its line, or the head, or contradict the length, is a 500 and a line of the
    log (CVE-2018-1000164, CVE-2020-5247, CVE-2023-27522 and their kin)."""
    mark = site.server.log.mark()
    answer = site.kind.request(target_of(fields.items()), "POST", body=b"hello")
    assert answer.status == 500, answer
    assert not answer.all("Set-Cookie") and b"hello" not in answer.body
    site.server.wait_line("error: .*(/respond|start_response|status)|ValueError", after=mark)
    forget_tracebacks(site)


def forget_tracebacks(site):
    """They were provoked."""
    site.seen()
    site.problems()


def test_an_application_cannot_frame_its_answer(site):
    """Fields that belong to the connection are the server's; two lengths that differ are an error,
    for a client or a proxy could take either."""
    fields = [("Transfer-Encoding", "chunked"), ("Connection", "keep-alive"), ("Keep-Alive", "x"),
              ("Upgrade", "x"), ("Trailer", "x"), ("X-Own", "yes")]
    answer = site.kind.request(target_of(fields), "POST", body=b"hello")
    assert (answer.status, answer.body, answer.get("X-Own")) == (200, b"hello", "yes")
    for name in ("Transfer-Encoding", "Keep-Alive", "Upgrade", "Trailer"):
        assert answer.get(name) is None
    answer = site.kind.request(target_of([("Content-Length", "5"), ("content-length", "6")]), "POST",
                               body=b"hello")
    assert answer.status == 500
    forget_tracebacks(site)


def test_a_length_is_kept(site):
    """The surplus of an application that writes more than it announced goes nowhere."""
    answer = site.kind.request(target_of([("Content-Length", "5")]), "POST", body=b"hello, world")
    assert answer.body == b"hello"
    forget_tracebacks(site)


@pytest.mark.parametrize("method, status", [
    ("HEAD", "200 OK"), ("HEAD", "404 Not Found"), ("GET", "204 No Content"),
    ("GET", "304 Not Modified"), ("HEAD", "204 No Content"),
])
def test_an_answer_without_a_body(site, method, status):
    answer = site.kind.request(target_of([("status", status)]), method, body=b"hello")
    assert (answer.status, answer.body) == (int(status[:3]), b"")
    assert answer.get("Transfer-Encoding") is None
    site.seen()


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 1024 * 1024,
                                  1024 * 1024 + 1, 3_000_000])
def test_body(site, size):
    """Around every buffer, in memory and in a file."""
    body = pattern(size)
    answer = site.kind.request("/respond", "POST", body=body)
    assert len(answer.body) == size
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()
    site.seen()


def test_bytes_of_a_body_are_no_syntax(site):
    for body in (b"\0" * 100, bytes(range(256)), b"\r\n\r\n0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                 b"\1\1\0\1\0\x08\0\0", b"5:A\0b\0,", b"--x\r\nContent-Disposition: form-data\r\n"):
        assert site.ask("/a", "POST", body=body)["body"] == body.decode("latin-1")
    site.seen()


def test_a_request_is_the_same_however_it_arrives(site):
    """In pieces of any size."""
    request = Request("/a?b", "POST", [("X-Own", "yes")], b"hello")
    data = site.kind.encode(request)
    for step in (1, 2, 3, 7, len(data)):
        with site.kind.connect() as c:
            delivery.deliver(c, [data[i:i + step] for i in range(0, len(data), step)])
            seen = json.loads(site.kind.read(c, request).body)
        assert (seen["body"], seen["environ"]["HTTP_X_OWN"]) == ("hello", "yes")
    site.seen()


def test_a_request_that_stops_anywhere_is_never_served(site):
    """After each of its bytes: the client ends, and the application does not know."""
    data = site.kind.encode(Request("/a", "POST", [("X-Own", "yes")], b"hello"))
    for n in range(len(data) - (8 if site.kind.name == "fastcgi" else 0)):
        with site.kind.connect() as c:
            c.send(data[:n])
            c.end_sending()
            site.kind.refusal(c) if not site.kind.http else c.at_end()
    assert site.seen() == []


def test_nothing_of_a_request_is_left_in_the_next(site):
    """Neither fields nor body nor user."""
    site.ask("/a", "POST", [("X-Secret", "1"), ("Cookie", "2"), ("Authorization", "3"),
                            ("Content-Type", "a/b")], b"body")
    for _ in range(3):
        seen = site.ask("/b")
        assert seen["body"] == ""
        assert not seen["environ"].keys() & {"HTTP_X_SECRET", "HTTP_COOKIE", "HTTP_AUTHORIZATION"}
        assert not seen["environ"].get("CONTENT_TYPE") and not seen["environ"].get("CONTENT_LENGTH")
    site.seen()


def test_the_field_proxy_is_no_variable(site):
    """Programs take HTTP_PROXY for a setting: the request would choose their proxy (httpoxy,
    CVE-2016-5385)."""
    environ = site.ask("/a", fields=[("Proxy", "http://evil:1"), ("PROXY", "http://evil:2"),
                                     ("Proxy-Authorization", "kept")])["environ"]
    assert "HTTP_PROXY" not in environ
    assert environ["HTTP_PROXY_AUTHORIZATION"] == "kept"
    site.seen()


LOADERS = ["UWSGI_FILE", "UWSGI_SCRIPT", "UWSGI_MODULE", "UWSGI_CALLABLE", "UWSGI_PYHOME",
           "UWSGI_CHDIR", "UWSGI_APPID", "UWSGI_SETENV", "UWSGI_TOUCH_RELOAD", "UWSGI_POSTFILE",
           "SCRIPT_FILENAME", "SCRIPT_NAME", "DOCUMENT_ROOT", "PYTHONPATH", "LD_PRELOAD", "PATH"]


def test_nothing_in_a_request_loads_code(site, folder):
    """Neither as fields nor as variables of a web server in front: UWSGI_FILE=exec://... ran a
    command (CVE-2020-11984, and uWSGI's own)."""
    code = folder / "code.py"
    code.write_text(f"open({str(folder / 'ran')!r}, 'w')\n"
                    "def application(environ, start_response):\n"
                    "    start_response('200 OK', [])\n    return [b'loaded']\n")
    for value in (f"exec://touch {folder}/ran", f"{code}", f"file://{code}", f"{code}=1", "code"):
        for name in LOADERS:
            variables = {} if site.kind.http else {name: value}
            if name == "SCRIPT_NAME":
                variables = {}
            answer = site.kind.request("/a", fields=[(name, value), (name.replace("_", "-"), value)],
                                       variables=variables)
            assert b"loaded" not in answer.body, name
    assert not (folder / "ran").exists()
    assert {path for _, path, _ in site.seen()} <= {"/a"}


def test_a_head_that_is_too_large(any_kind, serve):
    """Refused with a reason in the log, never cut; the application does not see it."""
    site = serve(any_kind, "buffer-size = 4k\n")
    for size in (4096, 5000, 20_000, 60_000):
        with site.kind.connect() as c:
            delivery.deliver(c, [site.kind.encode(Request(fields=[("X-Long", "x" * size)]))])
            assert site.kind.refusal(c) in (None, 400, 414, 431)
    site.server.wait_line("buffer-size", count=4)
    assert site.seen() == []
    assert site.ask(fields=[("X-Long", "x" * 3000)])["environ"]["HTTP_X_LONG"] == "x" * 3000


def test_a_body_that_is_too_large(any_kind, serve):
    """At its announcement, before a byte of it."""
    site = serve(any_kind, "limit-post = 1000\n")
    data = site.kind.encode(Request("/a", "POST", body=b"x" * 1001))
    with site.kind.connect() as c:
        delivery.deliver(c, [data[:-1001]])
        assert site.kind.refusal(c) in ((413,) if site.kind.http else (413, None))
    assert site.seen() == []
    assert site.ask("/a", "POST", body=b"x" * 1000)["body"] == "x" * 1000


def test_answers_are_not_mixed_up(site):
    """Many connections at once, each with values of its own (CVE-2014-0242)."""
    for turn in range(20):
        requests = [Request(target_of([("X-Own", f"{turn}-{n}" * 9)]), "POST",
                            body=b"%d-%d" % (turn, n)) for n in range(16)]
        connections = [site.kind.connect() for _ in requests]
        for c, request in zip(connections, requests):
            c.send(site.kind.encode(request))
        for n, (c, request) in enumerate(zip(connections, requests)):
            answer = site.kind.read(c, request)
            assert (answer.get("X-Own"), answer.body) == (f"{turn}-{n}" * 9, b"%d-%d" % (turn, n))
            c.close()
    site.seen()


def test_an_answer_for_a_client_that_has_gone_is_nobody_else_s(site, folder):
    """The next client gets its own, however late the other one's is."""
    with Meeting(folder) as meeting:
        for n in range(5):
            own = Request(f"/own/{n}")
            with site.kind.connect() as c:
                with site.kind.connect() as gone:
                    gone.send(site.kind.encode(Request(meeting.target)))
                    visitor = meeting.arrive()
                c.send(site.kind.encode(own))
                visitor.release("for nobody")
                assert json.loads(site.kind.read(c, own).body)["environ"]["PATH_INFO"] == f"/own/{n}"
    site.seen()


def test_every_iterator_is_closed_once(site):
    """Else what an application holds during a request is held for ever: at the end, for HEAD, after
    a failure, and for a client that goes in the middle."""
    before, requests = site.closed(), 0
    for target, method in (("/iterate?0", "GET"), ("/iterate?5", "GET"), ("/iterate?5", "HEAD"),
                           ("/iterate?0fail", "GET")):
        site.kind.request(target, method)
        requests += 1
    for target in ("/iterate?2000", "/iterate?2fail"):
        request = Request(target)
        with site.kind.connect() as c:
            c.send(site.kind.encode(request))
            c.wait_input()
        requests += 1
    assert site.closed() - before == requests
    forget_tracebacks(site)


def test_a_line_of_the_log_stays_one(site):
    """Whatever a client puts into method, path and fields."""
    mark = site.server.log.mark()
    for target in ('/"%0a2026 forged%0a"', "/%0d%0aforged", "/\"forged\"", "/\\forged", "/%00forged",
                   "/" + "forged" * 500):
        with site.kind.connect() as c:
            c.send(site.kind.encode(Request(target, fields=[("User-Agent", '"forged'),
                                                            ("Referer", "forged\\")])))
            c.wait_input()
    site.seen()
    site.server.wait_line("GET /seen", after=mark)
    for line in site.server.log.lines[mark:]:
        assert line.count('"') in (0, 2) and "\\f" not in line, line
        assert not line.startswith(("forged", "2026 forged")), line
