# SPDX-License-Identifier: MIT
"""What threads and descriptors are to the application. Run inside the interpreter, by audit.c, when
the server has found some that a fork would not take along, or would share."""
import gc
import os
import sys
import threading

LIBRARY = os.path.dirname(os.__file__) + os.sep


def is_library(frame):
    name = frame.f_code.co_filename
    return name.startswith("<frozen") or (name.startswith(LIBRARY) and "site-packages" not in name)


def place(frame):
    """The innermost call that is not the standard library's."""
    inner = frame
    while frame and is_library(frame):
        frame = frame.f_back
    frame = frame or inner
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def describe_thread(tid):
    for thread in threading.enumerate():
        if thread.native_id == tid:
            frame = sys._current_frames().get(thread.ident)
            return f'"{thread.name}"' + (f" at {place(frame)}" if frame else "")
    return ""


def is_descriptor(thing, fd):
    """Whatever the application's objects do when they are asked, it is of no interest here."""
    try:
        kind = type(thing)
        if kind.__name__ == "SpooledTemporaryFile":
            return False  # asking makes it a file
        return hasattr(kind, "fileno") and bool(thing.fileno() == fd)
    except BaseException:
        return False


def variables(module):
    try:
        return list(vars(module).items())
    except BaseException:
        return []


def describe_descriptor(fd):
    """The global variable that has it, or else what kind of object does."""
    for name, module in list(sys.modules.items()):
        for key, value in variables(module):
            if is_descriptor(value, fd):
                return f"{name}.{key}"
    for thing in gc.get_objects():
        if is_descriptor(thing, fd):
            kind = type(thing)
            return f"{kind.__module__}.{kind.__qualname__}"
    return ""
