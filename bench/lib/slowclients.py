# SPDX-License-Identifier: MIT
"""Clients that take their time, or do nothing at all, in processes of their own."""
import contextlib
import itertools
import multiprocessing
import resource
import signal
import socket
import time

from . import BenchError
from harness import address

HEAD = b"GET / HTTP/1.1\r\nHost: bench\r\nX-Slow: "
ANSWER_BYTES = 1 << 20
SLICES = 20  # of a second: all of them at once would be no slow clients
RESERVED_FILES = 64


class Slow:
    """A client that does a little each second, and comes back when the server has ended it."""

    def __init__(self, to):
        self.to, self.socket = to, None

    def tick(self):
        """-> whether a connection had ended"""
        try:
            if self.socket is None:
                self.socket = socket.socket(address.family(self.to))
                self.set_up()
                self.socket.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    self.socket.connect(self.to)
                self.n = -1
                return False
            self.n += 1
            self.go_on(self.n)
        except BlockingIOError:
            pass
        except OSError:
            self.socket.close()
            self.socket = None
            return True
        return False

    def set_up(self):
        pass

    def receive(self, size):
        if not self.socket.recv(size):
            raise ConnectionResetError


class SlowHead(Slow):
    """A byte of its head each second."""

    def go_on(self, n):
        self.socket.send(HEAD[n:n + 1] or b"a")
        self.receive(4096)


class SlowBody(Slow):
    """The head at once, a byte of the body each second."""

    def go_on(self, n):
        self.socket.send(b"x" if n else
                         b"POST /swallow HTTP/1.1\r\nHost: bench\r\nContent-Length: 1000000\r\n\r\n")
        self.receive(4096)


class SlowReader(Slow):
    """Asks for a megabyte and takes a kilobyte each second."""

    def set_up(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def go_on(self, n):
        if n == 0:
            self.socket.send(b"GET /bytes/%d HTTP/1.1\r\nHost: bench\r\n\r\n" % ANSWER_BYTES)
        self.receive(1024)


@contextlib.contextmanager
def _process(target, *args):
    p = multiprocessing.get_context("fork").Process(target=target, args=args, daemon=True)
    p.start()
    try:
        yield p
    finally:
        p.kill()
        p.join()


def _be_slow(at, n, connected, n_ended):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    to = address.parse(at)
    clients = [kind(to) for _, kind in zip(range(n), itertools.cycle((SlowHead, SlowBody, SlowReader)))]
    began = time.monotonic()
    for i in itertools.count():
        for c in clients[i % SLICES::SLICES]:
            n_ended.value += c.tick()
        if i == 5 * SLICES:
            connected.set()  # each has connected, sent, and gone on for a while
        time.sleep(max(0, began + (i + 1) / SLICES - time.monotonic()))


@contextlib.contextmanager
def slow(at, n):
    """@n slow clients, a third of each kind, for the time of a "with". Its value's .value is how many
    connections the server has ended."""
    context = multiprocessing.get_context("fork")
    connected, n_ended = context.Event(), context.Value("i", 0)
    with _process(_be_slow, at, n, connected, n_ended):
        connected.wait()
        yield n_ended


def _be_idle(at, n, source, results):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    connections = []
    for _ in range(n):
        try:
            s = socket.create_connection(address.parse(at), 10, (source, 0))
            s.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
            if not s.recv(4096).startswith(b"HTTP/1.1 200"):
                break
        except OSError:
            break
        connections.append(s)
    results.put(len(connections))
    signal.pause()


@contextlib.contextmanager
def idle(at, n):
    """@n connections that have had one answer each and then do nothing. -> how many there are"""
    results = multiprocessing.get_context("fork").Queue()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES
    most = min(most, 20000)  # ports that a source address has
    with contextlib.ExitStack() as stack:
        sources = range(-(-n // most))
        if len(sources) > 200:
            raise BenchError(f"{n} connections need more than {most} descriptors a process")
        for i in sources:
            share = n // len(sources) + (i < n % len(sources))
            stack.enter_context(_process(_be_idle, at, share, f"127.0.1.{i + 1}", results))
        yield sum(results.get() for _ in sources)
