# SPDX-License-Identifier: MIT
"""An HTTP/1.1 client at the level of bytes. It sends whatever it is told to, and takes nothing but
a response that RFC 9112 allows: anything else is a ProtocolError, a short one too."""
import re
import socket

from . import address as addresses
from .programs import PATIENCE

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(;.*)?")


class ProtocolError(Exception):
    """The server sent what no server may send."""


class Response:
    def __init__(self, status, reason, fields):
        self.status = status
        self.reason = reason
        self.fields = fields  # [(name as sent, value)]
        self.body = b""
        self.close = False  # the server will close the connection

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def __repr__(self):
        return f"<Response {self.status} {self.body[:60]!r}>"


class Connection:
    """One connection, from the address @source if one is given. Use as a context manager, or
    close(). With @tls, an ssl.SSLContext, through TLS to "localhost"; an end that was not announced
    is an error then. @first is sent before that."""

    def __init__(self, address, timeout=PATIENCE, source=None, tls=None, session=None,
                 first=b""):
        target = addresses.parse(address)
        self.socket = socket.socket(addresses.family(target), socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.buffer = b""
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect(target)
            self.socket.sendall(first)
            if tls:
                self.socket = tls.wrap_socket(self.socket, server_hostname="localhost",
                                              suppress_ragged_eofs=False, session=session)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def request(self, target="/", method="GET", fields=(), body=None, version="1.1"):
        """Sends a well-formed request and returns the response to it."""
        self.send(request_bytes(target, method, fields, body, version))
        return self.response(method)

    def response(self, method="GET"):
        """Reads exactly one final response; interim ones (100) are skipped."""
        while True:
            response = self._head()
            if response.status >= 200:
                break
        self._body(response, method)
        return response

    def interim(self):
        """Reads one interim response, such as 100."""
        response = self._head()
        if response.status >= 200:
            raise ProtocolError(f"{response} where an interim one was expected")
        return response

    def wait_input(self):
        """Waits until something has come, and leaves it where it is."""
        assert self.buffer or self._more(), "the server closed the connection"

    def at_end(self):
        """Waits for the server to end the connection in order. False: something else came first."""
        return not self.buffer and self.socket.recv(1) == b""

    def silent(self, seconds):
        """True if nothing at all arrives within @seconds: neither bytes nor the end."""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1)
            self.buffer += data
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(before)

    def _more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def line(self):
        while b"\n" not in self.buffer:
            if not self._more():
                raise ProtocolError(f"connection ended within a line: {self.buffer[:200]!r}")
        line, _, self.buffer = self.buffer.partition(b"\n")
        if not line.endswith(b"\r"):
            raise ProtocolError(f"line does not end with CR LF: {line[:200]!r}")
        return line[:-1]

    def exactly(self, size):
        while len(self.buffer) < size:
            if not self._more():
                raise ProtocolError(f"connection ended after {len(self.buffer)} of {size} bytes")
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def to_end(self):
        while self._more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def _head(self):
        line = self.line()
        m = STATUS_LINE.fullmatch(line)
        if not m:
            raise ProtocolError(f"status line: {line[:200]!r}")
        return Response(int(m.group(1)), m.group(2).decode("latin-1"), self._fields())

    def _fields(self):
        fields = []
        while line := self.line():
            m = FIELD_LINE.fullmatch(line)
            if not m:
                raise ProtocolError(f"field line: {line[:200]!r}")
            fields.append((m.group(1).decode("ascii"), m.group(2).decode("latin-1")))
        return fields

    def _body(self, response, method):
        length = response.all("Content-Length")
        coding = response.all("Transfer-Encoding")
        tokens = [t.strip().lower() for v in response.all("Connection") for t in v.split(",")]
        response.close = "close" in tokens

        if length and coding or len(length) > 1 or len(coding) > 1:
            raise ProtocolError(f"ambiguous length: {response.fields}")
        if length and not re.fullmatch("[0-9]{1,18}", length[0]):
            raise ProtocolError(f"Content-Length: {length[0]!r}")
        if response.status in (204, 304) or method == "HEAD":
            if response.status == 204 and (length or coding):
                raise ProtocolError("204 with a length (RFC 9110 section 8.6)")
            return
        if coding:
            if coding[0].lower() != "chunked":
                raise ProtocolError(f"Transfer-Encoding: {coding[0]!r}")
            response.body = self._chunks()
        elif length:
            response.body = self.exactly(int(length[0]))
        else:
            response.body = self.to_end()
            response.close = True

    def _chunks(self):
        body = b""
        while True:
            m = CHUNK_LINE.fullmatch(self.line())
            if not m:
                raise ProtocolError("chunk size")
            size = int(m.group(1), 16)
            if size == 0:
                self._fields()
                return body
            body += self.exactly(size)
            if self.line() != b"":
                raise ProtocolError("chunk without its end")


def request_bytes(target="/", method="GET", fields=(), body=None, version="1.1"):
    lines = [f"{method} {target} HTTP/{version}"]
    fields = list(fields)
    names = {n.lower() for n, _ in fields}
    if "host" not in names:
        lines.append("Host: test")
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{n}: {v}" for n, v in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def get(address, target="/", tls=None, **kw):
    """One request on a connection of its own."""
    with Connection(address, tls=tls) as c:
        return c.request(target, fields=[*kw.pop("fields", ()), ("Connection", "close")], **kw)
