# SPDX-License-Identifier: MIT
"""The application of the behaviour tests. The path says what it does, the query how."""

import hashlib
import json
import os
import random
import socket
import time
from urllib.parse import parse_qsl

TEXT = [("Content-Type", "text/plain")]
calls = []  # the paths of all requests that this worker was given, but for /calls


def pattern(size):
    """The same as pattern() of tests/harness/data.py."""
    return random.Random(size).randbytes(size)


def answer(start_response, body, status="200 OK"):
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    start_response(status, TEXT)
    return [body]


def read_all(stream):
    while piece := stream.read(65536):
        yield piece


def hello(environ, start_response):
    return answer(start_response, "hello\n")


def query(environ, start_response):
    return answer(start_response, environ["QUERY_STRING"])


def pid(environ, start_response):
    return answer(start_response, str(os.getpid()))


def identity(environ, start_response):
    """Who the worker is."""
    return answer(start_response, {"uid": os.getresuid(), "gid": os.getresgid(),
                                   "groups": os.getgroups()})


def show_environ(environ, start_response):
    return answer(start_response, {k: v if isinstance(v, (str, bool, int, tuple)) else repr(v)
                                   for k, v in environ.items()})


def echo(environ, start_response):
    return answer(start_response, b"".join(read_all(environ["wsgi.input"])))


def digest(environ, start_response):
    """What came as the body."""
    length, sha = 0, hashlib.sha256()
    for piece in read_all(environ["wsgi.input"]):
        length += len(piece)
        sha.update(piece)
    return answer(start_response, {"length": length, "sha256": sha.hexdigest(),
                                   "announced": environ.get("CONTENT_LENGTH")})


def send(environ, start_response):
    """n bytes in one piece."""
    return answer(start_response, pattern(int(environ["query"]["n"])))


def stream(environ, start_response):
    """n bytes in pieces of `size`, without a length."""
    data, size = pattern(int(environ["query"]["n"])), int(environ["query"]["size"])
    start_response("200 OK", TEXT)
    return (data[i:i + size] for i in range(0, len(data), size))


def send_file(environ, start_response):
    """The file `path`, by wsgi.file_wrapper, from `from` on."""
    file = open(environ["query"]["path"], "rb")
    file.seek(int(environ["query"].get("from", 0)))
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](file)


def status(environ, start_response):
    """An answer without a body."""
    start_response(environ["query"]["is"], [])
    return []


def headers(environ, start_response):
    """The query as header fields."""
    start_response("200 OK", list(environ["query"].items()))
    return [b"headers\n"]


def fail(environ, start_response):
    raise ValueError("this one fails")


def sleep(environ, start_response):
    time.sleep(float(environ["query"]["s"]))
    return answer(start_response, "slept")


def wait(environ, start_response):
    """Calls the test at the socket `at` and waits for its word: tests/harness/meeting.py."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(environ["query"]["at"])
        s.sendall(b"%d\n" % os.getpid())
        word = b"".join(iter(lambda: s.recv(65536), b""))
    return answer(start_response, word or "left alone", "200 OK" if word else "500 Left Alone")


def show_calls(environ, start_response):
    return answer(start_response, calls)


ROUTES = {
    "/pid": pid, "/identity": identity, "/environ": show_environ, "/echo": echo, "/query": query,
    "/digest": digest, "/bytes": send, "/stream": stream, "/file": send_file, "/status": status,
    "/headers": headers, "/fail": fail, "/sleep": sleep, "/wait": wait, "/calls": show_calls,
}


def application(environ, start_response):
    environ["query"] = dict(parse_qsl(environ["QUERY_STRING"]))
    if environ["PATH_INFO"] != "/calls":
        calls.append(environ["PATH_INFO"])
    return ROUTES.get(environ["PATH_INFO"], hello)(environ, start_response)
