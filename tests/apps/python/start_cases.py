# SPDX-License-Identifier: MIT
"""What the test of the interpreter's start and end looks at from within."""

import atexit
import os
import sys  # noqa: F401
import threading

import liege


def evaluate(environ, start_response):
    """Answers with the value of the expression in the query."""
    value = eval(environ["QUERY_STRING"], globals(), {"environ_of_request": environ})
    start_response("200 OK", [])
    return [str(value).encode("utf-8", "backslashreplace")]


def import_extensions():
    """Modules of C code, which expect the symbols of libpython."""
    import ctypes
    import decimal
    import ssl  # noqa: F401

    return ctypes.c_int(decimal.Decimal(3).__int__()).value


def write_from_thread(fd):
    """Starts a thread that writes to a descriptor as soon as it runs."""
    threading.Thread(target=os.write, args=(fd, b"t"), daemon=True).start()
    return "started"


def wait_for_ever(started):
    started.set()
    threading.Event().wait()


def start_waiting_thread():
    """A thread that does not end by itself, and is not a daemon."""
    started = threading.Event()
    threading.Thread(target=wait_for_ever, args=(started,), name="waiter").start()
    started.wait()
    return "started"


def keep_descriptor(fd):
    global kept_file
    kept_file = open(fd, "rb")
    return "kept"


def write_at_exit(fd):
    """Leaves marks of the handlers that run when the process ends."""
    atexit.register(os.write, fd, b"a")
    liege.atexit = lambda: os.write(fd, b"l")
    return "registered"


def set_post_fork_hook(text):
    """Stores a hook that changes a variable, or fails for an empty text."""

    def hook():
        global forked
        forked = text or 1 / 0

    liege.post_fork_hook = hook
    return "stored"


def write_unflushed(fd):
    files.append(open(fd, "w"))
    files[-1].write("once")
    return "written"


def make_application():
    """Another one each time."""
    made.append(lambda environ, start_response: evaluate(environ, start_response))
    return made[-1]


forked = "no"
made, files = [], []
environ, argv, opt = os.environ, sys.argv, liege.opt
