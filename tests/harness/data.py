# SPDX-License-Identifier: MIT
"""Bytes to send and to compare, in which no piece can be mistaken for another one."""
import functools
import random


@functools.lru_cache(maxsize=4)
def pattern(size):
    """The same as pattern() of tests/apps/python/web.py."""
    return random.Random(size).randbytes(size)


def chunked(data, size=8192):
    """@data as the body of a request with Transfer-Encoding: chunked."""
    pieces = [data[i:i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
