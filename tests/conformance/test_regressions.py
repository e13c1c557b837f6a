# SPDX-License-Identifier: MIT
"""Security failures that other servers had, one test each: what went wrong there must not go wrong
here. README.md has the list, with those that are tested elsewhere and those that cannot be here."""
import errno
import json
import os
import socket
import struct

import pytest

from harness import proc, says
from harness.client import request_bytes
from harness.faults import deny
from harness.meeting import Meeting
from harness.programs import APPS
from harness.server import Registry, Server

from . import delivery
from .kinds import Request
from .rules import FOLLOWER, chunks, cl, head, play, refused, te

A = b"POST /a HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked"
BLANKS = b"\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0"  # what str.strip() of some language takes for blanks
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"


# Framing

def test_two_transfer_codings(http):
    """The first of two fields won, or both were joined: the body was read as chunks although the last
    coding was another (CVE-2024-1135, gunicorn)."""
    refused(http, [te(b": chunked\r\nTransfer-Encoding: identity"),
                   te(b": identity\r\nTransfer-Encoding: chunked"),
                   te(b": chunked\r\nTransfer-Encoding: chunked")])


def test_unknown_transfer_coding(http):
    """A coding that was not known was ignored, and Content-Length taken instead (CVE-2024-6827,
    gunicorn)."""
    refused(http, [head(b"Transfer-Encoding: xchunked", b"Content-Length: 5") + b"hello",
                   head(b"Content-Length: 5", b"Transfer-Encoding: xchunked") + b"hello",
                   te(b": xchunked")], {400, 501})


def test_blanks_of_other_languages_around_chunked(http):
    """Bytes that are no white space of HTTP were stripped from the coding's name (gunicorn)."""
    refused(http, [te(b": " + bytes([c]) + b"chunked") for c in BLANKS] +
            [te(b": chunked" + bytes([c])) for c in BLANKS])


def test_blanks_of_other_languages_in_names(http):
    """They were stripped from field names too, so that an unknown name became a known one
    (gunicorn)."""
    refused(http, [head(b"Content-Length" + bytes([c]) + b": 3") + b"abc" for c in BLANKS] +
            [head(bytes([c]) + b"Content-Length: 3") + b"abc" for c in BLANKS])


def test_control_characters_in_values(http):
    """A CR, LF or NUL within a value was kept, and ended the line for the next reader (gunicorn,
    aiohttp)."""
    refused(http, [head(b"X: a" + bytes([c]) + CHUNKED) + b"0\r\n\r\n" for c in b"\r\n\0"])


def test_lone_line_feeds(http):
    """A line feed alone ended a line, which a proxy in front did not think (CVE-2019-16785,
    waitress)."""
    refused(http, [b"GET /bad HTTP/1.1\nHost: test\r\n\r\n", b"GET /bad HTTP/1.1\r\nHost: test\n\r\n",
                   b"GET /bad HTTP/1.1\r\nHost: test\r\n\n", chunks(b"5\nhello\r\n0\r\n\r\n"),
                   chunks(b"5\r\nhello\n0\r\n\r\n"), chunks(b"5\r\nhello\r\n0\n\r\n"),
                   chunks(b"5\r\nhello\r\n0\r\n\n")])


def test_lone_line_feeds_in_a_later_request(http):
    """The same behind a good request on the connection (CVE-2021-41136, Puma)."""
    for bad in (b"GET /bad HTTP/1.1\nHost: test\n\n", b"GET /bad HTTP/1.1\r\nHost: test\r\n\n"):
        play(http, cl(b": 5").replace(b"/bad", b"/a") + bad, ["POST /a hello", 400])


def test_codings_besides_chunked(http):
    """Anything but exactly "chunked" was ignored, and the chunks read as requests (CVE-2019-16786,
    waitress)."""
    refused(http, [te(b": gzip, chunked"), te(b": deflate,chunked")], {501})
    refused(http, [te(b": chunked, gzip"), te(b": x, chunked")])


