# SPDX-License-Identifier: MIT
"""The client's side of the uwsgi protocol: a head of four bytes (modifier1, the size of the variables
as a little-endian number of 16 bits, modifier2), each variable's name and value after a size of the
same form, then the body. The answer is HTTP's, up to the end of the connection."""
import struct

from . import cgi


def packet(block, modifier1=0, modifier2=0, size=None):
    """@size: what the head says instead of the truth."""
    return struct.pack("<BHB", modifier1, len(block) if size is None else size, modifier2) + block


def text(data, size=None):
    return struct.pack("<H", len(data) if size is None else size) + data


def pairs(variables):
    return b"".join(text(k) + text(v) for k, v in variables.items())


def encode(variables, body):
    return packet(pairs(variables)) + body


def read(connection, method):
    return cgi.response(connection, method)


def status(data):
    """Of a whole answer."""
    return cgi.response(None, "GET", data).status
