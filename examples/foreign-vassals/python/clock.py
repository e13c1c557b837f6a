#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A vassal in Python: it tells the time over HTTP, and does all that an Emperor asks of a vassal.
Its configuration:

    [clock]
    listen = 127.0.0.1:9091
    format = %H:%M:%S
    heartbeat = 10
    idle = 60

listen     where it serves, unless it is on demand: then the Emperor has the socket
format     of the time, as in strftime(3)
heartbeat  it says every so many seconds that it is alive; 0: never
idle       after so many seconds without a request it asks to be stopped; 0: never

One client is served at a time, and given a second for its request."""
import configparser
import contextlib
import datetime
import math
import os
import select
import socket
import stat
import struct
import sys
import time
import traceback

STOP, RELOAD, STOP_GRACEFULLY, STACK = 0, 1, 2, 116            # from the Emperor
READY, ACCEPTING, LOYAL, ASK_TO_STOP, HEARTBEAT = 1, 5, 17, 22, 26  # to the Emperor
STATUS_STATE, STATUS_READY, STATUS_FAILED, STATUS_KEPT = range(1, 5)
NOT_AGAIN = 26  # the exit code that means: do not start me before my configuration changes


class Emperor:
    """Both lines to the Emperor: the pipe, and the status channel if there is one."""

    def __init__(self):
        self.pipe = socket.socket(fileno=int(os.environ["UWSGI_EMPEROR_FD"]))
        status = os.environ.get("LIEGE_STATUS_FD")
        self.status = socket.socket(fileno=int(status)) if status else None

    def say(self, *said):
        self.pipe.sendall(bytes(said))

    def explain(self, kind, text="", value=0):
        """For those who want to know more than a byte says. One message is one packet: version,
        type, value, eight bytes that are reserved, and the text."""
        if not self.status:
            return
        with contextlib.suppress(BlockingIOError):  # the Emperor is busy: it works without
            self.status.send(struct.pack("=HHIQ", 1, kind, value, 0) + text.encode()[:4096])


class Settings:
    def __init__(self, path):
        parser = configparser.ConfigParser(interpolation=None)
        with open(path) as file:
            parser.read_file(file)
        section = parser["clock"]
        host, _, port = section.get("listen", "127.0.0.1:9091").rpartition(":")
        self.address = host, int(port)
        self.format = section.get("format", "%H:%M:%S")
        self.heartbeat = section.getfloat("heartbeat", 10)
        self.idle = section.getfloat("idle", 0)


def open_socket(settings):
    """The socket of an on-demand vassal is its descriptor 0, and is there already."""
    if stat.S_ISSOCK(os.fstat(0).st_mode):
        listener = socket.socket(fileno=0)
    else:
        listener = socket.create_server(settings.address)
    listener.setblocking(False)
    return listener


class Clock:
    def __init__(self, emperor, path):
        self.emperor = emperor
        self.path = path
        self.settings = Settings(path)
        self.listener = open_socket(self.settings)
        self.generation = 1
        self.answered = 0
        self.leaving = False
        self.start_waiting()

    def start_waiting(self):
        now = time.monotonic()
        self.beat_at = now if self.settings.heartbeat else math.inf
        self.idle_at = now + self.settings.idle if self.settings.idle else math.inf

    def run(self):
        self.emperor.explain(STATUS_READY, value=self.generation)
        self.emperor.say(READY, ACCEPTING)
        while not self.leaving:
            self.look_at_the_time()
            wait = min(self.beat_at, self.idle_at) - time.monotonic()
            found, _, _ = select.select([self.emperor.pipe, self.listener], [], [],
                                        max(0, wait) if wait < math.inf else None)
            if self.emperor.pipe in found:
                self.obey(self.emperor.pipe.recv(64))
            if self.listener in found and not self.leaving:
                self.answer()

    def look_at_the_time(self):
        now = time.monotonic()
        if now >= self.beat_at:
            self.emperor.say(HEARTBEAT)
            self.beat_at = now + self.settings.heartbeat
        if now >= self.idle_at:
            self.emperor.say(ASK_TO_STOP)  # and go on until the Emperor says so
            self.idle_at = math.inf

    def obey(self, orders):
        if not orders:
            sys.exit("the Emperor is gone")
        for order in orders:
            if order == STOP:
                self.leaving = True
            elif order == STOP_GRACEFULLY:
                while self.answer():  # whoever waits already
                    pass
                self.leaving = True
            elif order == RELOAD:
                self.reload()
            elif order == STACK:
                traceback.print_stack()  # who may hang for long hears this in a thread of its own

    def reload(self):
        """The socket stays open. A configuration that is wrong leaves the old one in force."""
        try:
            self.settings = Settings(self.path)
        except (OSError, KeyError, ValueError, configparser.Error) as error:
            print(f"{self.path}: {error}; the old settings stay", file=sys.stderr)
            self.emperor.explain(STATUS_KEPT, f"{self.path}: {error}", self.generation)
        else:
            self.generation += 1
            self.emperor.explain(STATUS_READY, value=self.generation)
        self.start_waiting()
        self.emperor.say(READY)

    def answer(self):
        """Serves one connection; false if none waits."""
        try:
            client, _ = self.listener.accept()
        except BlockingIOError:
            return False
        with client:
            client.settimeout(1)
            try:
                client.recv(4096)
                body = f"{datetime.datetime.now().strftime(self.settings.format)} from Python\n"
                client.sendall(f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                               f"Content-Length: {len(body.encode())}\r\n\r\n{body}".encode())
            except OSError:
                return True  # a client that is slow, or has gone
        self.answered += 1
        if self.answered == 1:
            self.emperor.say(LOYAL)
        if self.idle_at < math.inf:
            self.idle_at = time.monotonic() + self.settings.idle
        return True


def main():
    if "UWSGI_EMPEROR_FD" not in os.environ:
        sys.exit("this is a vassal: let an Emperor start it")
    emperor = Emperor()
    path = sys.argv[sys.argv.index("--ini") + 1]
    emperor.explain(STATUS_STATE, "reading its configuration")
    try:
        clock = Clock(emperor, path)
    except (KeyError, ValueError, configparser.Error) as error:
        emperor.explain(STATUS_FAILED, f"{path}: {error}")
        print(f"{path}: {error}", file=sys.stderr)
        sys.exit(NOT_AGAIN)
    clock.run()


main()
