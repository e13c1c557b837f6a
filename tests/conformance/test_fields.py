# SPDX-License-Identifier: MIT
"""Field lines (RFC 9112 section 5): names, the colon, values, line ends, folding, and fields that may
be there once only."""
from .rules import each, head, play, rows

ODD = b"\x00\x01\x08\x0b\x0c\x0e\x1f\x7f"
OPEN = head(b"X: y")[:-2]  # without the empty line
A = b"GET /a HTTP/1.1"


def field(line):
    return head(line, start=A)


NAMES = [
    ("all characters of a token", field(b"!#$%&'*+.^_`|~09AZaz-: y"), "GET /a"),
    ("of one letter", field(b"X: y"), "GET /a"),
    ("of 100 letters", field(b"X" * 100 + b": y"), "GET /a"),
    ("empty", head(b": y"), 400),
    *each("with what is no character of a token",
          [head(b"X" + bytes([c]) + b"Y: z") for c in
           b"\x00\x01\t\x0b\x0c\r\x1f \"(),/;<=>?@[\\]{}\x7f\x80\x85\xa0\xff"], 400),
    *each("after what is no character of a token",
          [head(bytes([c]) + b"X: y") for c in b"\x00\t\x0b\x0c\r \x85\xa0"], 400),
    *each("before the colon",
          [head(b"X" + bytes([c]) + b": y") for c in b"\x00\t\x0b\x0c\r \x85\xa0"], 400),
    ("before two blanks and the colon", head(b"X  : y"), 400),
    ("without a colon", head(b"X"), 400),
    ("without a colon, then a good line", head(b"X", b"Y: z"), 400),
    ("with a LF within", head(b"X\nY: z"), 400),
]

VALUES = [
    ("empty", field(b"X:"), "GET /a"),
    ("of blanks", field(b"X: \t "), "GET /a"),
    ("without a blank before", field(b"X:y"), "GET /a"),
    ("with blanks around", field(b"X: \t y \t "), "GET /a"),
    ("with blanks and tabs within", field(b"X: a \t b"), "GET /a"),
    ("with a colon", field(b"X: y: z"), "GET /a"),
    ("of eight-bit bytes", field(b"X: \x80\x85\xa0\xc3\xa4\xff"), "GET /a"),
    *each("with a control character", [head(b"X: a" + bytes([c]) + b"b") for c in ODD], 400),
    *each("that begins with a control character", [head(b"X:" + bytes([c]) + b"b") for c in ODD],
          400),
    *each("that ends with a control character", [head(b"X: a" + bytes([c])) for c in ODD], 400),
]

LINE_ENDS = [
    ("LF after the request line", b"GET /bad HTTP/1.1\nHost: test\r\n\r\n", 400),
    ("LF after a field", b"GET /bad HTTP/1.1\r\nHost: test\nX: y\r\n\r\n", 400),
    ("LF after the last field", b"GET /bad HTTP/1.1\r\nHost: test\n\r\n", 400),
    ("LF as the empty line", b"GET /bad HTTP/1.1\r\nHost: test\r\n\n", 400),
    ("LF everywhere", b"GET /bad HTTP/1.1\nHost: test\n\n", 400),
    ("LF before the request line", b"\nGET /bad HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("CR before the request line", b"\rGET /bad HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("CR CR LF", head(b"X: y\r"), 400),
    ("CR after a field", head(b"X: y\rZ: z"), 400),
    ("CR in a value", head(b"X: a\rb"), 400),
    ("CR before a field", head(b"X: a", b"\rY: b"), 400),
    ("CR as the empty line", OPEN + b"\rGET /b HTTP/1.1\r\n\r\n", 400),
    ("LF CR", b"GET /bad HTTP/1.1\r\nHost: test\n\rX: y\r\n\r\n", 400),
    ("NUL before CR LF", head(b"X: y\0"), 400),
]

FOLDING = [
    ("with a blank", head(b"X: a\r\n b"), 400),
    ("with a tab", head(b"X: a\r\n\tb"), 400),
    ("of an empty line", head(b"X: a\r\n \r\nY: z"), 400),
    ("of the first field", b"GET /bad HTTP/1.1\r\n Host: test\r\n\r\n", 400),
    ("of the first field, then Host", head(b"Host: test", host=b" X: y"), 400),
    ("of the last field", head(b"X: a\r\n "), 400),
    ("after an empty value", head(b"X:\r\n b"), 400),
    ("of Host", head(host=b"Host:\r\n test"), 400),
    ("that hides a length", head(b"X: a\r\n Content-Length: 5") + b"hello", 400),
]

ONCE = [
    ("Content-Type twice", head(b"Content-Type: a/b", b"Content-Type: c/d"), 400),
    ("Content-Type twice the same", head(b"Content-Type: a/b", b"content-type: a/b"), 400),
    ("Expect twice", head(b"Expect: 100-continue", b"Expect: 100-continue"), 400),
    ("Expect of something else", head(b"Expect: 200-ok", b"Content-Length: 0"), {400, 417}),
    ("others as often as they like", head(b"X: 1", b"X: 2", b"Cookie: a", b"Cookie: b", start=A),
     "GET /a"),
]


@rows(NAMES)
def test_name(http, data, outcome):
    play(http, data, outcome)


@rows(VALUES)
def test_value(http, data, outcome):
    play(http, data, outcome)


@rows(LINE_ENDS)
def test_line_end(http, data, outcome):
    play(http, data, outcome)


@rows(FOLDING)
def test_folded_line(http, data, outcome):
    play(http, data, outcome)


@rows(ONCE)
def test_field_that_may_be_there_once(http, data, outcome):
    play(http, data, outcome)


def test_what_the_application_is_given_of_a_field(http):
    """Without the blanks around it, joined in order if it came several times (RFC 9110 5.2, 5.3)."""
    seen = http.ask(fields=[("X-A", " \t a \t "), ("X-B", "1"), ("x-b", "2"), ("X-B", ""),
                            ("Cookie", "a=1"), ("Cookie", "b=2"), ("X-Empty", "")])["environ"]
    assert seen["HTTP_X_A"] == "a"
    assert seen["HTTP_X_B"] == "1, 2, "
    assert seen["HTTP_COOKIE"] == "a=1; b=2"
    assert seen["HTTP_X_EMPTY"] == ""
    http.seen()
