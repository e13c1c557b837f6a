# SPDX-License-Identifier: MIT
"""The client's side of FastCGI 1.0 (specification of April 1996): records of eight bytes of head,
content and padding; a request is BEGIN_REQUEST, PARAMS up to an empty one, STDIN up to an empty one.
The answer is CGI's in STDOUT records, and ends with END_REQUEST."""
import struct

from harness import client

from . import cgi

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, \
    GET_VALUES_RESULT, UNKNOWN_TYPE = range(1, 12)
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
KEEP_CONN = 1
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = range(4)
MAX_CONTENT = 65535


def record(kind, content=b"", request=1, padding=0, version=1, size=None):
    """@size: what the head says instead of the truth."""
    return struct.pack(">BBHHBx", version, kind, request, len(content) if size is None else size,
                       padding) + content + b"\0" * padding


def begin(role=RESPONDER, flags=0, request=1):
    return record(BEGIN_REQUEST, struct.pack(">HB5x", role, flags), request)


def stream(kind, data, request=1, size=MAX_CONTENT, padding=0):
    """@data in records of at most @size bytes, and the empty one."""
    pieces = [data[i:i + size] for i in range(0, len(data), size)]
    return b"".join(record(kind, p, request, padding) for p in pieces) + record(kind, b"", request)


def length(n):
    """One byte up to 127, four from there on (section 3.4)."""
    return struct.pack(">B", n) if n < 128 else struct.pack(">L", n | 1 << 31)


def pairs(variables):
    return b"".join(length(len(k)) + length(len(v)) + k + v for k, v in variables.items())


def encode(variables, body, flags=0, request=1, size=MAX_CONTENT, padding=0):
    return begin(flags=flags, request=request) + \
        stream(PARAMS, pairs(variables), request, size, padding) + \
        stream(STDIN, body, request, size, padding)


def read_record(connection):
    """-> (type, request, content)"""
    version, kind, request, size, padding = \
        struct.unpack(">BBHHBx", connection.exactly(8))
    if version != 1:
        raise client.ProtocolError(f"a record of version {version}")
    content = connection.exactly(size)
    connection.exactly(padding)
    return kind, request, content


def read_streams(connection, request=1):
    """All of one request's answer. -> (STDOUT, STDERR, application's status, protocol's status)"""
    found = {STDOUT: b"", STDERR: b""}
    while True:
        kind, number, content = read_record(connection)
        if number != request:
            raise client.ProtocolError(f"a record of request {number}")
        if kind == END_REQUEST:
            if len(content) != 8:
                raise client.ProtocolError(f"END_REQUEST of {len(content)} bytes")
            app, protocol = struct.unpack(">LB3x", content)
            return found[STDOUT], found[STDERR], app, protocol
        if kind not in found:
            raise client.ProtocolError(f"a record of type {kind}")
        found[kind] += content


def read(connection, method, request=1):
    out, _, _, status = read_streams(connection, request)
    if status != REQUEST_COMPLETE:
        raise client.ProtocolError(f"protocol status {status}")
    return cgi.response(None, method, out)


def status(data):
    """Of a whole answer; None: it is the protocol's refusal."""
    out, _, _, protocol = read_streams(cgi.Memory(data))
    return cgi.response(None, "GET", out).status if protocol == REQUEST_COMPLETE else None
