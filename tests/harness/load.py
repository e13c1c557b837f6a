# SPDX-License-Identifier: MIT
"""Load that knows what happened to each request: clients that keep their connection alive and
clients that open one for each request, on an event loop in a thread of its own.

A keep-alive client opens a new connection only after the server announced the end of the old one
("Connection: close"); an end without announcement is a failure, as it is for a real client that has
just sent a request that cannot be repeated."""
import asyncio
import collections
import threading
import time

from . import address as addresses
from .client import request_bytes
from .programs import PATIENCE


class Load:
    """Runs from start (or "with") to stop(). @check, if given, gets each body and says whether it is
    whole."""

    def __init__(self, address, keep_alive=8, per_request=4, target="/", check=None, pause=0,
                 tls=None):
        self.address = addresses.parse(address)
        self.n_clients = keep_alive, per_request
        self.target = target
        self.check = check
        self.tls = tls  # an ssl.SSLContext
        self.pause = pause  # seconds between two requests of a client
        self.ok = 0
        self.statuses = collections.Counter()
        self.bodies = collections.Counter()  # body -> how often, for short bodies
        self.failures = []  # (seconds since start, kind of client, what happened)
        self.announced_ends = 0
        self.longest_gap = 0.0  # seconds without an answer
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._stopping = False

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self._began = self._last = time.monotonic()
        self._thread.start()
        return self

    def stop(self):
        self._stopping = True
        self._thread.join(PATIENCE + 10)
        assert not self._thread.is_alive(), "clients do not end"
        self._gap()
        return self

    def wait_for(self, n, timeout=PATIENCE):
        """Waits for @n more answers."""
        with self._progress:
            goal = self.ok + n
            assert self._progress.wait_for(lambda: self.ok >= goal, timeout), \
                f"{goal - self.ok} of {n} answers missing; failures: {self.failures[:5]}"

    def assert_clean(self):
        assert not self.failures, f"{len(self.failures)} failed, {self.ok} ok: {self.failures[:10]}"
        assert set(self.statuses) <= {200}, self.statuses
        assert self.ok > 0

    def _gap(self):
        now = time.monotonic()
        self.longest_gap = max(self.longest_gap, now - self._last)
        self._last = now

    async def _main(self):
        keep, once = self.n_clients
        await asyncio.gather(*[self._client("keep-alive") for _ in range(keep)],
                             *[self._client("per-request") for _ in range(once)])

    async def _client(self, kind):
        held = []
        try:
            await self._ask(kind, held)
        finally:
            for connection in held:  # it is cancelled in the middle of an answer
                self._close(connection)

    async def _ask(self, kind, held):
        """@held has the connection."""
        connection = None
        fields = [("Connection", "close")] if kind == "per-request" else []
        request = request_bytes(self.target, fields=fields)
        while not self._stopping:
            try:
                connection = connection or await self._connect()
                held[:] = [connection]
                close = await asyncio.wait_for(self._exchange(connection, request), PATIENCE)
            except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
                self.failures.append((round(time.monotonic() - self._began, 3), kind, repr(error)))
                connection = self._close(connection)
                await asyncio.sleep(0)
                continue
            if close:
                self.announced_ends += kind == "keep-alive"
                connection = self._close(connection)
            if self.pause:
                await asyncio.sleep(self.pause)
        self._close(connection)

    async def _connect(self):
        """A connection; one that is made while the load is being stopped is closed."""
        making = asyncio.ensure_future(self._make_connection())
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self._close(await making)
            raise

    async def _make_connection(self):
        if isinstance(self.address, str):
            return await asyncio.open_unix_connection(self.address)
        name = {"server_hostname": "localhost"} if self.tls else {}
        return await asyncio.open_connection(*self.address, ssl=self.tls, **name)

    @staticmethod
    def _close(connection):
        """At once: to take leave of the other side takes longer than the loop may last."""
        if connection and not connection[1].transport.is_closing():
            connection[1].transport.abort()

    async def _exchange(self, connection, request):
        """Sends @request and takes the answer. Returns whether the server ends the connection."""
        reader, writer = connection
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head[1:] if line)
        close = fields.get(b"connection") == b"close"
        if b"content-length" in fields:
            body = await reader.readexactly(int(fields[b"content-length"]))
        elif fields.get(b"transfer-encoding") == b"chunked":
            body = await self._chunks(reader)
        else:
            body = await reader.read()
            close = True
        self._account(int(head[0].split()[1]), body)
        return close

    @staticmethod
    async def _chunks(reader):
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return body

    def _account(self, status, body):
        self.statuses[status] += 1
        if self.check and not self.check(body):
            raise ValueError(f"wrong body: {body[:80]!r}")
        if len(body) <= 100:
            self.bodies[body] += 1
        with self._progress:
            self._gap()
            self.ok += 1
            self._progress.notify_all()
