# SPDX-License-Identifier: MIT
"""The chunked transfer coding (RFC 9112 section 7.1): sizes, extensions, data and its end, the last
chunk, trailers."""
from .rules import chunks, each, head, play, rows

HELLO = "POST /a hello"
LAST = b"0\r\n\r\n"


def good(body):
    return head(b"Transfer-Encoding: chunked", start=b"POST /a HTTP/1.1") + body


def sized(size):
    return chunks(size + b"\r\nhello\r\n" + LAST)


def extended(extension):
    return good(b"5" + extension + b"\r\nhello\r\n" + LAST)


def trailers(lines):
    return chunks(b"5\r\nhello\r\n0\r\n" + lines + b"\r\n")


SIZES = [
    ("one chunk", good(b"5\r\nhello\r\n" + LAST), HELLO),
    ("several", good(b"1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n" + LAST), HELLO),
    ("capital digits", good(b"A\r\n0123456789\r\n" + LAST), "POST /a 0123456789"),
    ("small digits", good(b"a\r\n0123456789\r\n" + LAST), "POST /a 0123456789"),
    ("zeros before", good(b"00000005\r\nhello\r\n" + LAST), HELLO),
    ("several zeros as the last", good(b"5\r\nhello\r\n000\r\n\r\n"), HELLO),
    ("no data", good(LAST), "POST /a"),
    ("data of line ends", good(b"4\r\n\r\n\r\n\r\n" + LAST), "POST /a \r\n\r\n"),
    ("data that looks like the last", good(b"5\r\n0\r\n\r\n\r\n" + LAST), "POST /a 0\r\n\r\n"),
    *each("not a number", [sized(s) for s in (
        b"+5", b"-5", b"0x5", b"0X5", b"5_", b"_5", b"5h", b"g", b"\"5\"", b"'5'", b"5.0", b"5,5",
        b"", b"5\0", b"\x005", b"5\x0b", b"\x0c5", b"5\xa0", b"\xa05", b"5\x85", b"\xd9\xa5")],
          400),
    *each("with blanks", [sized(s) for s in (b" 5", b"\t5", b"5 ", b"5\t", b"5  ", b"0 5", b" ")],
          400),
    *each("too large", [sized(s) for s in (
        b"F" * 16, b"F" * 17, b"1" + b"0" * 16, b"ffffffffffffffff5", b"1" * 20, b"8" + b"0" * 15)],
          {400, 413}),
    ("more than limit-post", sized(b"a00001"), 413),
    *each("with another end", [chunks(b"5" + e + b"hello\r\n" + LAST) for e in (
        b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\n", b"\x00\r\n", b" \r\n")], 400),
]

EXTENSIONS = [
    ("a name", extended(b";a"), HELLO),
    ("a value", extended(b";a=b"), HELLO),
    ("a quoted value", extended(b';a="b"'), HELLO),
    ("an empty quoted value", extended(b';a=""'), HELLO),
    ("a quoted value with all that it may have", extended(b';a="; = \t , \\" \\\\ \x80\xff"'),
     HELLO),
    ("several", extended(b";a=b;c=d"), HELLO),
    ("several names", extended(b";a;b;c"), HELLO),
    ("several quoted values", extended(b';a="b";c="d"'), HELLO),
    ("of all kinds", extended(b';a;b=c;d="e;f";g'), HELLO),
    ("of the last chunk", good(b"5\r\nhello\r\n0;a=b;c\r\n\r\n"), HELLO),
    ("of each chunk", good(b"1;a\r\nh\r\n4;b=c;d\r\nello\r\n0;e\r\n\r\n"), HELLO),
    ("that looks like a size", extended(b";5=5"), HELLO),
    *each("malformed", [chunks(b"5" + e + b"\r\nhello\r\n" + LAST) for e in (
        b";", b";;a", b";a;", b";=b", b";a=", b";a=;b", b";a==b", b";a=b=c", b';a="b', b';a="b"c',
        b';a=b"c"', b';a="b""c"', b';"a"', b";a b", b";a=b c", b",a", b":a", b"x;a=b", b";a,b",
        b";a=b,c", b";a\0", b";a=\0", b';a="\0"', b";a\x7f", b';a="\x7f"', b";a=\x80", b";\xe4",
        b";(", b";a=[", b";\x0ba", b";a\x0c")], 400),
    *each("with a line end within", [chunks(b"5" + e + b"\r\nhello\r\n" + LAST) for e in (
        b";a\n", b";a\r", b";a=b\n", b";a=b\r", b';a="\n"', b';a="\r"', b';a="\r\n"', b';a="\\\r\n"',
        b";\n", b";\r", b";a=\n", b";a=\r", b';a="b"\n', b';a="b"\r', b";\r\na", b";a\r\n b")],
          400),
    # RFC 9112 allows "bad whitespace" here and lets a recipient refuse it
    *each("with blanks", [chunks(b"5" + e + b"\r\nhello\r\n" + LAST) for e in (
        b" ;a", b"; a", b";a ", b";a =b", b";a= b", b";a=b ", b"\t;a", b';a="b" ')], 400),
    ("of 4 KiB in all", good(b"1;" + b"a" * 2000 + b"\r\nh\r\n4;" + b"b" * 2000 + b"\r\nello\r\n"
                            + LAST), HELLO),
]

ENDS = [
    *each("of the data is another", [chunks(b"5\r\nhello" + e + LAST) for e in (
        b"", b"\n", b"\r", b"\r\r\n", b"\n\r", b"XX", b"X\r\n", b"\r\n\r\n", b" \r\n", b"\0\0",
        b"\r\n\n", b"0\r\n", b"\r\n ")], 400),
    ("of the data comes later", chunks(b"5\r\nhello!\r\n" + LAST), 400),
    ("of the data comes sooner", chunks(b"5\r\nhell\r\n" + LAST), 400),
    *each("of the last chunk is another", [chunks(b"5\r\nhello\r\n0" + e) for e in (
        b"\n\r\n", b"\r\r\n", b"\r\n\n", b"\r\n\rX", b" \r\n\r\n", b"\n\n", b"\r\n \r\n")], 400),
]

TRAILERS = [
    ("one", good(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), HELLO),
    ("several", good(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nY:\r\nX-Sum: 2\r\n\r\n"), HELLO),
    ("of a body without data", good(b"0\r\nX: y\r\n\r\n"), "POST /a"),
    *each("that are a request", [trailers(t) for t in (
        b"GET /smuggled HTTP/1.1\r\nHost: test\r\n", b"GET /smuggled HTTP/1.1\r\n",
        b"X: y\r\nGET /smuggled HTTP/1.1\r\n")], 400),
    *each("malformed", [trailers(t) for t in (
        b"X\r\n", b": x\r\n", b"X : y\r\n", b" X: y\r\n", b"X: a\r\n b\r\n", b"X: a\r\n\tb\r\n",
        b"X: a\n", b"X: a\r\r\n", b"X: a\rY: b\r\n", b"X: a\0\r\n", b"X\x85: a\r\n", b"X(: a\r\n",
        b"X: \x7f\r\n", b"\rX: a\r\n", b"\nX: a\r\n", b"\0: a\r\n")], 400),
    *each("that must not be there", [trailers(n + b": 5\r\n") for n in (
        b"Content-Length", b"content-length", b"Transfer-Encoding", b"Host", b"Connection",
        b"Trailer", b"TE", b"Authorization", b"Content-Type")], 400),
    ("longer than limit-request-field-size", trailers(b"X: " + b"y" * 20000 + b"\r\n"),
     {400, 431}),
]


@rows(SIZES)
def test_size(http, data, outcome):
    play(http, data, outcome)


@rows(EXTENSIONS)
def test_extension(http, data, outcome):
    play(http, data, outcome)


@rows(ENDS)
def test_end(http, data, outcome):
    play(http, data, outcome)


@rows(TRAILERS)
def test_trailers(http, data, outcome):
    play(http, data, outcome)


def test_trailers_never_reach_the_application(http):
    with http.kind.connect() as c:
        c.send(good(b"0\r\nX-Trailer: hidden\r\nX-Other: hidden\r\n\r\n"))
        answer = c.response()
        assert answer.status == 200 and b"hidden" not in answer.body
    http.seen()