def test_control_characters_as_white_space(http):
    """They were skipped before the value: the coding hid from a proxy (CVE-2019-16789, waitress)."""
    refused(http, [te(b":" + bytes([c]) + b"chunked") for c in b"\x00\x0b\x0c\x1f\x85\xa0"])


def test_bad_lengths_are_not_zero(http):
    """A length that could not be read counted as 0, and the body as the next request (waitress)."""
    refused(http, [cl(b": 5\r\nContent-Length: 6"), cl(b": 5, 5"), cl(b": abc"),
                   cl(b": x%d" % len(SMUGGLED), SMUGGLED)])


def test_numbers_are_digits(http):
    """What a language takes for a number was one: signs, prefixes, underscores (CVE-2022-24761,
    waitress); and what came behind a chunk's size was not looked at."""
    odd = (b"+1", b"-1", b"0x1", b"1_0", b"", b"1" * 20, b"\xd9\xa1", b"1.0")
    refused(http, [cl(b": " + v) for v in odd], {400, 413})
    refused(http, [chunks(v + b"\r\nh\r\n0\r\n\r\n") for v in (*odd, b" 1", b"1 ")])
    refused(http, [chunks(b"5;\x01\r\nhello\r\n0\r\n\r\n"), chunks(b"5;a\n\r\nhello\r\n0\r\n\r\n")])


def test_nothing_is_served_behind_a_refusal(http):
    """A request that was already there was served although the connection had been marked for
    closing (CVE-2024-49768, waitress). A race there: here it is tried often."""
    bad = cl(b": 5, 5")
    for n in range(500):
        with http.kind.connect() as c:
            delivery.deliver(c, [[bad + FOLLOWER * 3], [bad, FOLLOWER * 3], [bad[:-7], bad[-7:]
                             + FOLLOWER]][n % 3])
            assert c.response().status == 400 and c.at_end()
    assert http.seen() == []


def test_connections_that_are_gone_at_once(http):
    """A socket that was closed before it was looked at stayed, and the loop never slept again
    (CVE-2024-49769, waitress)."""
    worker = http.worker()
    before = len(proc.descriptors(worker))
    for _ in range(2000):
        with http.kind.connect() as c:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with http.kind.connect() as c:
        for _ in range(1000):  # its loop goes round until it has seen them all
            c.request("/seen")
            if len(proc.descriptors(worker)) <= before + 1:
                break
        assert len(proc.descriptors(worker)) <= before + 1
        used, slept = proc.cpu_seconds([worker]), proc.context_switches(worker)
        assert c.silent(0.3)
        assert proc.cpu_seconds([worker]) - used <= 0.02
        assert proc.context_switches(worker) - slept <= 2


@pytest.mark.only_plain
def test_values_are_read_in_linear_time(http_kind, serve):
    """A regular expression went back and forth over a long value (CVE-2020-5236, waitress)."""
    site = serve(http_kind, "buffer-size = 512k\nlimit-request-field-size = 128k\n"
                            "limit-request-fields = 4096\ndisable-logging = yes\n")
    worker = site.worker()
    values = [b"a\t " * 21000, b" " * 64000, b"," * 64000, b"chunked," * 8000, b"\"\\" * 32000,
              b"=;" * 32000, b"close " * 10000]
    heads = [b"%b: %b\r\n" % (name, value) for value in values
             for name in (b"X", b"Connection", b"Cookie", b"Expect-CT", b"Accept")]
    heads.append(b"X: y\r\n" * 4000)
    with site.kind.connect() as c:
        for lines in heads:
            before = proc.run_nanoseconds([worker])
            for _ in range(10):
                c.send(b"GET /respond HTTP/1.1\r\nHost: test\r\n%b\r\n" % lines)
                assert c.response().status == 200
            spent = (proc.run_nanoseconds([worker]) - before) / 10
            assert spent < (30_000_000 if lines is heads[-1] else 2_000_000), lines[:20]
    site.seen()


