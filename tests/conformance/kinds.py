# SPDX-License-Identifier: MIT
"""The kinds of sockets that a server can be reached through. A kind knows how to make liege listen,
how to connect, how an abstract request becomes bytes and how the answer is read; nothing else in the
suite knows one kind from another."""
import re

from harness import address, client

from . import fastcgi, scgi, tls, uwsgi


class Kind:
    """A listening socket of one server below @folder."""

    name = option = None
    http = False  # the rules of HTTP/1.1 syntax hold on the connection
    many = False  # a connection serves one request after the other

    def __init__(self, folder):
        self.folder = folder
        self.address = f"{folder}/{self.name}.sock"

    def settings(self):
        """The lines of the configuration."""
        return f"{self.option} = {self.address}\n"

    def connect(self):
        return client.Connection(self.address)

    def encode(self, request):
        """-> bytes"""
        raise NotImplementedError

    def read(self, connection, request):
        """Reads one answer. -> client.Response; client.ProtocolError if it is none"""
        raise NotImplementedError

    def request(self, *args, **kw):
        """Request(*args, **kw) on a connection of its own. -> client.Response"""
        request = Request(*args, **kw)
        with self.connect() as c:
            c.send(self.encode(request))
            return self.read(c, request)

    def refusal(self, connection):
        """Reads how a request is refused: by an answer, or, where a kind has no better way, by the
        end of the connection. -> status, or None"""
        raise NotImplementedError


class Request:
    """A request that all kinds can say. Texts are ISO 8859-1. @variables: what a web server in
    front says of it, for the kinds that are spoken by one."""

    def __init__(self, target="/", method="GET", fields=(), body=None, variables=None):
        self.target = target
        self.method = method
        self.fields = list(fields)
        self.body = body
        self.variables = variables or {}


class Http(Kind):
    option = "http-socket"
    http = many = True

    def encode(self, request):
        return client.request_bytes(request.target, request.method, request.fields, request.body)

    def read(self, connection, request):
        return connection.response(request.method)

    def refusal(self, connection):
        answer = connection.response()
        assert answer.close and connection.at_end(), answer
        return answer.status


class HttpUnix(Http):
    name = "http-unix"


class HttpTcp(Http):
    name = "http-tcp"

    def __init__(self, folder):
        super().__init__(folder)
        self.address = address.free_address()


class Https(HttpTcp):
    """HTTP/1.1 within TLS, with a certificate made for the occasion."""

    name = "https"
    option = "https-socket"

    def settings(self):
        certificate, key = tls.make_certificate(self.folder)
        return f"{self.option} = {self.address},{certificate},{key}\n"

    def connect(self):
        return tls.Connection(self.address)


class Gateway(Kind):
    """Spoken by a web server in front: one request a connection, whose parts come as variables."""

    protocol = None  # a module with encode(variables, body) and read(connection, method)

    def encode(self, request):
        return self.protocol.encode(variables(request), request.body or b"")

    def read(self, connection, request):
        return self.protocol.read(connection, request.method)

    def refusal(self, connection):
        try:
            connection.to_end()
        except ConnectionResetError:
            pass  # what came before is there
        data, connection.buffer = connection.buffer, b""
        return self.protocol.status(data) if data else None


class Uwsgi(Gateway):
    name, option, protocol = "uwsgi", "uwsgi-socket", uwsgi


class FastCgi(Gateway):
    name, option, protocol = "fastcgi", "fastcgi-socket", fastcgi


class Scgi(Gateway):
    name, option, protocol = "scgi", "scgi-socket", scgi


def variables(request):
    """What a web server says of @request (RFC 3875 section 4.1), as nginx does: a dict of bytes."""
    target, _, query = request.target.partition("?")
    found = {
        "REQUEST_METHOD": request.method, "REQUEST_URI": request.target, "SCRIPT_NAME": "",
        "PATH_INFO": _unescape(target), "QUERY_STRING": query, "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "test", "SERVER_PORT": "80", "REMOTE_ADDR": "192.0.2.1",
        "REMOTE_PORT": "49152", "GATEWAY_INTERFACE": "CGI/1.1", "HTTP_HOST": "test",
        "CONTENT_LENGTH": "" if request.body is None else str(len(request.body)),
        "CONTENT_TYPE": "",
    }
    for name, value in request.fields:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else "HTTP_" + key
        found[key] = value
    found.update(request.variables)
    return {k.encode("latin-1"): v.encode("latin-1") for k, v in found.items()}


def _unescape(path):
    return re.sub("%([0-9A-Fa-f]{2})", lambda m: chr(int(m.group(1), 16)), path)


# Https is one of them as soon as liege has its option.
HTTP_KINDS = [HttpTcp, HttpUnix, Https]
GATEWAY_KINDS = [Uwsgi, FastCgi, Scgi]
KINDS = HTTP_KINDS + GATEWAY_KINDS
