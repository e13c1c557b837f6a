# SPDX-License-Identifier: MIT
"""How long a request's body is (RFC 9112 section 6): Content-Length and Transfer-Encoding, alone,
repeated, together and malformed; and pairs of requests that another server might cut elsewhere."""
from .rules import CLOSED, cl, each, head, play, rows, te

A = b"POST /a HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"

LENGTH = [
    ("none", head(start=A), "POST /a"),
    ("0", head(b"Content-Length: 0", start=A), "POST /a"),
    ("5", head(b"Content-Length: 5", start=A) + b"hello", "POST /a hello"),
    ("with blanks around", head(b"Content-Length:   5  ", start=A) + b"hello", "POST /a hello"),
    ("with a tab before", head(b"Content-Length: \t5", start=A) + b"hello", "POST /a hello"),
    # allowed by RFC 9110 section 5.5, sent by nobody, and llhttp takes no tab there
    ("with a tab behind", cl(b": 5\t"), 400),
    ("with zeros before", head(b"Content-Length: 005", start=A) + b"hello", "POST /a hello"),
    ("name in any case", head(b"content-LENGTH: 5", start=A) + b"hello", "POST /a hello"),
    ("of a GET", head(b"Content-Length: 5", start=b"GET /a HTTP/1.1") + b"hello", "GET /a hello"),
    ("of a HEAD", head(b"Content-Length: 5", start=b"HEAD /a HTTP/1.1") + b"hello",
     "HEAD /a hello"),
    ("of a DELETE", head(b"Content-Length: 5", start=b"DELETE /a HTTP/1.1") + b"hello",
     "DELETE /a hello"),
    ("in 1.0", head(b"Content-Length: 5", start=b"POST /a HTTP/1.0") + b"hello",
     ["POST /a hello", CLOSED]),
    ("of a body that is a request", head(b"Content-Length: %d" % len(SMUGGLED), start=A) + SMUGGLED,
     "POST /a " + SMUGGLED.decode()),
    ("of a body of line ends", head(b"Content-Length: 4", start=A) + b"\r\n\r\n",
     "POST /a \r\n\r\n"),
    ("empty", cl(b":"), 400),
    ("of a blank", cl(b": "), 400),
    ("of a tab", cl(b":\t"), 400),
    *each("not a number", [cl(b": " + v) for v in (
        b"+5", b"-5", b"-0", b"0x5", b"5_0", b"5.0", b"5e0", b"0b1", b"0o5", b"'5'", b"\"5\"",
        b"five", b"5 5", b"5;", b"5,", b",5", b"5, 5", b"5,6", b"\xd9\xa5", b"\xc2\xb2", b"NaN",
        b"5\x0b", b"\x0c5", b"\xa05", b"5\x00", b"(5)", b"5 bytes")], 400),
    *each("too large a number", [cl(b": " + str(n).encode()) for n in (
        2**63, 2**64 - 1, 2**64, 2**64 + 5, 2**65, 10**19, 10**30)], {400, 413}),
    ("more than limit-post", cl(b": 10485761"), 413),
    ("before the colon a blank", cl(b" : 5"), 400),
    ("folded", cl(b":\r\n 5"), 400),
]

REPEATED = [
    ("two, the second larger", cl(b": 5\r\nContent-Length: 6"), 400),
    ("two, the first larger", cl(b": 6\r\nContent-Length: 5"), 400),
    ("two that agree", cl(b": 5\r\nContent-Length: 5"), 400),
    ("two in different cases", cl(b": 5\r\ncontent-length: 5"), 400),
    ("three", cl(b": 5\r\nContent-Length: 5\r\nContent-Length: 5"), 400),
    ("an empty one first", cl(b":\r\nContent-Length: 5"), 400),
    ("an empty one second", cl(b": 5\r\nContent-Length:"), 400),
    ("0 and the length of a request",
     cl(b": 0\r\nContent-Length: %d" % len(SMUGGLED), SMUGGLED), 400),
    ("the length of a request and 0",
     cl(b": %d\r\nContent-Length: 0" % len(SMUGGLED), SMUGGLED), 400),
    ("with another field between", cl(b": 5\r\nX: y\r\nContent-Length: 6"), 400),
]

