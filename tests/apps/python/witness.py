# SPDX-License-Identifier: MIT
"""The application of the conformance tests: it remembers each request that it was given, and answers
with what it saw of it. /seen tells what was remembered and forgets it."""
import json
import os
from urllib.parse import parse_qsl

from web import wait

ABOUT_THE_SERVER = ("wsgi.errors", "wsgi.file_wrapper", "wsgi.input")
remembered = []  # [method, path, body]
closed = 0  # answers of /iterate whose close() was called


def seen(environ, start_response, body):
    found, remembered[:] = list(remembered), []
    return say(start_response, {"pid": os.getpid(), "seen": found, "closed": closed})


def respond(environ, start_response, body):
    """The answer that the query describes: "status", the other pairs as header fields, and the
    request's body as the body."""
    fields = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True, encoding="latin-1")
    status = [v for n, v in fields if n == "status"] or ["200 OK"]
    start_response(status[-1], [(n, v) for n, v in fields if n != "status"])
    return [body]


class Iterate:
    """As many pieces of 10,000 bytes as the query says; "fail" after them: an exception."""

    def __init__(self, query):
        self.left, _, self.fails = query.partition("fail")
        self.left = int(self.left or 0)
        self.fails = bool(_)

    def __iter__(self):
        return self

    def __next__(self):
        if self.left > 0:
            self.left -= 1
            return b"x" * 10_000
        if self.fails:
            raise ValueError("as it was asked for")
        raise StopIteration

    def close(self):
        global closed
        closed += 1


def iterate(environ, start_response, body):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Iterate(environ["QUERY_STRING"])


def hold(environ, start_response, body):
    """Meets the test at a socket: tests/harness/meeting.py."""
    environ["query"] = dict(parse_qsl(environ["QUERY_STRING"]))
    return wait(environ, start_response)


def say(start_response, what):
    text = json.dumps(what).encode()
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(text)))])
    return [text]


def describe(environ, start_response, body):
    return say(start_response, {
        "number": len(remembered), "body": body.decode("latin-1"),
        "environ": {k: v if isinstance(v, (str, bool, int)) else repr(v)
                    for k, v in environ.items() if k not in ABOUT_THE_SERVER}})


ROUTES = {"/seen": seen, "/respond": respond, "/iterate": iterate, "/wait": hold}


def application(environ, start_response):
    body = b"".join(iter(lambda: environ["wsgi.input"].read(65536), b""))
    path = environ.get("PATH_INFO", "")
    if path != "/seen":
        remembered.append([environ["REQUEST_METHOD"], path, body.decode("latin-1")])
    return ROUTES.get(path, describe)(environ, start_response, body)
