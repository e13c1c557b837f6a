# SPDX-License-Identifier: MIT
"""The client's side of SCGI (Neil Schemenauer's protocol of 2008): a netstring of variables, each a
name, a NUL, a value and a NUL, CONTENT_LENGTH first and SCGI = 1 among them, then the body. The
answer is CGI's, up to the end of the connection."""
from . import cgi


def netstring(data, size=None):
    """@size: the bytes that stand for it instead of the truth."""
    return (b"%d" % len(data) if size is None else size) + b":" + data + b","


def pairs(variables):
    return b"".join(k + b"\0" + v + b"\0" for k, v in variables.items())


def complete(variables):
    """The variables in the order that the protocol asks for."""
    length = variables.get(b"CONTENT_LENGTH") or b"0"
    rest = {k: v for k, v in variables.items() if k != b"CONTENT_LENGTH"}
    return {b"CONTENT_LENGTH": length, b"SCGI": b"1", **rest}


def encode(variables, body):
    return netstring(pairs(complete(variables))) + body


def read(connection, method):
    return cgi.response(connection, method)


def status(data):
    """Of a whole answer."""
    return cgi.response(None, "GET", data).status