CODING = [
    ("chunked", head(CHUNKED, start=A) + b"5\r\nhello\r\n0\r\n\r\n", "POST /a hello"),
    ("in any case", head(b"tRANSFER-eNCODING: cHUNKED", start=A) + b"0\r\n\r\n", "POST /a"),
    ("with blanks around", head(b"Transfer-Encoding:   chunked  ", start=A) + b"0\r\n\r\n",
     "POST /a"),
    ("with a tab before", head(b"Transfer-Encoding: \tchunked", start=A) + b"0\r\n\r\n",
     "POST /a"),
    ("with a tab behind", te(b": chunked\t"), 400),
    ("of a GET", head(CHUNKED, start=b"GET /a HTTP/1.1") + b"1\r\nx\r\n0\r\n\r\n", "GET /a x"),
    ("of a HEAD", head(CHUNKED, start=b"HEAD /a HTTP/1.1") + b"1\r\nx\r\n0\r\n\r\n", "HEAD /a x"),
    *each("before chunked another", [te(b": " + v) for v in (
        b"gzip, chunked", b"deflate,chunked", b"compress, gzip, chunked")], {400, 501}),
    *each("chunked is not the last", [te(b": " + v) for v in (
        b"chunked, identity", b"chunked, gzip", b"chunked, chunked", b"chunked,chunked, gzip")],
          {400, 501}),
    *each("not chunked at all", [te(b": " + v) for v in (
        b"identity", b"gzip", b"xchunked", b"chunkedx", b"chunke", b"x", b"\"chunked\"",
        b"'chunked'", b"chunked;q=1", b"chunked;", b"chunk ed", b"ch\xc2\xb5nked", b"CHUN\xc2\xadKED",
        b"identity, chunked", b"x, chunked", b"trailers")], {400, 501}),
    *each("an empty list", [te(b":" + v) for v in (b"", b" ", b"\t", b" ,", b" ,chunked",
                                                  b" chunked,", b" , ,chunked")], 400),
    *each("an odd byte before it", [te(b": " + bytes([c]) + b"chunked") for c in
                                    b"\x00\x01\x08\x0b\x0c\x1c\x1f\x7f\x85\xa0;,"], 400),
    *each("an odd byte after it", [te(b": chunked" + bytes([c])) for c in
                                   b"\x00\x01\x08\x0b\x0c\x1c\x1f\x7f\x85\xa0;,"], 400),
    *each("an odd byte instead of the blank", [te(b":" + bytes([c]) + b"chunked") for c in
                                               b"\x00\x0b\x0c\r\x85\xa0"], 400),
    ("before the colon a blank", te(b" : chunked"), 400),
    ("before the colon a tab", te(b"\t: chunked"), 400),
    ("before the name a blank", head(b" " + CHUNKED) + b"0\r\n\r\n", 400),
    ("folded", te(b":\r\n chunked"), 400),
    ("folded within", te(b": chun\r\n ked"), 400),
    ("folded with a tab", te(b":\r\n\tchunked"), 400),
    ("behind a CR", head(b"X: a\r" + CHUNKED) + b"0\r\n\r\n", 400),
    ("behind a LF", head(b"X: a\n" + CHUNKED) + b"0\r\n\r\n", 400),
    ("behind a NUL", head(b"X: a\0" + CHUNKED) + b"0\r\n\r\n", 400),
    ("twice", te(b": chunked\r\nTransfer-Encoding: chunked"), 400),
    ("twice in different cases", te(b": chunked\r\ntransfer-encoding: chunked"), 400),
    ("chunked and identity", te(b": chunked\r\nTransfer-Encoding: identity"), {400, 501}),
    ("identity and chunked", te(b": identity\r\nTransfer-Encoding: chunked"), {400, 501}),
    ("chunked and unknown", te(b": chunked\r\nTransfer-Encoding: x"), {400, 501}),
    ("empty and chunked", te(b":\r\nTransfer-Encoding: chunked"), {400, 501}),
    ("in 1.0", head(CHUNKED, start=b"POST /bad HTTP/1.0") + b"0\r\n\r\n", 400),
    ("in 1.0 with keep-alive",
     head(CHUNKED, b"Connection: keep-alive", start=b"POST /bad HTTP/1.0") + b"0\r\n\r\n", 400),
    ("with another name", head(b"Transfer_Encoding: chunked", start=A), "POST /a"),
]