def test_names_and_lines_of_transfer_encoding(http):
    """A blank before the colon, a folded line, or an old version hid the coding from one of two
    readers (CVE-2020-11076, CVE-2020-11077, Puma)."""
    refused(http, [te(b" : chunked"), te(b"\t: chunked"), te(b":\r\n chunked"), te(b": chun\r\n ked"),
                   head(b" " + CHUNKED) + b"0\r\n\r\n",
                   head(CHUNKED, start=b"POST /bad HTTP/1.0") + b"0\r\n\r\n"])


def test_disagreements_about_length_and_coding(http):
    """Several pairs that two servers cut in different places (CVE-2022-24790, Puma; the larger tables
    are in test_framing.py)."""
    refused(http, [head(b"Content-Length: 5", CHUNKED) + b"0\r\n\r\n",
                   head(CHUNKED, b"Content-Length: 0") + b"5\r\nhello\r\n0\r\n\r\n",
                   head(b"Content-Length: 5", b"Transfer-Encoding: identity") + b"hello",
                   head(b"Content-Length: 5", b"Transfer-Encoding:") + b"hello"], {400, 501})


def test_empty_length_and_trailers(http):
    """A length without digits was 0, and a trailer was taken for a field of the request
    (CVE-2023-40175, Puma)."""
    refused(http, [cl(b":"), cl(b": "), cl(b":\t"), cl(b":\r\nContent-Length: 5")])
    with http.kind.connect() as c:
        c.send(chunks(b"0\r\nX-Own: hidden\r\nCookie: hidden\r\n\r\n"))
        assert b"hidden" not in c.response().body
    http.seen()


def test_extensions_without_end(http):
    """Chunks of a byte with long extensions cost as much as the client liked (CVE-2024-21647,
    Puma)."""
    extended = b"1;" + b"x" * 500 + b"\r\na\r\n"
    for bad in (extended * 9 + b"0\r\n\r\n", b"1;" + b"x" * 5000 + b"\r\na\r\n0\r\n\r\n",
                b"0" * 5000 + b"5\r\nhello\r\n0\r\n\r\n", b"1;" + b"x" * 5000,
                b"1;a=\"" + b"x" * 5000):
        with http.kind.connect() as c:
            c.send(chunks(bad))
            assert c.response().status == 400 and c.at_end()
    assert http.seen() == []
    with http.kind.connect() as c:
        c.send(chunks(extended * 7 + b"0\r\n\r\n"))
        assert c.response().status == 200
    http.seen()


def test_what_ends_a_chunk(http):
    """The two bytes behind a chunk were skipped unseen (CVE-2025-43859, h11)."""
    refused(http, [chunks(b"3\r\nabc" + end + b"0\r\n\r\n") for end in (
        b"XX", b"\n\n", b"\r\r", b"", b"0\r\n", b"\0\0")])


