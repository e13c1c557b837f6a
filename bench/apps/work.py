# SPDX-License-Identifier: MIT
"""A WSGI application that does what the request's path says and says when it did it: X-Began and
X-Ended are microseconds of CLOCK_MONOTONIC, X-Pid is the process.

  /            twelve bytes
  /sleep/MS    sleeps MS milliseconds      /busy/MS   computes as long
  /bytes/N     N bytes from memory         /stream/N  the same in pieces of 64 KiB
  /file/N      the same from a file, by wsgi.file_wrapper
  /swallow     reads the body and answers its length
  /upload      the same of a body that must be bytes i with the value i % 251

If BENCH_TRACE names a file, each request appends "B ID PID US" when it begins and "E ID PID US" when
it ends, ID being the field X-Id: what is written there survives the process."""
import functools
import os
import tempfile
import time

PERIOD = bytes(range(251))
PATTERN = PERIOD * 1024
PIECE = 64 * 1024

trace_file = os.environ.get("BENCH_TRACE")
if trace_file:
    trace_fd = os.open(trace_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)


def now_us():
    return time.monotonic_ns() // 1000


def pattern(size, at=0):
    at %= len(PERIOD)
    return (PATTERN * ((at + size) // len(PATTERN) + 1))[at:at + size]


cached_pattern = functools.lru_cache(maxsize=4)(pattern)


def stream(size):
    for at in range(0, size, PIECE):
        yield pattern(min(PIECE, size - at), at)


@functools.lru_cache(maxsize=1)
def pattern_file(size):
    f = tempfile.TemporaryFile()
    for piece in stream(size):
        f.write(piece)
    return f


def sleep(environ, ms):
    time.sleep(ms / 1000)
    return "200 OK", b"hello world\n"


def busy(environ, ms):
    end = time.monotonic() + ms / 1000
    while time.monotonic() < end:
        pass
    return "200 OK", b"hello world\n"


def swallow(environ, _):
    length = 0
    while piece := environ["wsgi.input"].read(PIECE):
        length += len(piece)
    return "200 OK", str(length).encode()


def upload(environ, _):
    at = 0
    good = True
    body = environ["wsgi.input"]
    while piece := body.read(PIECE):
        good = good and piece == pattern(len(piece), at)
        at += len(piece)
    good = good and at == int(environ["CONTENT_LENGTH"])
    return "200 OK" if good else "500 Wrong Body", str(at).encode()


def file(environ, size):
    f = open(f"/proc/self/fd/{pattern_file(size).fileno()}", "rb")
    return "200 OK", environ["wsgi.file_wrapper"](f, PIECE)


ACTIONS = {
    "": lambda environ, _: ("200 OK", b"hello world\n"),
    "sleep": sleep,
    "busy": busy,
    "bytes": lambda environ, size: ("200 OK", cached_pattern(size)),
    "stream": lambda environ, size: ("200 OK", stream(size)),
    "file": file,
    "swallow": swallow,
    "upload": upload,
}


def note(what, environ, at):
    if trace_file:
        os.write(trace_fd, b"%b %b %d %d\n" % (what, environ.get("HTTP_X_ID", "-").encode(),
                                              os.getpid(), at))


def application(environ, start_response):
    began = now_us()
    note(b"B", environ, began)
    _, action, argument = (environ["PATH_INFO"] + "/").split("/")[:3]
    number = float(argument or 0) if action in ("sleep", "busy") else int(argument or 0)
    status, body = ACTIONS[action](environ, number)
    length = len(body) if isinstance(body, bytes) else number
    ended = now_us()
    start_response(status, [("Content-Type", "application/octet-stream"),
                            ("Content-Length", str(length)), ("X-Began", str(began)),
                            ("X-Ended", str(ended)), ("X-Pid", str(os.getpid()))])
    note(b"E", environ, ended)
    return [body] if isinstance(body, bytes) else body
