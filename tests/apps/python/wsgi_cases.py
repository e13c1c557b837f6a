# SPDX-License-Identifier: MIT
"""WSGI applications, one for each rule of PEP 3333 that the plugin's unit test checks."""

import gzip
import io
import os
import sys
import tempfile
from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]
closes = 0  # calls of Body.close()
kept = {}  # what an application keeps from a request that is over


class Body:
    """An iterable that counts how often it is closed."""

    def __init__(self, items, error=None):
        self.items = iter(items)
        self.error = error

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return next(self.items)
        except StopIteration:
            if self.error:
                raise self.error
            raise

    def close(self):
        global closes
        closes += 1


def count_closes(environ, start_response):
    """Answers with the number of close() calls since it was asked last."""
    global closes
    count, closes = closes, 0
    start_response("200 OK", list(TEXT))
    return [str(count).encode()]


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, world\n"]


@validator
def validated(environ, start_response):
    """Uses all that PEP 3333 offers, under the eyes of wsgiref.validate."""
    stream, errors = environ["wsgi.input"], environ["wsgi.errors"]
    parts = [stream.read(5), stream.readline(), b"".join(stream.readlines(1)), b"".join(stream)]
    errors.write("one\ntw")
    errors.writelines(["o\n", "three"])
    errors.flush()
    write = start_response("200 OK", list(TEXT))
    write(b"|".join(parts))
    return [b"#", b"end"]


def show_environ(environ, start_response):
    """Answers with the sorted items of the environ; X-Type is the type's name."""
    assert environ["wsgi.input"].read() == b""
    start_response("200 OK", [("X-Type", type(environ).__name__)])
    return ["{}={!r}\n".format(*item).encode("utf-8") for item in sorted(environ.items())]


def change_environ(environ, start_response):
    """What an application does to its environ is not seen by the next request."""
    seen = "changed" in environ or environ["PATH_INFO"] != "/fresh"
    environ["changed"] = "yes"
    environ["PATH_INFO"] = "/other"
    del environ["wsgi.errors"]
    start_response("200 OK", list(TEXT))
    return [b"seen" if seen else b"fresh"]


def read_sizes(environ, start_response):
    stream = environ["wsgi.input"]
    parts = [
        stream.read(0),
        stream.read(3),
        stream.readline(2),
        stream.readline(),
        stream.readline(-1),
        stream.read(None),
        stream.read(),
        stream.readline(),
    ]
    stream.seek(0)
    parts.append(stream.readlines())
    stream.seek(-3, os.SEEK_END)
    parts += [stream.tell(), stream.read(1000), list(stream)]
    start_response("200 OK", list(TEXT))
    return [repr(parts).encode()]


def big_body(environ, start_response):
    data = environ["wsgi.input"].read()
    start_response("200 OK", [("X-Length", environ["CONTENT_LENGTH"])])
    return [data[:1], data[1:]]


def generator(environ, start_response):
    start_response("200 OK", list(TEXT))
    yield b"one "
    yield b""
    yield b"two"


def late_start(environ, start_response):
    """start_response() may wait until the first bytes."""
    yield b""
    start_response("202 Accepted", list(TEXT))
    yield b"late"


def no_start(environ, start_response):
    return [b"body without a head"]


def no_start_iterable(environ, start_response):
    return Body([b"", b"body without a head"])


def no_start_empty(environ, start_response):
    return []


def empty(environ, start_response):
    start_response("204 No Content", [])
    return []


def tuple_of_pieces(environ, start_response):
    start_response("200", list(TEXT))
    return (b"a", b"", b"b", b"c")


def closing(environ, start_response):
    start_response("200 OK", list(TEXT))
    return Body([b"a", b"b"])


def closing_after_error(environ, start_response):
    start_response("200 OK", list(TEXT))
    return Body([b"a"], error=ValueError("in the middle"))


def closing_fails(environ, start_response):
    def pieces():
        try:
            yield b"whole"
            yield b" body"
        finally:
            raise KeyError("in close")

    start_response("200 OK", list(TEXT))
    return pieces()


def closing_other_type(environ, start_response):
    start_response("200 OK", list(TEXT))
    return Body([b"a", "text"])


def returns_bytes(environ, start_response):
    start_response("200 OK", list(TEXT))
    return b"bytes"


def returns_list_of_str(environ, start_response):
    start_response("200 OK", list(TEXT))
    return ["text"]


def returns_none(environ, start_response):
    start_response("200 OK", list(TEXT))


def raises(environ, start_response):
    raise ValueError("caf\u00e9 \udcff")


def exits(environ, start_response):
    sys.exit(3)


def interrupts(environ, start_response):
    raise KeyboardInterrupt


def second_start(environ, start_response):
    start_response("200 OK", list(TEXT))
    start_response("200 OK", list(TEXT))
    return [b"never"]


def replaced_head(environ, start_response):
    """An error before anything was sent replaces the head."""
    start_response("200 OK", [("X-First", "1")])
    try:
        raise ValueError("caught")
    except ValueError:
        start_response("503 Busy", [("X-Second", "2")], sys.exc_info())
    return [b"replaced"]


def replaced_too_late(environ, start_response):
    """An error after bytes were sent is raised again."""
    start_response("200 OK", list(TEXT))(b"sent")
    try:
        raise ValueError("too late")
    except ValueError:
        start_response("503 Busy", list(TEXT), exc_info=sys.exc_info())
    return [b"never"]


def keeps_first_head(environ, start_response):
    """A head that is refused leaves the one before."""
    start_response("200 OK", [("X-First", "1")])
    try:
        raise ValueError
    except ValueError:
        try:
            start_response("500 Bad", [("X-Bad", "a\nb")], sys.exc_info())
        except ValueError:
            pass
    return [b"first"]