BOTH = [
    ("length first", head(b"Content-Length: 5", CHUNKED) + b"0\r\n\r\n", 400),
    ("coding first", head(CHUNKED, b"Content-Length: 5") + b"0\r\n\r\n", 400),
    ("a length of 0", head(CHUNKED, b"Content-Length: 0") + b"5\r\nhello\r\n0\r\n\r\n", 400),
    ("a length that is empty", head(b"Content-Length:", CHUNKED) + b"0\r\n\r\n", 400),
    ("a length that is none", head(b"Content-Length: x", CHUNKED) + b"0\r\n\r\n", 400),
    ("a length that is that of the chunks",
     head(b"Content-Length: 15", CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n", 400),
    ("a coding that is unknown", head(b"Content-Length: 5", b"Transfer-Encoding: x") + b"hello",
     {400, 501}),
    ("a coding that is identity",
     head(b"Content-Length: 5", b"Transfer-Encoding: identity") + b"hello", {400, 501}),
    ("a coding that is empty", head(b"Content-Length: 5", b"Transfer-Encoding:") + b"hello", 400),
    ("a coding with a blank before the colon",
     head(b"Content-Length: 5", b"Transfer-Encoding : chunked") + b"0\r\n\r\n", 400),
    ("other cases", head(b"content-length: 6", b"tRANSFER-ENCODING: chunked") + b"0\r\n\r\nG", 400),
    ("in 1.0", head(b"Content-Length: 5", CHUNKED, start=b"POST /bad HTTP/1.0") + b"hello", 400),
    ("a chunk that is a request", head(b"Content-Length: 4", CHUNKED)
     + b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n", 400),
    ("a length that is a request's", head(b"Content-Length: %d" % (len(SMUGGLED) + 5), CHUNKED)
     + b"0\r\n\r\n" + SMUGGLED, 400),
    ("two codings", head(b"Content-Length: 5", CHUNKED, b"Transfer-Encoding: identity")
     + b"0\r\n\r\n", 400),
]

# What one server takes for a body and another one for a request (CL.0, 0.CL, TE.0 and their kin).
PAIRS = [
    ("a length that a GET might ignore",
     head(b"Content-Length: %d" % len(SMUGGLED), start=b"GET /a HTTP/1.1") + SMUGGLED,
     "GET /a " + SMUGGLED.decode()),
    ("a length that a static path might ignore",
     head(b"Content-Length: %d" % len(SMUGGLED), start=b"POST /favicon.ico HTTP/1.1") + SMUGGLED,
     "POST /favicon.ico " + SMUGGLED.decode()),
    ("chunks that a GET might ignore",
     head(CHUNKED, start=b"GET /a HTTP/1.1") + b"%x\r\n" % len(SMUGGLED) + SMUGGLED
     + b"\r\n0\r\n\r\n", "GET /a " + SMUGGLED.decode()),
    ("an expectation and a length",
     head(b"Content-Length: %d" % len(SMUGGLED), b"Expect: 100-continue", start=A) + SMUGGLED,
     "POST /a " + SMUGGLED.decode()),
    ("an expectation of another length",
     head(b"Content-Length: 5", b"Expect: y 100-continue") + b"hello" + SMUGGLED, {400, 417}),
    ("an upgrade and a length",
     head(b"Upgrade: websocket", b"Connection: Upgrade", b"Content-Length: 5", start=A) + b"hello",
     "POST /a hello"),
    ("an upgrade to HTTP 2",
     head(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABk",
          start=b"GET /a HTTP/1.1"), "GET /a"),
    ("a connection option that names the length",
     head(b"Content-Length: 5", b"Connection: Content-Length", start=A) + b"hello",
     "POST /a hello"),
    ("a method that is overridden",
     head(b"X-HTTP-Method-Override: HEAD", b"Content-Length: 5", start=A) + b"hello",
     "POST /a hello"),
    ("two good ones, then a bad one",
     head(b"Content-Length: 5", start=A) + b"hello" + head(CHUNKED, start=A) + b"0\r\n\r\n"
     + cl(b": 5, 5"), ["POST /a hello", "POST /a", 400]),
]


@rows(LENGTH)
def test_length(http, data, outcome):
    play(http, data, outcome)


@rows(REPEATED)
def test_repeated_length(http, data, outcome):
    play(http, data, outcome)


@rows(CODING)
def test_coding(http, data, outcome):
    play(http, data, outcome)


@rows(BOTH)
def test_length_and_coding(http, data, outcome):
    play(http, data, outcome)


@rows(PAIRS)
def test_pair(http, data, outcome):
    play(http, data, outcome)
