# SPDX-License-Identifier: MIT
"""The request line (RFC 9112 section 3): its parts, its end, its version, and the four forms of its
target with the Host field that goes with them."""
from .rules import CLOSED, each, head, play, rows


def line(start):
    return head(start=start)


def hosts(target, *fields, version=b"HTTP/1.1"):
    return b"\r\n".join([b"GET " + target + b" " + version, *fields, b"", b""])


PARTS = [
    ("GET", line(b"GET /a HTTP/1.1"), "GET /a"),
    ("PUT", line(b"PUT /a HTTP/1.1"), "PUT /a"),
    ("DELETE", line(b"DELETE /a HTTP/1.1"), "DELETE /a"),
    ("PATCH", line(b"PATCH /a HTTP/1.1"), "PATCH /a"),
    ("HEAD", line(b"HEAD /a HTTP/1.1"), "HEAD /a"),
    ("empty lines before it", b"\r\n\r\n" + line(b"GET /a HTTP/1.1"), "GET /a"),
    ("empty lines without end", b"\r\n" * 50 + line(b"GET /bad HTTP/1.1"), 400),
    ("method in small letters", line(b"get /bad HTTP/1.1"), {400, 501}),
    ("method unknown", line(b"BREW /bad HTTP/1.1"), {400, 501}),
    ("method that begins as a known one", line(b"GETS /bad HTTP/1.1"), {400, 501}),
    ("method of another protocol", line(b"DESCRIBE rtsp://a/b RTSP/1.0"), {400, 501, 505}),
    ("method with a NUL", line(b"G\0ET /bad HTTP/1.1"), {400, 501}),
    ("method with a CR", line(b"GE\rT /bad HTTP/1.1"), {400, 501}),
    ("method missing", line(b" /bad HTTP/1.1"), {400, 501}),
    ("method after a blank", line(b" GET /bad HTTP/1.1"), {400, 501}),
    ("method after a tab", line(b"\tGET /bad HTTP/1.1"), {400, 501}),
    ("two blanks after the method", line(b"GET  /bad HTTP/1.1"), 400),
    ("two blanks after the target", line(b"GET /bad  HTTP/1.1"), 400),
    ("tab after the method", line(b"GET\t/bad HTTP/1.1"), {400, 501}),
    ("tab after the target", line(b"GET /bad\tHTTP/1.1"), 400),
    ("vertical tab after the target", line(b"GET /bad\x0bHTTP/1.1"), 400),
    ("blank at the end", line(b"GET /bad HTTP/1.1 "), {400, 505}),
    ("two versions", line(b"GET /bad HTTP/1.1 HTTP/1.1"), {400, 505}),
    ("two targets", line(b"GET /bad /worse HTTP/1.1"), 400),
    ("target missing", line(b"GET HTTP/1.1"), 400),
    ("target of a blank", line(b"GET  HTTP/1.1"), 400),
    ("only a method", line(b"GET"), 400),
    ("only a line end", b"\r\n\r\n\r\n\r\n\r\n\r\n", 400),
    ("binary", bytes(range(0x80, 0xa0)) + b"\r\n\r\n", {400, 501}),
    ("a TLS handshake", b"\x16\x03\x01\x00\x05hello", 400),
    ("a PROXY line", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + head(), 400),
    ("a PROXY header of version 2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\x7f\0\0\1" * 3, 400),
    ("the preface of HTTP 2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 501, 505}),
    ("a uwsgi packet", b"\0\5\0\0\1\0A\1\0B", {400, 501}),
]

VERSIONS = [
    ("none", line(b"GET /bad"), 400),
    ("0.9 with its line end", b"GET /bad\r\n", 400),
    ("0.9 by name", line(b"GET /bad HTTP/0.9"), 505),
    ("1.0", line(b"GET /a HTTP/1.0"), ["GET /a", CLOSED]),
    ("1.2", line(b"GET /bad HTTP/1.2"), 505),
    ("2.0", line(b"GET /bad HTTP/2.0"), 505),
    ("9.9", line(b"GET /bad HTTP/9.9"), 505),
    ("of two digits", line(b"GET /bad HTTP/1.10"), {400, 505}),
    ("with a zero before", line(b"GET /bad HTTP/01.1"), {400, 505}),
    ("without a point", line(b"GET /bad HTTP/11"), {400, 505}),
    ("with a comma", line(b"GET /bad HTTP/1,1"), {400, 505}),
    ("without the minor one", line(b"GET /bad HTTP/1."), {400, 505}),
    ("negative", line(b"GET /bad HTTP/-1.1"), {400, 505}),
    ("of letters", line(b"GET /bad HTTP/x.y"), {400, 505}),
    ("in small letters", line(b"GET /bad http/1.1"), {400, 505}),
    ("of another protocol", line(b"GET /bad HTTPS/1.1"), {400, 501, 505}),
    ("of ICE", line(b"SOURCE /bad ICE/1.0"), {400, 501, 505}),
    ("followed by a CR", line(b"GET /bad HTTP/1.1\rX: y"), {400, 505}),
    ("followed by a LF", line(b"GET /bad HTTP/1.1\nX: y"), 400),
    ("followed by a NUL", line(b"GET /bad HTTP/1.1\0"), {400, 505}),
]

ORIGIN_FORM = [
    ("of one slash", line(b"GET / HTTP/1.1"), "GET /"),
    ("with a query", line(b"GET /a?b=c&d HTTP/1.1"), "GET /a"),
    ("with two question marks", line(b"GET /a?b?c HTTP/1.1"), "GET /a"),
    ("with an empty query", line(b"GET /a? HTTP/1.1"), "GET /a"),
    ("escaped", line(b"GET /%61%2Fb HTTP/1.1"), "GET /a/b"),
    ("escaped once only", line(b"GET /%2561 HTTP/1.1"), "GET /%61"),
    ("with an escape in the query alone", line(b"GET /a?%zz HTTP/1.1"), "GET /a"),
    ("with two slashes", line(b"GET //a//b HTTP/1.1"), "GET //a//b"),
    ("with dots", line(b"GET /a/../b HTTP/1.1"), "GET /a/../b"),
    *each("not a path", [line(b"GET " + t + b" HTTP/1.1") for t in (
        b"bad", b"?bad", b"./bad", b"\\bad", b"bad/", b"@bad", b"*bad", b"**", b"localhost:80")],
          400),
    *each("with a byte that must be escaped", [line(b"GET /b" + t + b"ad HTTP/1.1") for t in (
        b"\0", b"\x01", b"\x7f", b"\x80", b"\xc3\xa4", b"\xff", b"#f", b"\r", b"\x0b", b"\x0c")],
          400),
    *each("with half an escape", [line(b"GET /bad" + t + b" HTTP/1.1") for t in (
        b"%", b"%4", b"%4g", b"%g4", b"%%41", b"%u0041", b"%+1")], 400),
    ("with an escaped NUL", line(b"GET /bad%00 HTTP/1.1"), 400),
]

OTHER_FORMS = [
    ("absolute", hosts(b"http://test/a", b"Host: test"), "GET /a"),
    ("absolute, scheme in capitals", hosts(b"HTTP://test/a", b"Host: test"), "GET /a"),
    ("absolute, https", hosts(b"https://test/a", b"Host: test"), "GET /a"),
    ("absolute, host in capitals", hosts(b"http://TEST/a", b"Host: test"), "GET /a"),
    ("absolute with a port", hosts(b"http://test:80/a", b"Host: test:80"), "GET /a"),
    ("absolute with a query alone", hosts(b"http://test?a", b"Host: test"), "GET /"),
    ("absolute without a path", hosts(b"http://test", b"Host: test"), "GET /"),
    ("absolute of an address", hosts(b"http://[::1]:80/a", b"Host: [::1]:80"), "GET /a"),
    ("absolute of 1.0 without Host", hosts(b"http://test/a", version=b"HTTP/1.0"),
     ["GET /a", CLOSED]),
    ("absolute of 1.1 without Host", hosts(b"http://test/bad"), 400),
    ("absolute, Host is another", hosts(b"http://other/bad", b"Host: test"), 400),
    ("absolute, Host has another port", hosts(b"http://test:81/bad", b"Host: test"), 400),
    ("absolute with a user", hosts(b"http://u@test/bad", b"Host: test"), 400),
    ("absolute with a user as its Host", hosts(b"http://u@test/bad", b"Host: u@test"), 400),
    ("absolute without a host", hosts(b"http:///bad", b"Host: test"), 400),
    ("absolute with one slash", hosts(b"http:/test/bad", b"Host: test"), 400),
    ("absolute with another scheme", hosts(b"ftp://test/bad", b"Host: test"), 400),
    ("absolute, a file", hosts(b"file:///etc/passwd", b"Host: test"), 400),
    ("absolute with a fragment", hosts(b"http://test/bad#f", b"Host: test"), 400),
    ("absolute with a long port", hosts(b"http://test:123456/bad", b"Host: test:123456"), 400),
    ("asterisk", head(start=b"OPTIONS * HTTP/1.1"), "OPTIONS *"),
    ("asterisk with GET", head(start=b"GET * HTTP/1.1"), 400),
    ("asterisk with POST", head(start=b"POST * HTTP/1.1"), 400),
    ("authority", hosts(b"test:80", b"Host: test:80"), 400),
    ("authority with CONNECT", head(start=b"CONNECT test:80 HTTP/1.1"), {400, 405, 501}),
    ("path with CONNECT", head(start=b"CONNECT /bad HTTP/1.1"), {400, 405, 501}),
]

HOSTS = [
    ("a name", hosts(b"/a", b"Host: a-b.example"), "GET /a"),
    ("a name and a port", hosts(b"/a", b"Host: example:8080"), "GET /a"),
    ("a port without digits", hosts(b"/a", b"Host: example:"), "GET /a"),
    ("an address", hosts(b"/a", b"Host: 192.0.2.1"), "GET /a"),
    ("an address of version 6", hosts(b"/a", b"Host: [2001:db8::1]:80"), "GET /a"),
    ("empty", hosts(b"/a", b"Host:"), "GET /a"),
    ("in any case", hosts(b"/a", b"hOST: example"), "GET /a"),
    ("not the first field", hosts(b"/a", b"X: y", b"Host: example"), "GET /a"),
    ("none in 1.0", hosts(b"/a", version=b"HTTP/1.0"), ["GET /a", CLOSED]),
    ("none", hosts(b"/bad"), 400),
    ("two", hosts(b"/bad", b"Host: a", b"Host: b"), 400),
    ("twice the same", hosts(b"/bad", b"Host: a", b"Host: a"), 400),
    ("two, one of them empty", hosts(b"/bad", b"Host: a", b"Host:"), 400),
    ("two in 1.0", hosts(b"/bad", b"Host: a", b"Host: b", version=b"HTTP/1.0"), 400),
    *each("not one", [hosts(b"/bad", b"Host: " + h) for h in (
        b"a b", b"a,b", b"a/b", b"a@b", b"a?b", b"a#b", b"a\\b", b"http://a", b"a:b", b"a:1:2",
        b"a:-1", b"a:+1", b"a:123456", b":80", b"[::1", b"::1", b"[::1]x", b"[]", b"[g::1]",
        b"a\x01", b"a\tb", b"\xc3\xa4", b"<a>", b"a\"b", b"a;b", b"%")], 400),
]


@rows(PARTS)
def test_parts(http, data, outcome):
    play(http, data, outcome)


@rows(VERSIONS)
def test_version(http, data, outcome):
    play(http, data, outcome)


@rows(ORIGIN_FORM)
def test_path(http, data, outcome):
    play(http, data, outcome)


@rows(OTHER_FORMS)
def test_other_forms_of_the_target(http, data, outcome):
    play(http, data, outcome)


@rows(HOSTS)
def test_host(http, data, outcome):
    play(http, data, outcome)