BAD_HEADS = {
    "status_type": (b"200 OK", []),
    "status_form": ("OK", []),
    "status_range": ("101 Switching Protocols", []),
    "status_joined": ("200OK", []),
    "headers_type": ("200 OK", ()),
    "header_type": ("200 OK", [["a", "b"]]),
    "header_size": ("200 OK", [("a", "b", "c")]),
    "name_type": ("200 OK", [(b"a", "b")]),
    "value_type": ("200 OK", [("a", 1)]),
    "value_latin1": ("200 OK", [("a", "\u20ac")]),
    "value_control": ("200 OK", [("a", "b\r\nSet-Cookie: c")]),
}


def bad_head(environ, start_response):
    """Answers with the type of the exception that a bad head raises."""
    try:
        start_response(*BAD_HEADS[environ["QUERY_STRING"]])
        answer = "none"
    except Exception as error:
        answer = type(error).__name__
    start_response("200 OK", list(TEXT))
    return [answer.encode()]


def many_headers(environ, start_response):
    start_response("200 OK", [("X-%d" % i, "caf\u00e9") for i in range(100)])
    return [b"many"]


def writes(environ, start_response):
    write = start_response("200 OK", list(TEXT))
    write(b"a")
    write(b"")
    try:
        write("text")
    except TypeError:
        write(b"b")
    return [b"c"]


def writes_too_much(environ, start_response):
    write = start_response("200 OK", [("Content-Length", "3")])
    try:
        write(b"abcdef")
    except ValueError:
        sys.modules[__name__].kept["too_much"] = True
    return []


def returns_too_much(environ, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return Body([b"ab", b"cd", b"ef"])


def write_to_gone_client(environ, start_response):
    """Keeps the exception that write() raises, and passes it on."""
    write = start_response("200 OK", list(TEXT))
    try:
        while True:
            write(b"x" * 10)
    except OSError as error:
        kept["write"] = type(error).__name__
        raise


def iterate_to_gone_client(environ, start_response):
    start_response("200 OK", list(TEXT))
    return Body(b"x" * 10 for _ in range(1000))


def show_kept(environ, start_response):
    start_response("200 OK", list(TEXT))
    return [str(kept.pop(environ["QUERY_STRING"], None)).encode()]


def keep_objects(environ, start_response):
    kept["objects"] = environ, start_response, start_response("200 OK", list(TEXT))
    return [b"kept"]


def use_kept_objects(environ, start_response):
    """Answers with what objects of a request that is over raise."""
    old_environ, old_start_response, old_write = kept.pop("objects")
    stream = old_environ["wsgi.input"]
    answers = []
    for use in (
        lambda: old_start_response("200 OK", []),
        lambda: old_write(b"x"),
        lambda: stream.read(),
        lambda: stream.readline(),
        lambda: stream.seek(0),
        lambda: next(stream),
    ):
        try:
            answers.append(repr(use()))
        except Exception as error:
            answers.append(type(error).__name__)
    assert old_environ["wsgi.input"] is not environ["wsgi.input"]
    assert old_start_response is not start_response
    write = start_response("200 OK", list(TEXT))
    assert write is not old_write
    return [" ".join(answers).encode()]


def make_file(data):
    file = tempfile.TemporaryFile("w+b")
    file.write(data)
    file.seek(0)
    return file


def send_file(environ, start_response):
    """Sends a real file from where it stands; the query says how many bytes were read before."""
    file = make_file(b"0123456789")
    file.read(int(environ["QUERY_STRING"] or 0))
    kept["file"] = file
    start_response("200 OK", list(TEXT))
    return environ["wsgi.file_wrapper"](file, 4)


def send_file_unflushed(environ, start_response):
    file = make_file(b"01234")
    file.seek(5)
    file.write(b"56789")
    file.seek(2)
    start_response("200 OK", list(TEXT))
    return environ["wsgi.file_wrapper"](file)


def send_file_part(environ, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return environ["wsgi.file_wrapper"](make_file(b"0123456789"))


def send_memory(environ, start_response):
    start_response("200 OK", list(TEXT))
    return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"), 4)


def send_gzip(environ, start_response):
    """Has a descriptor, but reads something else than that holds."""
    file = make_file(gzip.compress(b"unpacked"))
    start_response("200 OK", list(TEXT))
    return environ["wsgi.file_wrapper"](gzip.GzipFile(fileobj=file))


def file_is_closed(environ, start_response):
    start_response("200 OK", list(TEXT))
    return [str(kept.pop("file").closed).encode()]


def write_errors(environ, start_response):
    errors = environ["wsgi.errors"]
    errors.write("begun ")
    errors.write("line\nnext caf\u00e9 \udcff")
    start_response("200 OK", list(TEXT))
    return [str(errors.write("")).encode()]


def module(environ, start_response):
    """The module through which an application talks to its server."""
    import liege
    import uwsgi

    assert uwsgi is liege
    liege.log("from the application")
    liege.reload()
    start_response("200 OK", list(TEXT))
    return [
        repr(
            (liege.version, liege.numproc, liege.worker_id(), liege.masterpid(), liege.opt)
        ).encode()
    ]


def show_process(environ, start_response):
    import threading

    start_response("200 OK", list(TEXT))
    return ["{} {}".format(events, threading.active_count()).encode()]


class Factory:
    """For callables that are attributes of attributes, or made by a call."""

    application = staticmethod(hello)


def factory(status="200 OK", body="made"):
    def application(environ, start_response):
        start_response(status, list(TEXT))
        return [body.encode()]

    return application


not_callable = 42
events = []
os.register_at_fork(
    before=lambda: events.append("before"),
    after_in_parent=lambda: events.append("parent"),
    after_in_child=lambda: events.append("child"),
)