def test_trailers_are_not_the_next_request(http):
    """A trailer section that was none ended the body, and its rest was served (CVE-2023-41419,
    gevent); and names that decide how a message is read came through it (gunicorn)."""
    refused(http, [chunks(b"0\r\n" + SMUGGLED), chunks(b"0\r\nX\r\n\r\n"),
                   chunks(b"0\r\nX: a\r\n b\r\n\r\n"), chunks(b"0\r\nContent-Length: 5\r\n\r\n"),
                   chunks(b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
                   chunks(b"0\r\nHost: other\r\n\r\n")])


def test_truncated_chunks(http):
    """The end of the connection in place of the last lines passed for the end of the body
    (gunicorn)."""
    whole = chunks(b"5\r\nhello\r\n0\r\nX: y\r\n\r\n")
    for n in range(len(chunks(b"")), len(whole)):
        with http.kind.connect() as c:
            c.send(whole[:n])
            c.end_sending()
            assert c.at_end(), whole[:n]
    assert http.seen() == []


def test_what_there_must_be_one_of(http):
    """Two hosts or two types: one reader took the first, another one the last (gunicorn)."""
    refused(http, [head(b"Host: test"), head(b"Host: other"), head(host=None),
                   head(b"Content-Type: a/b", b"Content-Type: c/d"),
                   head(start=b"GET http://other/bad HTTP/1.1")])


def test_length_beside_chunks(http):
    """Both were accepted (uWSGI and others)."""
    refused(http, [head(b"Content-Length: %d" % len(SMUGGLED), CHUNKED) + b"0\r\n\r\n" + SMUGGLED,
                   head(CHUNKED, b"Content-Length: 4") + b"%x\r\n" % len(SMUGGLED) + SMUGGLED
                   + b"\r\n0\r\n\r\n"])


def test_merged_and_overflowing_lengths(http):
    """Two lengths were joined and the first one read, a folded line was joined, a large number
    became a small one (uWSGI)."""
    refused(http, [cl(b": 0\r\nContent-Length: %d" % len(SMUGGLED), SMUGGLED), cl(b":\r\n 5"),
                   head(b"X: a\r\n Content-Length: 5") + b"hello"])
    refused(http, [cl(b": %d" % n) for n in (2**32 + 5, 2**63, 2**64 + 1, 2**64 + 5)], {400, 413})


def test_published_payloads(http):
    """As they were published for uWSGI, meinheld, cheroot, WEBrick, uhttpd and gunicorn."""
    refused(http, [
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
    ])


def test_a_body_over_the_limit_never_reaches_the_application(http_kind, serve):
    """Limits that the application applies come too late (CVE-2025-47287, Tornado): it is refused at
    the first byte too many, announced or not."""
    site = serve(http_kind, "limit-post = 1000\n")
    for bad in (cl(b": 1001", b""), chunks(b"3e9\r\n"),
                chunks(b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\n")):
        with site.kind.connect() as c:
            c.send(bad)  # and waits: the answer comes before the body
            answer = c.response()
            assert (answer.status, answer.close) == (413, True)
    assert site.seen() == []


def test_around_the_ends_of_buffers(http_kind, serve):
    """A byte more than a buffer holds was written behind it (CVE-2019-7401, NGINX Unit): heads,
    targets, fields and bodies of the limits' size, and a byte around it."""
    site = serve(http_kind, "buffer-size = 64k\nlimit-request-line = 64k\n"
                            "limit-request-field-size = 64k\nlimit-request-fields = 4096\n")
    bare = len(b"GET / HTTP/1.1\r\nHost: test\r\nX: \r\n\r\n")
    for limit in (4096, 8192, 16384, 65536):
        for size in range(limit - 2, limit + 3):
            with site.kind.connect() as c:
                for data in (b"GET / HTTP/1.1\r\nHost: test\r\nX: " + b"x" * (size - bare),
                             b"GET /" + b"x" * (size - bare) + b" HTTP/1.1\r\nHost: test\r\nX: "):
                    c.send(data + b"\r\n\r\n")
                    answer = c.response()
                    assert answer.status == (200 if size <= 65536 else
                                             431 if data.endswith(b"x") else 414), size
                    if answer.status != 200:
                        break
    with site.kind.connect() as c:
        for n in (63, 64, 65, 99, 100, 101, 1000, 4094, 4095):
            c.send(b"GET / HTTP/1.1\r\nHost: test\r\n" + b"X: y\r\n" * n + b"\r\n")
            assert c.response().status == 200, n
    site.seen()


def test_an_upgrade_is_not_taken(http):
    """Lengths in frames of a WebSocket were believed (CVE-2025-1695, NGINX Unit). There are no
    WebSockets here: the offer is left alone, and what follows has to be HTTP."""
    offer = head(b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
                 b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", start=b"GET /a HTTP/1.1")
    play(http, offer, "GET /a")
    play(http, offer + b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", ["GET /a", {400, 501}])


# Fields that are trusted

def test_an_underscore_is_no_hyphen(http):
    """A client's X_Forwarded_For replaced the proxy's X-Forwarded-For in the application's
    environment (CVE-2024-45614, Puma; CVE-2015-7519, Passenger)."""
    for fields in ([("X_Forwarded_For", "evil"), ("X-Forwarded-For", "10.0.0.2")],
                   [("X-Forwarded-For", "10.0.0.2"), ("X_Forwarded-For", "evil")]):
        environ = http.ask(fields=[*fields, ("Content_Length", "evil"), ("X_Only", "evil")])["environ"]
        assert environ["HTTP_X_FORWARDED_FOR"] == "10.0.0.2"
        assert "evil" not in environ.values()
    http.seen()


FORWARDED = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
             "Forwarded"]


def test_what_a_stranger_says_of_the_client(http_kind, serve):
    """Fields that only a proxy may write reached the application from anybody (CVE-2022-2255,
    mod_wsgi)."""
    site = serve(http_kind, "trusted-proxy = 192.0.2.1\n"
                            f"trusted-proxy-headers = {','.join(FORWARDED).lower()}\n")
    environ = site.ask(fields=[(name, "for=evil" if name == "Forwarded" else "evil")
                               for name in FORWARDED])["environ"]
    assert "evil" not in " ".join(map(str, environ.values()))
    site.seen()


def test_proxy_lines_in_the_middle(http):
    """A line of the PROXY protocol was taken in a body, or before a later request (Puma); and from
    anybody (gunicorn)."""
    line = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
    refused(http, [line + head(), b"\r\n" + line + head()])
    play(http, head(start=A) + line + head(), ["POST /a", 400])
    play(http, cl(b": %d" % len(line), line).replace(b"/bad", b"/a"), "POST /a " + line.decode())


# Answers: CVE-2018-1000164 and CVE-2020-5247 (line ends in them), CVE-2023-27522 and CVE-2024-24795
# (special bytes in them) are test_semantics.py::test_an_application_cannot_write_a_second_head.

def test_informational_answers_of_an_application(http):
    """Early hints were written as the application gave them (CVE-2020-5249, Puma). Here it cannot
    give any: what it says is a 500, never a part of the stream."""
    mark = http.server.log.mark()
    for status in ("100 Continue", "101 Switching Protocols", "103 Early Hints", "199 X"):
        answer = http.kind.request("/respond?Link=evil&status=" + status.replace(" ", "+"))
        assert answer.status == 500 and not answer.all("Link")
    http.server.wait_line("status", after=mark, count=4)
    http.seen()
    http.problems()  # the tracebacks were provoked


# Privileges and files

@pytest.mark.needs_root
@pytest.mark.parametrize("error", [errno.EPERM, errno.EAGAIN], ids=["EPERM", "EAGAIN"])
@pytest.mark.parametrize("call", ["setgroups", "setresgid", "setresuid"])
def test_privileges_that_cannot_be_dropped(folder, call, error):
    """The result was not looked at, and the application ran as root (CVE-2014-0240, CVE-2014-8583,
    mod_wsgi)."""
    reports = folder / "reports"
    reports.mkdir()
    reports.chmod(0o1777)
    (folder / "app.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n"
                                   "def application(environ, start_response): pass\n")
    folder.chmod(0o777)
    server = Registry.share(Server(["--http-socket", folder / "s", "--wsgi-file",
                                    folder / "app.py", "--uid", "nobody"], reports, cwd=folder,
                                   limits=deny(call, error)))
    code = server.wait()
    problems = Registry.end(server)
    assert code not in (0, 99) and not problems, (code, problems)
    assert server.log.find(os.strerror(error)), server.log.text()
    assert not server.log.find(says.serving())
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "pipe", "folder"])
def test_names_that_are_taken(folder, kind):
    """A helper that ran as root wrote through what a tenant had put in the place of its file
    (CVE-2018-12026 to 12029, CVE-2013-2119, CVE-2014-1831, CVE-2014-1832, CVE-2016-10345,
    Passenger)."""
    victim, place = folder / "victim", folder / "s"
    victim.write_text("untouched")
    {"file": lambda: place.write_text("untouched"), "link": lambda: place.symlink_to(victim),
     "dangling": lambda: place.symlink_to(folder / "new"), "pipe": lambda: os.mkfifo(place),
     "folder": place.mkdir}[kind]()
    reports = folder / "reports"
    reports.mkdir()
    before = place.lstat(), victim.stat()
    server = Registry.share(Server(["--http-socket", place, "--wsgi-file",
                                    APPS / "python" / "web.py"], reports, cwd=folder))
    code = server.wait()
    assert Registry.end(server) == [] and code == 1
    assert server.log.find("is there and is not a socket"), server.log.text()
    assert (place.lstat(), victim.stat()) == before and victim.read_text() == "untouched"
    assert not (folder / "new").exists()


def test_a_spooled_body_has_no_name(any_kind, serve, folder):
    """Temporary files had names that somebody could guess and prepare (CVE-2014-1831 and its kin):
    that of a body has none."""
    spool = folder / "spool"
    spool.mkdir()
    site = serve(any_kind, "post-buffering = 1k\n", env={"TMPDIR": spool})
    with Meeting(folder) as meeting, site.kind.connect() as c:
        request = Request(meeting.target, "POST", body=b"x" * 100_000)
        c.send(site.kind.encode(request))
        visitor = meeting.arrive()
        assert [w for w in proc.descriptors(visitor.pid).values() if str(spool) in w]
        assert list(spool.iterdir()) == []
        visitor.release()
        assert site.kind.read(c, request).status == 200
    site.seen()


@pytest.mark.parametrize("length", [1, 107, 108, 4095, 4096, 65536, 1024 * 1024])
def test_paths_of_any_length(folder, length):
    """A long path in a configuration ran over the stack (CVE-2018-6758, uWSGI)."""
    reports = folder / "reports"
    reports.mkdir()
    path = ("/" + "x" * 200) * (length // 201 + 1)
    for option in ("wsgi-file", "chdir", "http-socket", "include"):
        (folder / "a.ini").write_text(f"[liege]\n{option} = {path[:length]}\n")
        server = Registry.share(Server([folder / "a.ini", "--http-socket", folder / "s"], reports,
                                       cwd=folder))
        code = server.wait()
        problems = Registry.end(server)
        assert not problems and code in (1, says.BOOT_ERROR), (option, code, problems)
        assert server.log.find("error"), server.log.text()
        assert max(map(len, server.log.lines)) < 9000


ESCAPES = [
    "/static/../secret", "/static/%2e%2e/secret", "/static/..%2fsecret", "/static/%2e%2e%2fsecret",
    "/static/.%2e/secret", "/static/a/../../secret", "/static//../secret", "/static/./../secret",
    "/static/..%5csecret", "/static/..\\secret", "/static/%252e%252e/secret", "/static/..;/secret",
    "/static/link", "/static/linked/secret", "/static/up/secret", "/static../secret",
    "/static/secret%00.txt", "/static/.%00./secret", "/static/%c0%ae%c0%ae/secret",
    "/static/..%c0%afsecret", "/static/" + "../" * 30 + "etc/passwd", "/static//etc/passwd",
    "/static/proc/self/environ", "/static/inner/../../secret", "/static/%2Fetc%2Fpasswd",
]


def test_static_files_stay_below_their_folder(any_kind, serve, folder):
    """Dots, escapes and links led out of the folder (CVE-2018-7490, uWSGI)."""
    root = folder / "root"
    (root / "inner").mkdir(parents=True)
    (root / "a.txt").write_text("public")
    (folder / "secret").write_text("secret")
    (root / "link").symlink_to(folder / "secret")
    (root / "linked").symlink_to(folder)
    (root / "up").symlink_to("..")
    site = serve(any_kind, f"static-map = /static={root}\n")
    assert site.kind.request("/static/a.txt").body == b"public"
    for target in ESCAPES:
        answer = site.kind.request(target)
        assert b"secret" != answer.body and b"root:" not in answer.body, (target, answer)
        assert answer.status in (400, 403, 404) or b"environ" in answer.body, (target, answer)
    site.seen()


def test_no_command_in_a_configuration(folder):
    """A file that a tenant could upload was taken for a configuration in which @(exec://...) ran a
    command: here none does in a file that others may write to, nor behind what is no text."""
    reports = folder / "reports"
    reports.mkdir()
    for value in (f"@(exec://touch {folder}/ran)", f"@(sym://{folder}/ran)", "@(call://x)",
                  f"@(http://127.0.0.1:1/{folder})", "@(fd://0)"):
        (folder / "a.ini").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\r\n[liege]\nmodule = "
                                       + value.encode() + b"\n")
        (folder / "b.ini").write_text(f"[liege]\nmodule = {value}\n")
        for name in ("a.ini", "b.ini"):
            (folder / name).chmod(0o666)
            server = Registry.share(Server([folder / name, "--http-socket", folder / "s"], reports,
                                           cwd=folder))
            code = server.wait()
            assert Registry.end(server) == [] and code == 1, (value, server.log.text())
            assert server.log.find(f"{name}:.*error|error.*{name}"), server.log.text()
    assert not (folder / "ran").exists()


@pytest.mark.needs_root
@pytest.mark.parametrize("mode", [0o000, 0o200, 0o311])
def test_a_folder_that_cannot_be_read(folder, mode):
    """The Emperor of uWSGI crashed when its folder could not be listed. Here its vassals go on, and
    what has changed is found when the folder is readable again."""
    reports = folder / "reports"
    reports.mkdir()
    reports.chmod(0o1777)
    place = folder / "vassals"
    place.mkdir()
    os.chown(place, 65534, 65534)
    folder.chmod(0o777)
    config = f"[liege]\nhttp-socket = {folder}/s\nwsgi-file = {APPS}/python/web.py\n"
    server = Registry.share(Server(["--emperor", place, "--emperor-freq", "100ms"], reports,
                                   cwd=folder, wrapper=["setpriv", "--reuid=65534", "--regid=65534",
                                                        "--clear-groups"]))
    try:
        server.wait_line(says.EMPEROR_READY)
        (place / "a.ini").write_text(config)
        server.wait_line(says.vassal_is("a.ini", "loyal|ready"))
        vassals = server.children()
        place.chmod(mode)
        server.wait_line("cannot look into it.*Permission denied")
        assert server.running() and server.children() == vassals
        place.chmod(0o755)
        (place / "a.ini").unlink()
        server.wait_line(says.vassal_is("a.ini", "stopping|down"))
    finally:
        assert Registry.end(server) == []


# Exhaustion and leakage

def test_one_pipeline_does_not_keep_the_others_waiting(http, folder):
    """A client that sent requests without end had a thread for itself (CVE-2019-16770,
    CVE-2021-29509, Puma). Here another one has its turn after some of them."""
    with Meeting(folder) as meeting, http.kind.connect() as greedy, http.kind.connect() as modest:
        greedy.send(request_bytes(meeting.target) + request_bytes("/greedy") * 1500)
        visitor = meeting.arrive()  # the worker is busy: what follows is there when it goes on
        modest.send(request_bytes("/modest"))
        visitor.release()
        assert json.loads(modest.response().body)["environ"]["PATH_INFO"] == "/modest"
        for _ in range(1501):
            greedy.response()
    paths = [path for _, path, _ in http.seen()]
    assert paths.index("/modest") < 200 and paths.count("/greedy") == 1500


def test_slow_clients_cost_nobody_anything(http_kind, serve):
    """Heads and bodies that came in drops held all workers (gunicorn and others): hundreds of them
    wait, others are served by the only worker, and time runs out for the slow ones."""
    site = serve(http_kind, "http-timeout = 1\nsocket-timeout = 1\n")
    slow = [site.kind.connect() for _ in range(300)]
    try:
        for n, c in enumerate(slow):
            c.send([b"GET /slow HTTP/1.1\r\nHost: te", cl(b": 5", b"hel"), chunks(b"5\r\nhel")][n % 3])
        for _ in range(50):
            assert site.ask("/fast")["environ"]["PATH_INFO"] == "/fast"
        for c in slow:
            assert c.response().status == 408 and c.at_end()
    finally:
        for c in slow:
            c.close()
    assert {path for _, path, _ in site.seen()} == {"/fast"}
